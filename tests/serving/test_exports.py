"""The proof that an export needs nothing of ours: TensorFlow alone, and C++, answer as our server does."""

import itertools
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import prediction_log_pb2

from serving.client import Connection, Remote
from serving.exports import WARMUP
from tests.pipelines.conftest import answer_elsewhere as answer_elsewhere
from tests.serving.conftest import Client

pytestmark = pytest.mark.slow
SOURCE = Path(__file__).with_name("ask_exports.cc")
ALONE = """
import pathlib

def read(path, kind):
    return tf.io.parse_tensor(path.read_bytes(), kind.dtype)

for place in sorted(pathlib.Path(request).iterdir()):
    signature = signatures[place.name.partition("-")[2]]
    kinds = signature.structured_input_signature[1]
    found = signature(**{name: read(place / "in" / name, kind) for name, kind in kinds.items()})
    for name, tensor in found.items():
        (place / "out" / name).write_bytes(tf.io.serialize_tensor(tensor).numpy())
answer = None
"""


def write_requests(export: Path, folder: Path) -> None:
    """Writes the warm-up requests of an export, of every signature, as `ask_exports.cc` reads them."""
    for number, record in enumerate(tf.data.TFRecordDataset(str(export / WARMUP))):
        asked = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        place = folder / f"{number}-{asked.model_spec.signature_name}"
        (place / "out").mkdir(parents=True)
        (place / "in").mkdir()
        for name, tensor in asked.inputs.items():
            (place / "in" / name).write_bytes(tensor.SerializeToString())


def tensors(folder: Path) -> dict[str, np.ndarray]:
    return {
        path.name: tf.make_ndarray(tensor_pb2.TensorProto.FromString(path.read_bytes())) for path in folder.iterdir()
    }


@pytest.fixture(scope="module")
def asked(every_export: Path, every_client: Client, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """The requests of every export, and what our server answers."""
    folder, answers = tmp_path_factory.mktemp("asked"), {}
    for export in sorted(every_export.glob("*/1")):
        name = export.parent.name
        write_requests(export, folder / name)
        server = Remote(Connection(f"{every_client.url}/v1/models/{name}"))
        places = sorted((folder / name).iterdir())
        assert {place.name.partition("-")[2] for place in places} == set(server.names), "every signature"
        for place in places:
            answers[name, place.name] = server(place.name.partition("-")[2], **tensors(place / "in"))
    return folder, answers


def assert_answered(folder: Path, answers: Mapping[tuple[str, str], Mapping[str, np.ndarray]]) -> None:
    for (name, request), expected in answers.items():
        found = tensors(folder / name / request / "out")
        assert found.keys() == expected.keys(), (name, request)
        for key, array in expected.items():
            place = f"{name} {request} {key}"
            if array.dtype == object:
                assert found[key].tolist() == array.tolist(), place
            else:
                np.testing.assert_allclose(found[key], array, rtol=1e-4, atol=1e-5, err_msg=place)


def test_tensorflow_alone_answers_every_signature(
    asked: tuple[Path, dict], every_export: Path, answer_elsewhere: Callable[..., Any], tmp_path: Path
) -> None:
    folder = shutil.copytree(asked[0], tmp_path / "alone")
    for export in sorted(every_export.glob("*/1")):
        answer_elsewhere(export, str(folder / export.parent.name), ALONE)
    assert_answered(folder, asked[1])


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a compiler: apt-get install g++")
def test_cpp_answers_every_signature(asked: tuple[Path, dict], every_export: Path, tmp_path: Path) -> None:
    folder, program = shutil.copytree(asked[0], tmp_path / "cpp"), tmp_path / "ask_exports"
    libraries = Path(tf.sysconfig.get_lib())
    command = ["g++", "-O0", *tf.sysconfig.get_compile_flags(), "-std=c++17", str(SOURCE), "-o", str(program)]
    command += [f"-L{libraries}", f"-Wl,-rpath,{libraries}", "-Wl,--no-as-needed"]
    command += ["-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"]
    compiled = subprocess.run(command, capture_output=True, text=True)
    assert compiled.returncode == 0, compiled.stderr[-3000:]
    pairs = [(str(export), str(folder / export.parent.name)) for export in sorted(every_export.glob("*/1"))]
    done = subprocess.run([str(program), *itertools.chain(*pairs)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert_answered(folder, asked[1])

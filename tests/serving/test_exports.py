"""The proof that an export needs nothing of ours: TensorFlow's C++ library answers as our server does.

The tests of each task ask its export in Python, without Keras and this repository.
"""

import itertools
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from benchmarks.streams import follow
from serving.client import Connection, Remote
from serving.exports import warmups
from tests.serving.conftest import Client

pytestmark = pytest.mark.slow
SOURCE = Path(__file__).with_name("ask_exports.cc")


def write_requests(export: Path, folder: Path) -> None:
    """Writes the warm-up requests of an export, of every signature, as `ask_exports.cc` reads them."""
    for number, (signature, inputs) in enumerate(warmups(export)):
        place = folder / f"{number}-{signature}"
        (place / "out").mkdir(parents=True)
        (place / "in").mkdir()
        for name, values in inputs.items():
            (place / "in" / name).write_bytes(tf.make_tensor_proto(values).SerializeToString())


def tensors(folder: Path) -> dict[str, np.ndarray]:
    return {
        path.name: tf.make_ndarray(tensor_pb2.TensorProto.FromString(path.read_bytes())) for path in folder.iterdir()
    }


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a compiler: apt-get install g++")
def test_cpp_answers_every_signature(every_export: Path, every_client: Client, tmp_path: Path) -> None:
    program, libraries = tmp_path / "ask_exports", Path(tf.sysconfig.get_lib())
    command = ["g++", "-O0", *tf.sysconfig.get_compile_flags(), "-std=c++17", str(SOURCE), "-o", str(program)]
    command += [f"-L{libraries}", f"-Wl,-rpath,{libraries}", "-Wl,--no-as-needed"]
    command += ["-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"]
    compiled = subprocess.run(command, capture_output=True, text=True)
    assert compiled.returncode == 0, compiled.stderr[-3000:]
    requests = {export: tmp_path / export.parent.name for export in sorted(every_export.glob("*/1"))}
    for export, folder in requests.items():
        write_requests(export, folder)
    done = subprocess.run([str(program), *itertools.chain(*requests.items())], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]

    for folder in requests.values():
        server = Remote(Connection(f"{every_client.url}/v1/models/{folder.name}"))
        places = {place: place.name.partition("-")[2] for place in sorted(folder.iterdir())}
        assert set(places.values()) == set(server.names), "every signature"
        for place, signature in places.items():
            expected, found = server(signature, **tensors(place / "in")), tensors(place / "out")
            assert found.keys() == expected.keys(), place
            for key, array in expected.items():
                if array.dtype == object:
                    assert found[key].tolist() == array.tolist(), (place, key)
                else:
                    np.testing.assert_allclose(found[key], array, rtol=1e-4, atol=1e-5, err_msg=f"{place} {key}")


def test_a_stream_carries_no_more_the_longer_it_is(every_export: Path) -> None:
    """`python -m benchmarks.streams` takes a million steps."""
    streams = {path.parent.name: found for path in every_export.glob("*/1") if (found := list(follow(path, 3001, 3)))}
    for parts in streams.values():
        assert len(parts) == 3 and all(part.numbers < 10_000 for part in parts)
    # Of noise, which never pauses, a recogniser remembers no more frames than it may: a sixth of these.
    assert all(len({part.numbers for part in parts}) == 1 for name, parts in streams.items() if name != "speech-tones")
    assert len(streams) == 4

"""The load on a server, shortened: every measurement is made, nothing fails, and memory stays."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("psutil", reason="needs unrolled[test]")
from benchmarks.serving import Options, measure
from tests.pipelines.speech.conftest import RATE, speak

# Not imported: it would change the sockets and threads of this process.
pytestmark = pytest.mark.skipif(find_spec("locust") is None, reason="needs unrolled[test]")


@pytest.mark.slow
def test_a_server_bears_its_load(every_export: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.round(speak("ab cad") * 32767).astype(np.int16), RATE)
    for name in ("nlp-sentiment", "speech-tones"):  # the servers load what is there
        shutil.copytree(every_export / name, tmp_path / "exports" / name)
    few = {"seconds": 1, "mixed_seconds": 10, "clients": 8, "streams": 4, "starts": 1}
    found = dict(measure(Options(tmp_path / "exports", tmp_path / "a.wav", **few)))
    assert found["… failures"] == "0"
    assert found["… seconds of work a second of audio; failures"].endswith("; 0")
    signatures, failures = found["10 seconds on all models: signatures, failures"].split(", ")
    assert int(signatures) > 8 and failures == "0"
    early, late = map(float, found["… MiB after 5 seconds, and at the end"].split(", "))
    assert late < 1.3 * early

"""Memory stays bounded as the data grows: a pass over ten times as many recordings needs no more of it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

ONE_PASS = """
import resource, sys
from pipelines.speech import data
from pipelines.speech.augmentation import AudioAugmentationConfiguration
configuration = data.DataConfiguration(source="manifest", path=sys.argv[1], batch_seconds=24.0)
speech = data.load(configuration, 8000, lambda samples: samples // 320)
recordings = len(speech.utterances["train"])
batches = data.training_batches(speech, configuration, AudioAugmentationConfiguration(), 8000, 0, 1, 2)
seen = 0
for batch in batches:
    seen += len(batch["audio_lengths"])
    if seen >= recordings:
        break
print(recordings, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def one_pass(manifest: Path) -> tuple[int, int]:
    """Recordings in the training split, and the peak memory in MiB of a process that reads them all once."""
    command = [sys.executable, "-c", ONE_PASS, str(manifest)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    recordings, mebibytes = printed.split()[-2:]
    return int(recordings), int(mebibytes)


@pytest.mark.slow
def test_ten_times_the_data_takes_no_more_memory(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    seconds, letters = 9, list("abcdefgh")
    soundfile.write(tmp_path / "a.wav", random.uniform(-0.5, 0.5, seconds * 8000), 8000)
    used = {}
    for recordings in (100, 1000):  # 14 and 144 MB as 16-bit samples, twice that as float32
        rows = [
            # One file under many names: what grows is what passes through memory, not what lies on the disk.
            {"audio_filepath": "./" * (number + 1) + "a.wav", "text": " ".join(random.choice(letters, 6))}
            for number in range(recordings)
        ]
        manifest = tmp_path / f"{recordings}.jsonl"
        manifest.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        used[recordings] = one_pass(manifest)
    (few, small), (many, large) = used[100], used[1000]
    assert many > 8 * few
    # All samples of the larger set would be 250 MiB more; the shuffle buffer is full in the larger pass only (25 MiB).
    assert large - small < 60, f"{few} recordings: {small} MiB, {many} recordings: {large} MiB"

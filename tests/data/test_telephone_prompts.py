"""The English telephone prompts: what is in, what is out, and that no sentence is on both sides."""

import gzip
import itertools
import random
from pathlib import Path

import numpy as np
import pytest
import soundfile

import data
from data import telephone_prompts
from data.splits import assign_split
from data.telephone_prompts import SHARES, SPLIT_SALT, TelephonePrompts, read_prompts
from data.transcripts import normalise, parts

TRANSCRIPTS = """\
; a comment

hello-world: Hello world.
digits/5: five
again: Hello world.  Please try again.
beep: [this is a beep]
silence/1: (1 second of silence)
intro: Leave a message. (simple tone sound plays)
lost: Nobody recorded this.
"""


def word_of(split: str) -> str:
    """Return a made-up word that falls into `split`: TFDS refuses an empty one."""
    words = ("".join(random.Random(n).choices("abcdefghijklmnopqrstuvwxyz", k=8)) for n in itertools.count())
    return next(word for word in words if assign_split(word, SHARES, SPLIT_SALT) == split)


ONE_EACH = [word_of(split) for split in SHARES]


@pytest.fixture
def packages(tmp_path: Path) -> tuple[Path, Path]:
    """Folders like those of the two unpacked packages, with tiny recordings."""
    sounds, texts = tmp_path / "wav/usr/share/sounds/en", tmp_path / "txt/usr/share/doc"
    for number, key in enumerate(["hello-world", "digits/5", "again", "beep", "silence/1", "intro", *ONE_EACH]):
        (sounds / key).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(sounds / f"{key}.wav", np.full(80 + number, 100 * number, np.int16), 8000)
    texts.mkdir(parents=True)
    with gzip.open(texts / "core-sounds-en.txt.gz", "wt") as file:
        file.write(TRANSCRIPTS + "".join(f"{word}: {word}\n" for word in ONE_EACH))
    return tmp_path / "wav", tmp_path / "txt"


@pytest.fixture
def fake_fetch(packages, monkeypatch):
    folders = dict(zip([telephone_prompts.AUDIO_PACKAGE, telephone_prompts.TRANSCRIPT_PACKAGE], packages, strict=True))
    monkeypatch.setattr(telephone_prompts, "fetch", folders.__getitem__)


def test_read_prompts(packages):
    prompts, left_out = read_prompts(*packages)
    assert {prompt.key: prompt.text for prompt in prompts} == {
        "hello-world": "hello world",
        "digits/5": "five",
        "again": "hello world please try again",
        "intro": "leave a message",
        **{word: word for word in ONE_EACH},
    }
    assert left_out == {"without_speech": ["beep", "silence/1"], "without_recording": ["lost"]}
    splits = {prompt.key: prompt.split for prompt in prompts}
    assert splits["hello-world"] == splits["again"]


def test_prepared_examples_are_the_recordings(fake_fetch, packages, tmp_path):
    builder = data.prepare(TelephonePrompts(data_dir=tmp_path / "prepared"))
    examples = {
        example["key"].decode(): example
        for split in builder.info.splits
        for example in builder.as_dataset(split=split).as_numpy_iterator()
    }
    assert examples.keys() == {"hello-world", "digits/5", "again", "intro", *ONE_EACH}
    for key, example in examples.items():
        recording, _ = soundfile.read(packages[0] / f"usr/share/sounds/en/{key}.wav", dtype="int16")
        np.testing.assert_array_equal(example["audio"], recording, strict=True)
    assert examples["intro"]["transcript"].decode() == "Leave a message. (simple tone sound plays)"
    again = TelephonePrompts(data_dir=tmp_path / "prepared")  # what a later process reads
    assert again.info.metadata["without_speech"] == ["beep", "silence/1"]
    assert again.info.features["audio"].sample_rate == 8000
    assert again.info.redistribution_info.license == "CC-BY-SA-3.0"


def test_wrong_rate_names_the_prompt(fake_fetch, packages, tmp_path):
    soundfile.write(packages[0] / "usr/share/sounds/en/digits/5.wav", np.zeros(10, np.int16), 16_000)
    with pytest.raises(ValueError, match=r"prompt digits/5 is not mono speech of 8000 Hz.*Received: 16000 Hz"):
        data.prepare(TelephonePrompts(data_dir=tmp_path / "prepared"))
    assert not list((tmp_path / "prepared/telephone_prompts").glob("1*"))


def test_changed_package_layout_is_explained(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"should hold hello-world.wav.*Received:"):
        read_prompts(tmp_path, tmp_path)


@pytest.mark.slow
def test_real_prompts():
    builder = data.prepare(TelephonePrompts())
    splits = {
        split: list(builder.as_dataset(split=split).as_numpy_iterator()) for split in ("train", "validation", "test")
    }
    assert sum(map(len, splits.values())) == 551
    seconds = {split: sum(len(example["audio"]) for example in members) / 8000 for split, members in splits.items()}
    assert sum(seconds.values()) == pytest.approx(24.3 * 60, rel=0.01)
    for split, share in SHARES.items():
        assert len(splits[split]) / 551 == pytest.approx(share, abs=0.015)
        assert seconds[split] / sum(seconds.values()) == pytest.approx(share, abs=0.015)

    heard = {
        split: {
            part
            for example in members
            for transcript in [example["transcript"].decode().partition("(")[0]]
            for part in (
                normalise(transcript, "en"),
                *parts(transcript, "en"),
                *parts(transcript, "en", clauses=False),
            )
        }
        for split, members in splits.items()
    }
    for one, other in itertools.combinations(heard.values(), 2):
        assert not one & other
    texts = [example["text"].decode() for members in splits.values() for example in members]
    assert set("".join(texts)) == set("abcdefghijklmnopqrstuvwxyz' ")

"""The Czech game dialogue: scripts are parsed, recordings decoded, levels and sentences kept apart."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

import data
from data import game_dialogue
from data.dialogue_scripts import dialogue_entries
from data.game_dialogue import SHARES, SPLIT_SALT, GameDialogue, read_lines, split_lines
from data.splits import assign_split
from data.transcripts import normalise, parts

SCRIPT = r"""
dialogId("yes", "font_small", "Yes, \"sir\".")
dialogStr("Ano, pane.")

dialogId("path", "font_big",
"In C:\\ there is nothing.")
dialogStr("V C:\\ nic není.")
dialogId("silent", "font", "Untranslated.")
dialogId("count", "font", "Number %1.")
dialogStr("Číslo %1.")
dialogId("broken", "font", "A broken file.")
dialogStr("Rozbitý soubor.")
dialogId("lost", "font", "Lost.")
dialogStr("Ztraceno.")
dialogId("foreign", "font", "Foreign.")
dialogStr("Привет.")
"""


def level_of(split: str) -> str:
    """Return a name of a level that falls into `split`."""
    return next(f"level{n}" for n in range(1000) if assign_split(f"level{n}", SHARES, SPLIT_SALT) == split)


@pytest.fixture
def packages(tmp_path: Path) -> tuple[Path, Path]:
    """Folders like those of the two unpacked packages: one level per split, tiny recordings."""
    audio, scripts = tmp_path / "audio", tmp_path / "scripts"
    tone = np.sin(np.arange(22_050) / 8).astype(np.float32) / 2
    for split in SHARES:
        sound = audio / f"usr/share/games/fillets-ng/sound/{level_of(split)}/cs"
        script = scripts / f"usr/share/games/fillets-ng/script/{level_of(split)}/dialogs_cs.lua"
        sound.mkdir(parents=True)
        script.parent.mkdir(parents=True)
        if split == "train":
            script.write_text(SCRIPT)
            for name in ("yes", "path", "silent", "count", "foreign"):
                soundfile.write(sound / f"{name}.ogg", tone, 22_050)
            soundfile.write(sound / "path.ogg", np.stack([tone, tone], axis=1), 44_100)
            (sound / "broken.ogg").write_bytes(b"not a recording")
        else:
            script.write_text(f'dialogId("own", "f", "x")\ndialogStr("Jenom pro {split}. ANO PANE!")\n')
            soundfile.write(sound / "own.ogg", tone, 22_050)
    return audio, scripts


def test_dialogue_entries():
    entries = {entry.name: entry for entry in dialogue_entries(SCRIPT)}
    assert entries["yes"].english == 'Yes, "sir".'
    assert entries["path"].translation == "V C:\\ nic není."
    assert entries["silent"].translation is None
    assert len(entries) == SCRIPT.count("dialogId")


def test_lines_left_out_are_named(packages):
    lines, left_out = read_lines(*packages)
    level = level_of("train")
    assert {line.text for line in lines if line.level == level} == {
        "ano pane",
        "v c nic není",
        "rozbitý soubor",
    }
    assert left_out == {
        "without_words": [f"{level}/count", f"{level}/silent"],
        "without_recording": [f"{level}/lost"],
        "other_script": [f"{level}/foreign"],
    }


def test_sentences_of_a_later_split_are_left_out_of_earlier_ones(packages):
    splits, left_out = split_lines(read_lines(*packages)[0])
    assert [line.key for line in splits["test"]] == [f"{level_of('test')}/own"]
    assert splits["validation"] == []  # its second sentence is in test
    assert left_out == sorted([f"{level_of('validation')}/own", f"{level_of('train')}/yes"])


def test_prepared_audio_is_mono_16_kilohertz(packages, tmp_path, monkeypatch):
    folders = dict(zip([game_dialogue.AUDIO_PACKAGE, game_dialogue.DIALOGUE_PACKAGE], packages, strict=True))
    monkeypatch.setattr(game_dialogue, "fetch", folders.__getitem__)
    # A split must not be empty: give validation a sentence of its own.
    script = packages[1] / f"usr/share/games/fillets-ng/script/{level_of('validation')}/dialogs_cs.lua"
    script.write_text('dialogId("own", "f", "x")\ndialogStr("Něco docela jiného.")\n')
    builder = data.prepare(GameDialogue(data_dir=tmp_path / "prepared"))
    (stereo,) = builder.as_dataset(split="train").as_numpy_iterator()
    assert stereo["key"].decode() == f"{level_of('train')}/path"
    assert stereo["audio"].dtype == np.int16
    assert len(stereo["audio"]) == 8000  # half a second
    assert np.abs(stereo["audio"]).max() == pytest.approx(32767 / 2, rel=0.1)
    (unreadable,) = builder.info.metadata["unreadable"]
    assert unreadable.startswith(f"{level_of('train')}/broken: ")


@pytest.mark.slow
def test_real_dialogue():
    builder = data.prepare(GameDialogue())
    levels: dict[str, set[bytes]] = {}
    sentences: dict[str, set[str]] = {}
    seconds = 0.0
    for split in SHARES:
        examples = list(builder.as_dataset(split=split).as_numpy_iterator())
        levels[split] = {example["level"] for example in examples}
        transcripts = [example["transcript"].decode() for example in examples]
        sentences[split] = {part for text in transcripts for part in parts(text, "cs", clauses=False)}
        sentences[split] |= {normalise(text, "cs") for text in transcripts}
        seconds += sum(len(example["audio"]) for example in examples) / 16_000
    assert seconds > 90 * 60
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not levels[one] & levels[other]
        assert not sentences[one] & sentences[other]

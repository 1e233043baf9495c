"""What messages tell a user to type."""

import sys

import pytest

from pipelines import hints


@pytest.mark.parametrize(
    ("arguments", "typed", "made"),
    [
        (("train", "speech"), "unrolled train speech", "make train-speech"),
        (
            ("train", "speech", "base", True),
            "unrolled train speech base --resume",
            "make train-speech PRESET=base RESUME=1",
        ),
        (("train", "translation"), "unrolled train translation", "make train-nlp PRESET=translation"),
        (("train", "nlp", "own-tagging"), "unrolled train tagging own-tagging", "make train-nlp PRESET=own-tagging"),
        (("train", "nlp"), "unrolled train sentiment", "make train-nlp"),
        (("evaluate", "tagging"), "unrolled evaluate tagging", "make eval-nlp"),
        (("results", "tagging"), "unrolled results tagging", "unrolled results tagging"),
        (("train", "letters", "read"), "unrolled train letters read", "make train-letters PRESET=read"),
    ],
)
def test_a_command_has_one_form_the_one_that_the_user_types(
    arguments: tuple[str, str], typed: str, made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAKELEVEL", raising=False)
    assert hints.command(*arguments) == typed
    monkeypatch.setenv("MAKELEVEL", "1")
    assert hints.command(*arguments) == made


def test_options_are_those_of_the_program_that_the_user_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAKELEVEL", raising=False)
    assert (hints.option("--seed 3"), hints.resume(), hints.run()) == ("--seed 3", "--resume", "--run FOLDER")
    monkeypatch.setattr(sys, "argv", ["/somewhere/pipelines/__main__.py"])
    assert hints.command("train", "speech") == "python -m pipelines train speech"
    assert hints.answer("tag", "TEXT", '"A word."') == 'python -m pipelines tag "A word."'
    monkeypatch.setenv("MAKELEVEL", "1")
    assert (hints.option("--seed 3"), hints.resume(), hints.run()) == ("ARGS='--seed 3'", "RESUME=1", "RUN=folder")
    assert hints.answer("tag", "TEXT", '"A word."') == 'make tag TEXT="A word."'

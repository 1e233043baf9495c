import json
from pathlib import Path
from typing import ClassVar, Literal, Self

import pydantic
import pytest
import tyro
from pydantic import Field

from pipelines.command_line import parse_command_line, parse_options
from pipelines.configuration import Configuration, ConfigurationError


class Model(Configuration):
    units: int = Field(128, ge=1, description="Width of each recurrent layer.")
    recurrence: Literal["lstm", "gru"] = Field("gru", description="The recurrent layer.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of the values left out.")
    channels: tuple[int, ...] = Field((32, 64), description="Channels of the convolutions.")
    bidirectional: bool = Field(True, description="Read in both directions.")
    projection: int | None = Field(None, description="Width after the layer; None leaves it.")


class Speech(Configuration):
    model: Model = Field(Model(), description="The network.")
    seed: int = Field(0, description="Seed of everything random.")
    folder: Path | None = Field(None, description="The user's own recordings.")
    resume: bool = Field(False, exclude=True, description="Go on with a killed run.")


PRESETS = {"small": Speech(), "base": Speech(model=Model(units=256, channels=(64,)), seed=7)}


def parse(*arguments: str) -> tuple[str, Speech]:
    return parse_command_line(PRESETS, arguments, "python -m train", "Train a network.")


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The error message of arguments that must end the process with exit code 2."""
    with pytest.raises(SystemExit) as stop:
        parse(*arguments)
    assert stop.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    return output.err


@pytest.mark.parametrize(
    ("change", "fragments"),
    [
        (
            {"sed": 1},
            ["no setting 'sed'", "Did you mean 'seed'?", "Expected one of: model, seed", "Received: sed = 1"],
        ),
        (
            {"model": {"unts": 3}},
            ["no setting 'model.unts'", "Did you mean 'model.units'?", "Received: model.unts = 3"],
        ),
        ({"units": 3}, ["no setting 'units'", "Did you mean 'model.units'?"]),
        ({"model": {"units": 0}}, ["model.units: ", "expected at least 1", "Received: 0"]),
        ({"model": {"units": "8"}}, ["model.units: ", "a whole number", "Received: '8'"]),
        ({"model": {"units": 8.0}}, ["model.units: ", "a whole number", "Received: 8.0"]),
        ({"model": {"units": True}}, ["model.units: ", "a whole number", "Received: True"]),
        ({"model": {"bidirectional": 1}}, ["model.bidirectional: ", "True or False", "Received: 1"]),
        ({"model": {"dropout": float("nan")}}, ["model.dropout: ", "Received: nan"]),
        ({"model": {"channels": (1, "x")}}, ["model.channels.1: ", "Received: 'x'"]),
        ({"model": {"recurrence": "lstn"}}, ["'lstm' or 'gru'", "Did you mean 'lstm'?", "Received: 'lstn'"]),
    ],
)
def test_wrong_values_are_refused_with_their_path_and_the_remedy(change: dict, fragments: list[str]) -> None:
    with pytest.raises(ConfigurationError) as error:
        Speech(**change)
    for fragment in fragments:
        assert fragment in str(error.value)


@pytest.mark.parametrize("value", ["gs://bucket/a.csv", Path("s3://bucket/a.csv")])
def test_a_bucket_is_no_folder(value: str | Path) -> None:
    class Data(Configuration):
        path: str | Path

    with pytest.raises(ConfigurationError, match=r"path: (gs|s3):// is no folder.* Mount .* Received: "):
        Data(path=value)
    assert Data(path="gs:9").path == "gs:9"


def test_all_errors_are_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as error:
        Speech(model={"units": 0, "dropout": 2.0}, sed=1)
    assert len(str(error.value).splitlines()) == 3
    assert all("Received: " in line for line in str(error.value).splitlines())


def test_int_serves_as_float() -> None:
    assert Model(dropout=0).dropout == 0.0
    assert isinstance(Model(dropout=0).dropout, float)


def test_configuration_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Speech().seed = 3
    assert hash(Speech()) == hash(Speech())


def test_replace_changes_only_what_is_named_and_validates() -> None:
    base = PRESETS["base"]
    changed = base.replace(model={"dropout": 0.5})
    assert changed.model == Model(units=256, channels=(64,), dropout=0.5)
    assert changed.seed == 7
    assert base.model.dropout == 0.1
    with pytest.raises(ConfigurationError, match=r"^model\.units: expected at least 1\. Change model\.units"):
        base.replace(model={"units": 0})
    with pytest.raises(ConfigurationError, match="no setting 'sed'"):
        base.replace(sed=1)


@pytest.mark.parametrize(
    "configuration",
    [
        *PRESETS.values(),
        Speech(folder=Path("a b/č"), model=Model(dropout=0.1 + 0.2, projection=3, channels=())),
    ],
)
def test_json_round_trip_is_exact(configuration: Speech) -> None:
    assert Speech.from_json(configuration.to_json()) == configuration


def test_option_of_a_command_is_not_saved() -> None:
    assert "resume" not in json.loads(Speech(resume=True).to_json())


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ('{"model": {"unts": 3}}', "Did you mean 'model.units'?"),
        ('{"model": {"units": 3}', "not JSON"),
        ('{"model": {"units": "3"}}', "model.units: expected a whole number"),
        ("[]", "Received: []"),
    ],
)
def test_json_that_does_not_fit_is_refused(text: str, fragment: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        Speech.from_json(text)
    assert fragment in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "preset", "change"),
    [
        ([], "small", {}),
        (["base"], "base", {}),
        (["--seed", "3"], "small", {"seed": 3}),
        (["base", "--model.units", "64"], "base", {"model": {"units": 64}}),
        (["--model.units=64"], "small", {"model": {"units": 64}}),
        (["--model.dropout", "0"], "small", {"model": {"dropout": 0.0}}),
        (["base", "--model.channels", "1", "2", "3"], "base", {"model": {"channels": (1, 2, 3)}}),
        (["--model.recurrence", "lstm"], "small", {"model": {"recurrence": "lstm"}}),
        (["--model.no_bidirectional"], "small", {"model": {"bidirectional": False}}),
        (["--model.no-bidirectional"], "small", {"model": {"bidirectional": False}}),
        (["--model.projection", "5"], "small", {"model": {"projection": 5}}),
        (["--model.projection", "None"], "small", {"model": {"projection": None}}),
        (["--folder", "my recordings"], "small", {"folder": Path("my recordings")}),
        (["small", "--resume"], "small", {"resume": True}),
    ],
)
def test_command_line_changes_the_preset(arguments: list[str], preset: str, change: dict) -> None:
    assert parse(*arguments) == (preset, PRESETS[preset].replace(**change))


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (
            ["bsae"],
            ["no preset 'bsae'", "Expected one of: small, base", "Did you mean 'base'?", "Received: 'bsae'"],
        ),
        (
            ["--model.unts", "3"],
            ["no setting 'model.unts'", "Did you mean 'model.units'?", "Received: '--model.unts'"],
        ),
        (["--units=3"], ["no setting 'units'", "Did you mean 'model.units'?"]),
        (["--modle.units", "3"], ["Did you mean 'model.units'?", "Expected one of: model, seed, folder"]),
        (["--seed", "3", "base"], ["preset first", "Received: 'base'"]),
        (["--model.units", "many"], ["model.units: expected a whole number", "Received: 'many'"]),
        (["--model.units", "1.5"], ["model.units: expected a whole number", "Received: '1.5'"]),
        (["--model.units", "0"], ["model.units: ", "expected at least 1", "Received: 0"]),
        (["--model.projection", "wide"], ["model.projection: ", "Received: 'wide'"]),
        (["--model.channels", "3", "x"], ["model.channels.1: ", "Received: 'x'"]),
        (["--model.recurrence", "gro"], ["model.recurrence: ", "Did you mean 'gru'?", "Received: 'gro'"]),
        (["--model.units"], ["--model.units"]),
        (["--seed", "3", "--seed=4"], ["--seed is given more than once", "Received: --seed 3 --seed=4"]),
    ],
)
def test_wrong_command_lines_end_with_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], fragments: list[str]
) -> None:
    message = refusal(capsys, *arguments)
    for fragment in fragments:
        assert fragment in message


def test_help_shows_presets_settings_and_the_defaults_of_the_preset(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stop:
        parse("base", "--help")
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for fragment in (
        "python -m train [PRESET]",
        "Train a network.",
        "Presets: small, base (default: small)",
        "--model.units INT",
        "Width of each recurrent layer. (default: 256)",
        "Seed of everything random. (default: 7)",
        "gru",
        "lstm",
    ):
        assert fragment in text


def test_command_without_presets() -> None:
    class Options(Configuration):
        files: tyro.conf.Positional[tuple[Path, ...]]
        run: Path | None = None

    expected = Options(files=(Path("a.wav"), Path("b.mp3")), run=Path("runs/speech/latest"))
    assert parse_options(Options, ["a.wav", "b.mp3", "--run", "runs/speech/latest"], "transcribe", "") == expected
    with pytest.raises(SystemExit) as stop:
        parse_options(Options, ["a.wav", "--rum", "x"], "transcribe", "")
    assert stop.value.code == 2


class Frames(Configuration):
    height: int = 64
    patch: int = 4

    @pydantic.model_validator(mode="after")
    def _fits(self) -> Self:
        if self.height < 0:
            raise ValueError("A height is positive")
        if self.height % self.patch:
            raise ValueError(f"Expected a height that patch divides. Change one of both. Received: {self.height}")
        return self


def test_an_error_of_several_settings_is_said_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    for height, message in (
        ("7", "Error: Expected a height that patch divides. Change one of both. Received: 7\n"),
        ("-4", "Error: The settings: a height is positive. Change it. Received: {"),
    ):
        with pytest.raises(SystemExit):
            parse_command_line({"tiny": Frames()}, ["--height", height], "python -m train", "")
        assert capsys.readouterr().err.startswith(message)


class Renamed(Configuration):
    RENAMED: ClassVar = {"width": "units"}
    units: int = 128


class Outer(Configuration):
    RENAMED: ClassVar = {"net": "network"}
    network: Renamed = Renamed()


def test_names_of_the_version_before_are_read_from_files_and_refused_elsewhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert Outer.from_json('{"net": {"width": 3}}') == Outer(network=Renamed(units=3))
    assert Outer.from_json(Outer(network=Renamed(units=4)).to_json()).network.units == 4
    with pytest.raises(ConfigurationError, match=r"'network.width' has a new name. Expected 'network.units'"):
        Outer(network={"width": 3})
    with pytest.raises(SystemExit):
        parse_command_line({"one": Outer()}, ["--net.width", "3"], "train", "")
    assert "'net.width' has a new name. Expected 'network.units'" in capsys.readouterr().err

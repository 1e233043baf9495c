"""Arguments of the Python API, checked against the type hints of the functions."""

import io
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import pandas as pd
import pytest

import unrolled
from pipelines import predictors
from pipelines.arguments import checked
from pipelines.configuration import ConfigurationError
from pipelines.runs import RunError
from pipelines.tasks import all_tasks
from tests.test_contract import VERBS


class Asked:
    """Something with a method of every kind of argument."""

    @checked
    def ask(
        self,
        texts: str | Iterable[str],
        number: int = 1,
        share: float | None = None,
        *,
        kind: Literal["a", "b"] = "a",
        weights: Mapping[str, float] | Sequence[str] = (),
        array: np.ndarray | Path | None = None,
        table: pd.DataFrame | BinaryIO | None = None,
        stops: str | Iterable[str] | Set[str] = (),
        free: Any = None,
    ) -> tuple[Any, ...]:
        """Returns some of its arguments."""
        return texts, number, share


GOOD: list[tuple[Sequence[Any], Mapping[str, Any]]] = [
    (["a"], {}),
    ([["a", "b"], np.int64(2), np.float32(0.5)], {"kind": "b"}),
    ([pd.Series(["a"])], {"weights": {"a": 1.0}, "share": 1}),
    ([(each for each in "ab")], {"array": Path("a"), "table": io.BytesIO(), "free": object()}),
    ([np.array(["a"])], {"table": pd.DataFrame(), "weights": ["a"]}),
    ([{"a": 1}.keys()], {"stops": {"a"}}),
]
BAD: list[tuple[Sequence[Any], Mapping[str, Any], str]] = [
    ([3], {}, r"^texts: expected str or Iterable\[str\]\. .*Received: 3, of type int$"),
    ([None], {}, "^texts: .*Received: None, of type NoneType$"),
    ([b"a"], {}, "^texts: .*of type bytes$"),
    ([{"a": "b"}], {}, r"^texts: .*Pass its values: list\(mapping.values\(\)\)\..*of type dict$"),
    ([pd.DataFrame({"a": ["b"]})], {}, r'^texts: .*columns: frame\["column"\]\. .*of type DataFrame$'),
    ([Path("a.txt")], {}, r"^texts: .*Read the file: path.read_text\(\)\. .*Path$"),
    ([np.array("a")], {}, "^texts: .*of type ndarray$"),
    ([{"a"}], {}, r"^texts: a set has no order.*Expected str or Iterable\[str\]\..*Received: \{'a'\}$"),
    (["a"], {"number": {1}}, r"^number: expected int\. .*of type set$"),
    (["a", 1.5], {}, r"^number: expected int\. .*Received: 1.5, of type float$"),
    (["a", True], {}, "^number: .*of type bool$"),
    (["a"], {"share": "1"}, "^share: expected float or None.*of type str$"),
    (["a"], {"kind": "c"}, "^kind: expected 'a' or 'b'.*Received: 'c'"),
    (["a"], {"weights": "a"}, r"^weights: expected Mapping\[str, float\] or Sequence\[str\].*of type str$"),
    (["a"], {"array": [1]}, "^array: expected ndarray, Path or None.*of type list$"),
    (["a"], {"array": b"RIFF"}, r"^array: .*Write it to a file, and pass its path\. .*of type bytes$"),
    (["a"], {"nmber": 2}, r"^ask has no argument 'nmber'\. Expected texts, number.*'number'\? Received: nmber$"),
    ([], {}, "^The arguments of ask do not fit.*Received: missing a required argument: 'texts'$"),
    (["a", 1, 1.0, "a"], {}, "^The arguments of ask do not fit.*Received: too many positional arguments$"),
]


@pytest.mark.parametrize(("arguments", "named"), GOOD)
def test_what_fits_the_hints_is_passed_on(arguments: Sequence[Any], named: Mapping[str, Any]) -> None:
    assert Asked().ask(*arguments, **named)[0] is arguments[0]


@pytest.mark.parametrize(("arguments", "named", "message"), BAD)
def test_what_does_not_fit_is_named(arguments: Sequence[Any], named: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Asked().ask(*arguments, **named)


@pytest.mark.parametrize("task", all_tasks(), ids=lambda task: task.name)
def test_the_verb_of_every_predictor_names_a_wrong_argument(task: Any) -> None:
    predictor = object.__new__(task.part("predictor").Predictor)  # arguments are judged before a model is asked
    verb = getattr(predictor, VERBS[task.name])
    with pytest.raises(ConfigurationError, match=r"has no argument 'tempertaure'.*Received: tempertaure$"):
        verb("x", tempertaure=1)
    takes_content = task.name in ("speech", "series", "next-frames", "clip-classes")  # of a file, as bytes
    for wrong in (3, None, 1.5, *[b"x"][takes_content:]):
        with pytest.raises(ConfigurationError, match=rf"^\w+: expected .*Received: {wrong!r}, of type \w+$"):
            verb(wrong)


def test_a_source_that_is_no_model_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exports" / "nlp-sentiment" / "2").mkdir(parents=True)
    (tmp_path / "exports" / "nlp-sentiment" / "2" / "saved_model.pb").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match=r"^source: expected str or Path\..*Received: 3, of type int$"):
        unrolled.load(3)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"^There is neither a task nor a folder 'nope'\. Expected a task \("):
        unrolled.load("nope")
    for source in ("exports/nope", Path("nope")):
        with pytest.raises(RunError, match=r"^There is no such folder\. Expected .*of a run.*of an export.*nope'$"):
            unrolled.load(source)
    with pytest.raises(
        RunError,
        match=r"^The folder is not an export, but holds 1 export\..*Pass its path: exports/nlp-sentiment\. Received",
    ):
        unrolled.load("exports")
    with pytest.raises(RunError, match="does not describe its model"):
        predictors.opened("exports/nlp-sentiment")
    with pytest.raises(RunError, match="The folder is not a run"):
        unrolled.load("empty")

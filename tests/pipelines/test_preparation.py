"""What every training starts with: its data are recorded, and other data are refused."""

from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest

from pipelines.commands import TrainingCommand
from pipelines.preparation import Prepared, description_of, prepared, report_changed_data, trained_model
from pipelines.runs import Run, RunError
from pipelines.training import TrainingConfiguration


class Tiny(TrainingCommand):
    training: TrainingConfiguration = TrainingConfiguration()


class Sets(NamedTuple):
    words: tuple[str, ...]
    values: np.ndarray


SETS = Sets(("a", "b"), np.arange(6.0))


def build(configuration: Tiny, words: list[str]) -> keras.Sequential:
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(len(words))])


def prepare_with(sets: Sets) -> Any:
    def prepare(configuration: Tiny) -> Prepared[Sets, keras.Sequential]:
        model, description = build(configuration, list(sets.words)), {"words": sets.words}
        return Prepared(sets, model, description, {"skipped.json": ["c"]}, learned=sets.words)

    return prepare


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create("test", "tiny", Tiny(), tmp_path)


def test_description_and_files_are_written(run: Run) -> None:
    sets, model = prepared(run, Tiny(), prepare_with(SETS))
    assert sets is SETS and model.output_shape == (None, 2)
    assert description_of(run) == {"words": ["a", "b"]}
    assert run.read_json("skipped.json") == ["c"]


def test_the_same_data_are_resumed_and_others_refused(run: Run) -> None:
    prepared(run, Tiny(), prepare_with(SETS))
    run.append_history({"epoch": 1})
    prepared(run, Tiny(), prepare_with(Sets(("a", "b"), np.arange(6.0))))
    for other in (Sets(("a", "c"), np.arange(6.0)), Sets(("a", "b"), np.arange(6.0)[::-1].copy())):
        with pytest.raises(RunError, match=r"data have changed since the run started.*unrolled train test tiny"):
            prepared(run, Tiny(), prepare_with(other))
    assert description_of(run) == {"words": ["a", "b"]}


def test_an_evaluation_on_changed_data_says_so(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    prepared(run, Tiny(), prepare_with(SETS))
    report_changed_data(run, SETS)
    assert capsys.readouterr().out == ""
    report_changed_data(run, SETS._replace(values=np.arange(7.0)))
    assert "the data have changed since the training" in capsys.readouterr().out


def test_what_was_learned_from_is_never_judged_as_new(run: Run) -> None:
    """As if the rows of a list had lost their splits, so that new ones are drawn."""
    prepared(run, Tiny(), prepare_with(SETS))
    report_changed_data(run, SETS, ["a"], ["b"])  # the data are the same
    other = Sets(("a", "b", "c"), np.arange(6.0))
    report_changed_data(run, other, ["a", "b"], ["c"])
    report_changed_data(run, other, ["a", "b"], ["a", "b"])  # the split of training
    with pytest.raises(RunError, match=r"learned from are in the evaluated split.*Received: 1 example of 2, .*'b'$"):
        report_changed_data(run, other, ["a"], ["b", "c"])


def test_a_refused_preparation_leaves_no_run(run: Run) -> None:
    def refuse(configuration: Tiny) -> Prepared[Any, Any]:
        raise ValueError("unusable")

    with pytest.raises(ValueError, match="unusable"):
        prepared(run, Tiny(), refuse)
    assert not run.folder.exists()


def test_a_trained_model_is_built_from_the_description(run: Run) -> None:
    _, model = prepared(run, Tiny(), prepare_with(SETS))
    model.save_weights(run.folder / "model.weights.h5")
    loaded = trained_model(run, Tiny(), build)
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])


def test_descriptions_of_the_version_before_are_read(run: Run) -> None:
    run.write_json("classes.json", ["a", "b"])
    run.write_json("series.json", {"names": ["a"], "step": 3})
    assert description_of(run, "classes.json", "classes") == {"classes": ["a", "b"]}
    assert description_of(run, "series.json") == {"names": ["a"], "step": 3}


def test_the_dtype_policy_of_the_process_is_restored(run: Run) -> None:
    seen = []

    def prepare(configuration: Tiny) -> Prepared[Sets, keras.Sequential]:
        seen.append(keras.config.dtype_policy().name)
        return prepare_with(SETS)(configuration)

    mixed = Tiny(training=TrainingConfiguration(mixed_precision=True))
    before = keras.config.dtype_policy().name
    prepared(run, mixed, prepare)
    assert seen == ["mixed_bfloat16"] and keras.config.dtype_policy().name == before

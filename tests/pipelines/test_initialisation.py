"""Starting from an earlier run: the same network is taken whole, rows by name, and what does not fit is named."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

import models
from pipelines import preparation
from pipelines.commands import TrainingCommand
from pipelines.initialisation import initialise
from pipelines.preparation import Prepared, prepared
from pipelines.runs import Run, RunError
from pipelines.training import TrainingConfiguration

FEATURES = 7
RECURRENT = {
    "lstm": lambda units: models.LSTM(units),
    "gru": lambda units: models.GRU(units),
    "stack": lambda units: models.Stack("gru", units, 2),
    "bidirectional": lambda units: keras.layers.Bidirectional(models.LSTM(units)),
}


class Tiny(TrainingCommand):
    training: TrainingConfiguration = TrainingConfiguration()


def network(seed: int, outputs: int, recurrent: str = "lstm", units: int = 19, depth: int = 1) -> keras.Sequential:
    keras.utils.set_random_seed(seed)
    hidden = [keras.layers.Dense(FEATURES, name=f"hidden_{index}") for index in range(depth)]
    output = keras.layers.Dense(outputs, bias_initializer="uniform", name="output")
    return keras.Sequential([keras.Input((None, FEATURES)), *hidden, RECURRENT[recurrent](units), output])


def inputs() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 5, FEATURES)).astype("float32")  # (batch, time, features)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create("test", "old", Tiny(), tmp_path)


def saved(run: Run, model: keras.Model) -> keras.Model:
    model.save_weights(run.folder / "model.weights.h5")
    return model


@pytest.mark.parametrize("recurrent", RECURRENT)
def test_the_same_network_is_taken_whole(run: Run, recurrent: str) -> None:
    old, new = saved(run, network(1, 3, recurrent)), network(2, 3, recurrent)
    assert np.abs(new(inputs()) - old(inputs())).max() > 0.01
    count = len(old.weights)
    assert initialise(new, run) == f"Took {count} of {count} weights from {run.folder}."
    np.testing.assert_array_equal(new(inputs()), old(inputs()))


def test_states_of_random_generators_are_kept(run: Run) -> None:
    def build(seed: int) -> keras.Sequential:
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(3), keras.layers.Dropout(0.5, seed=seed)])

    saved(run, build(1))
    new = build(2)
    before = [variable.numpy() for variable in new.variables if "seed" in variable.path]
    assert initialise(new, run).startswith("Took 2 of 2 weights")
    after = [variable.numpy() for variable in new.variables if "seed" in variable.path]
    assert len(before) == 1
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ("abc", "cab"),  # in another order
        ("abc", "xbz"),  # of which one is known
        ("abc", "badec"),
        ("abcde", "dz"),
    ],
)
@pytest.mark.parametrize("unnamed", [0, 1])
def test_rows_of_equal_names_are_taken(run: Run, there: str, here: str, unnamed: int) -> None:
    old, new = (saved(run, network(1, len(there) + unnamed)), network(2, len(here) + unnamed))
    fresh = [weight.numpy() for weight in new.layers[-1].weights]
    count = len(old.weights)
    report = initialise(new, run, {"letters": (there, here)}, lambda key, names: network(3, len(names) + unnamed))
    common = len(set(there) & set(here))
    assert report == f"Took {count} of {count} weights from {run.folder}. By name: {common} of {len(here)} letters."
    for weight, before, trained in zip(new.layers[-1].weights, fresh, old.layers[-1].weights, strict=True):
        np.testing.assert_array_equal(weight[..., :unnamed], trained[..., :unnamed])  # such as the CTC blank
        for place, name in enumerate(here, unnamed):
            expected = trained[..., unnamed + there.index(name)] if name in there else before[..., place]
            np.testing.assert_array_equal(weight[..., place], expected)
    np.testing.assert_array_equal(new.layers[-2].get_weights()[0], old.layers[-2].get_weights()[0])


def test_an_axis_of_the_same_length_by_accident_is_left_alone(run: Run) -> None:
    """As many names as features and units: only the output stands for them."""
    there, here = "abcdefg", "gfedcba"
    old, new = saved(run, network(1, 7, units=7)), network(2, 7, units=7)
    initialise(new, run, {"letters": (there, here)}, lambda key, names: network(3, len(names), units=7))
    np.testing.assert_allclose(new(inputs()), old(inputs())[..., ::-1], atol=1e-6)


def test_an_axis_of_two_lists_is_not_matched_by_name(run: Run) -> None:
    old, new = saved(run, network(1, 4)), network(2, 4)
    initialise(new, run, {"a": ("ab", "ba"), "b": ("xy", "yx")}, lambda key, names: network(3, 2 + len(names)))
    np.testing.assert_array_equal(new(inputs()), old(inputs()))


def test_a_list_that_cannot_be_changed_is_not_matched_by_name(run: Run) -> None:
    def refuse(key: str, names: Sequence[str]) -> keras.Model:
        raise ValueError("two labels at least")

    saved(run, network(1, 2))
    assert "not: output/kernel, (19, 2) there and (19, 3) here" in initialise(
        network(2, 3), run, {"labels": ("ab", "abc")}, refuse
    )


def test_what_does_not_fit_is_named(run: Run) -> None:
    old, new = saved(run, network(1, 3)), network(2, 5)
    kernel = new.layers[-1].kernel.numpy()
    assert initialise(new, run) == (
        f"Took 5 of 7 weights from {run.folder}; not: output/kernel, (19, 3) there and (19, 5) here; "
        "output/bias, (3,) there and (5,) here."
    )
    np.testing.assert_array_equal(new.layers[-1].kernel, kernel)
    np.testing.assert_array_equal(new.layers[0].kernel, old.layers[0].kernel)


def test_another_width_leaves_the_rest(run: Run) -> None:
    old, new = saved(run, network(1, 3)), network(2, 3, units=23)
    report = initialise(new, run)
    assert report.startswith("Took 3 of 7 weights")  # the dense layer before, and the bias behind
    assert "recurrent_kernel, (19, 76) there and (23, 92) here" in report
    assert "output/kernel, (19, 3) there and (23, 3) here" in report
    np.testing.assert_array_equal(new.layers[0].kernel, old.layers[0].kernel)
    np.testing.assert_array_equal(new.layers[-1].bias, old.layers[-1].bias)


def test_another_kind_of_layer_leaves_the_rest_and_names_what_is_unused(run: Run) -> None:
    saved(run, network(1, 3, "gru"))
    report = initialise(network(2, 3, "lstm"), run)
    assert report.startswith("Took 4 of 7 weights")
    assert "kernel, which is not there" in report
    assert report.endswith("Unused there: layers/gru/cell.")


def test_runs_that_cannot_be_started_from_are_refused(run: Run) -> None:
    new = network(1, 3)
    before = new.get_weights()
    with pytest.raises(RunError, match=r"no trained weights.*unrolled train \w+ \w+ --resume.*Received"):
        initialise(new, run)
    keras.Sequential([keras.Input((2,)), keras.layers.PReLU()]).save_weights(run.folder / "model.weights.h5")
    with pytest.raises(RunError, match=r"None of the weights.*run of the same task.*Received"):
        initialise(new, run)
    weights = saved(run, network(1, 3)) and run.folder / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:2000])
    with pytest.raises(RunError, match=r"damaged.*Train that run again.*Received"):
        initialise(new, run)
    for weight, kept in zip(new.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)


def prepare_with(names: Sequence[str], seed: int, added: int, last: Sequence[str]) -> Any:
    def prepare(configuration: Tiny) -> Prepared[tuple[str, ...], keras.Sequential]:
        return Prepared((*names,), network(seed, len(names) + added), {"names": [*names], "step": 3}, last=last)

    return prepare


@pytest.mark.parametrize(("added", "last"), [(0, ()), (1, ()), (1, ("names",))])
def test_preparation_matches_the_lists_of_both_descriptions(
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    added: int,
    last: Sequence[str],
) -> None:
    built = SimpleNamespace(build=lambda configuration, names, step: network(3, len(names) + added))
    monkeypatch.setattr(preparation, "task_of", lambda run: SimpleNamespace(part={"model": built}.__getitem__))
    _, old = prepared(run, Tiny(), prepare_with("abc", 1, added, last))
    saved(run, old)
    new_run = Run.create("test", "new", Tiny(initialise=run.folder), tmp_path)
    _, new = prepared(new_run, Tiny(initialise=run.folder), prepare_with("cxab", 2, added, last))
    assert "Took 7 of 7 weights" in capsys.readouterr().out
    before, now = old.layers[-1].bias.numpy(), new.layers[-1].bias.numpy()
    order = {"": ([2, 0, 1], [0, 2, 3]), "first": ([0, 3, 1, 2], [0, 1, 3, 4]), "last": ([2, 0, 1, 3], [0, 2, 3, 4])}
    there, here = order["last" if last else "first" if added else ""]
    np.testing.assert_array_equal(now[here], before[there])


def test_a_description_of_the_version_before_gives_no_names(run: Run, tmp_path: Path) -> None:
    old = saved(run, network(1, 3))  # without description.json
    new_run = Run.create("test", "new", Tiny(), tmp_path)
    _, new = prepared(new_run, Tiny(initialise=run.folder), prepare_with("cab", 2, 0, ()))
    np.testing.assert_array_equal(new(inputs()), old(inputs()))


def test_a_run_of_another_pipeline_is_refused(run: Run, tmp_path: Path) -> None:
    saved(run, network(1, 3))
    new_run = Run.create("other", "new", Tiny(), tmp_path)
    with pytest.raises(RunError, match=r"another pipeline. Expected one of other.*Received: .*belongs to test"):
        prepared(new_run, Tiny(initialise=run.folder), prepare_with("abc", 2, 0, ()))
    assert not new_run.folder.exists()


def test_a_resumed_run_keeps_what_it_has_learned(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved(run, network(1, 3))
    new_run = Run.create("test", "new", Tiny(), tmp_path)
    new_run.checkpoint("latest").parent.mkdir()
    new_run.checkpoint("latest").touch()
    prepared(new_run, Tiny(initialise=run.folder), prepare_with("abc", 2, 0, ()))
    assert "Took" not in capsys.readouterr().out

"""Training: it learns, it moves every weight, it goes on after a kill as if nothing had happened."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from pipelines.configuration import ConfigurationError
from pipelines.optimization import TrainingConfiguration, TrainingStep
from pipelines.runs import Run, RunError
from pipelines.series import data, train
from pipelines.series.config import SeriesConfiguration
from pipelines.series.forecasting import forecast_split
from pipelines.series.model import load_model
from pipelines.series.regular import SeriesDataError

Experiment = Callable[..., SeriesConfiguration]
REPOSITORY = Path(__file__).parents[3]


def test_waves_are_learned(trained_run: Run) -> None:
    configuration = trained_run.read_configuration(SeriesConfiguration)
    forecaster, sets = load_model(trained_run), data.load(configuration.data)
    found = train.validate(forecaster, sets, configuration.data.window)
    last_value = np.mean(
        [
            np.nanmean(np.abs(each.truth - sets.series[each.series].values[each.origins, np.newaxis, :1]))
            / forecaster.deviation.numpy()[each.series, 0]
            for each in forecast_split(forecaster, sets, "validation", configuration.data.window)
        ]
    )
    assert found["mae"] < 0.7 * last_value
    assert found["coverage"] > 0.85


def test_run_folder_holds_what_a_training_must_leave(trained_run: Run) -> None:
    assert trained_run.finished
    assert trained_run.read_json("timing.json")["seconds"] > 0
    assert {"loss", "validation_crps", "validation_mae", "validation_coverage"} <= trained_run.history()[0].keys()
    assert trained_run.read_json("description.json")["names"] == ["north", "south"]
    assert trained_run.read_json("description.json")["columns"]["known"] == ["holiday"]
    widening = np.array(trained_run.read_json("calibration.json")["widening"])
    np.testing.assert_allclose(load_model(trained_run).widening, widening, rtol=1e-6)
    assert (widening[..., 7] == 1).all() and (widening != 1).any()
    assert isinstance(trained_run.read_json("repairs.json"), list)


@pytest.mark.slow
@pytest.mark.parametrize(
    "network",
    [
        {"members": 2, "layers": 2, "dropout": 0.2},
        {"distribution": "student_t", "decoder": "autoregressive", "recurrent_dropout": 0.2},
    ],
)
def test_one_step_moves_every_trainable_weight(experiment: Experiment, network: dict[str, object]) -> None:
    configuration = experiment(network=network)
    sets, forecaster, *_ = train.prepare(configuration)
    batch = next(iter(data.training_batches(sets, configuration.data, seed=0, epoch=0)))
    before = [weight.numpy() for weight in forecaster.trainable_variables]
    fixed = [weight.numpy() for weight in (forecaster.mean, forecaster.deviation, forecaster.spread)]
    step = TrainingStep(
        forecaster,
        lambda batch, training: train.batch_loss(forecaster, 4, batch, training),
        TrainingConfiguration(learning_rate=0.01),
        10,
        tf.nest.map_structure(tf.TensorSpec.from_tensor, batch),
    )
    step(batch)
    for weight, old in zip(forecaster.trainable_variables, before, strict=True):
        assert np.any(old != weight.numpy()), weight.path
    for weight, old in zip((forecaster.mean, forecaster.deviation, forecaster.spread), fixed, strict=True):
        np.testing.assert_array_equal(weight, old)


@pytest.mark.slow
def test_a_batch_can_be_overfitted(experiment: Experiment) -> None:
    configuration = experiment(network={"units": 32, "decoder_units": 16})
    sets, forecaster, *_ = train.prepare(configuration)
    batch = next(iter(data.training_batches(sets, configuration.data.replace(batch_size=2), seed=0, epoch=0)))
    step = TrainingStep(
        forecaster,
        lambda batch, training: train.batch_loss(forecaster, 4, batch, training),
        TrainingConfiguration(learning_rate=0.02, gradient_clip_norm=1.0),
        300,
        tf.nest.map_structure(tf.TensorSpec.from_tensor, batch),
    )
    first = float(train.batch_loss(forecaster, 4, batch, False))
    for _ in range(300):
        step(batch)
    assert float(train.batch_loss(forecaster, 4, batch, False)) < 0.25 * first


def test_a_member_learns_nothing_of_its_own_stretches(experiment: Experiment) -> None:
    configuration = experiment(network={"members": 2, "fold_days": 1_000_000})  # one stretch, that of the first member
    sets, forecaster, *_ = train.prepare(configuration)
    batch = next(iter(data.training_batches(sets, configuration.data, seed=0, epoch=0)))
    with tf.GradientTape() as tape:
        loss = train.batch_loss(forecaster, 4, batch, True)
    gradients = tape.gradient(loss, [member.decoder.kernel.value for member in forecaster.members])
    assert not np.any(gradients[0])
    assert np.any(gradients[1])


@pytest.mark.slow
def test_intervals_are_calibrated_on_what_no_speaking_member_learned(experiment: Experiment) -> None:
    configuration = experiment(network={"members": 2, "fold_days": 2})
    sets, forecaster, *_ = train.prepare(configuration)
    window = configuration.data.window
    train.calibrate(forecaster, sets, window)
    low, high = forecaster.levels.index(0.1), forecaster.levels.index(0.9)
    inside = []
    for member in range(2):
        with forecaster.alone(member):
            for each in forecast_split(forecaster, sets, "train", window):
                for origin, quantiles, truths in zip(each.origins, each.quantiles, each.truth, strict=True):
                    for ahead, truth in enumerate(truths[:, 0]):
                        day = sets.series[each.series].times[origin + 1 + ahead] // 86_400
                        if day // 2 % 2 == member:
                            inside.append(quantiles[ahead, 0, low] <= truth <= quantiles[ahead, 0, high])
    assert np.mean(inside) == pytest.approx(0.8, abs=0.01)


def test_with_stretches_the_validation_period_is_learned_from_and_the_test_period_is_not(
    experiment: Experiment,
) -> None:
    whole, *_ = train.prepare(experiment())
    folded, *_ = train.prepare(experiment(network={"members": 2, "fold_days": 2}))
    assert folded.train_end == folded.validation_end == whole.validation_end != whole.train_end


def test_validation_scores_each_value_once_by_the_member_that_left_it_out(experiment: Experiment) -> None:
    configuration = experiment(network={"members": 2, "fold_days": 2})
    sets, forecaster, *_ = train.prepare(configuration)
    scored: dict[tuple[int, int, int], int] = {}
    for each in train.not_learned(forecaster, sets, configuration.data.window, 10**6):
        for origin, truths in zip(each.origins, each.truth[..., 0], strict=True):
            for ahead in np.flatnonzero(np.isfinite(truths)):
                key = (each.series, int(origin), int(ahead))
                scored[key] = scored.get(key, 0) + 1
    known = sum(int(np.isfinite(each.truth).sum()) for each in forecast_split(forecaster, sets, "train"))
    assert set(scored.values()) == {1}
    assert len(scored) == known


@pytest.mark.parametrize("network", [{"members": 1}, {"members": 2, "decoder": "autoregressive"}])
def test_stretches_that_nobody_could_learn_are_refused(network: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="fold_days to 0"):
        SeriesConfiguration().replace(network={**network, "fold_days": 7})


@pytest.mark.parametrize("network", [{"decoder": "autoregressive"}, {"quantile_levels": (0.1, 0.5, 0.8)}])
def test_intervals_that_cannot_adapt_are_refused(network: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="adaptation_rate to 0"):
        SeriesConfiguration().replace(network={**network, "adaptation_rate": 0.1})


@pytest.mark.parametrize("network", [{"floor": 5.0, "ceiling": 5.0}, {"lags": (-3,)}, {"season": (-3,)}])
def test_limits_and_steps_back_that_cannot_be_are_refused(network: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=r"Received: "):
        SeriesConfiguration().replace(network=network)


@pytest.mark.parametrize(
    ("network", "named"),
    [
        ({"lags": (1, 23), "season": (24,)}, []),
        ({"lags": (1, 24), "season": (30, 24)}, ["--network.lags 24: .*24 steps", "--network.season 30: .*24 steps"]),
        (
            {"lags": (200, 1000), "center": True},
            ["--network.lags 1000: .*210 steps"],
        ),  # all that comes before validation
    ],
)
def test_steps_back_that_no_window_reaches_are_named(
    experiment: Experiment, network: dict[str, object], named: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    train.prepare(experiment(network=network))
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Note: --network.")]
    assert len(notes) == len(named)
    for note, pattern in zip(notes, named, strict=True):
        assert re.search(pattern, note)


@pytest.mark.parametrize("limit", [{"floor": 100.0}, {"ceiling": -100.0}])
def test_limits_beyond_all_values_are_refused(experiment: Experiment, limit: dict[str, float]) -> None:
    with pytest.raises(SeriesDataError, match=r"every forecast of load would be this limit.*Received: -?100$"):
        train.prepare(experiment(network=limit))


def test_ranges_on_a_log_scale_are_calibrated_there(
    experiment: Experiment, make_frame: Callable[..., pd.DataFrame], tmp_path: Path, write_table: Callable
) -> None:
    configuration = experiment(network={"log_scale": ("load",)})
    sets, forecaster, *_ = train.prepare(configuration)
    window = train.steps_read(forecaster, configuration)
    forecaster.spread.assign(forecaster.spread / 3)  # three times too narrow
    assert train.validate(forecaster, sets, window)["coverage"] < 0.8
    train.calibrate(forecaster, sets, window)
    assert 0.85 < train.validate(forecaster, sets, window)["coverage"] < 0.99
    frame = make_frame()
    path = write_table(tmp_path / "below.csv", frame.assign(load=frame["load"] - 10))
    with pytest.raises(SeriesDataError, match=r"log_scale expects numbers above 0.*Received: -"):
        train.prepare(experiment(data={"path": str(path)}, network={"log_scale": ("load",)}))


def test_loss_counts_observed_targets_after_the_warm_up_only(experiment: Experiment) -> None:
    configuration = experiment()
    sets, forecaster, *_ = train.prepare(configuration)
    batch = dict(next(iter(data.training_batches(sets, configuration.data, seed=0, epoch=0))))
    expected = train.batch_loss(forecaster, 4, batch, False)
    assert float(train.batch_loss(forecaster, 0, batch, False)) != float(expected)
    values, observed = batch["values"].numpy(), batch["observed"].numpy()
    horizon = configuration.data.horizon
    batch["observed"] = np.concatenate([observed[:, :-horizon], observed[:, -horizon:]], axis=1)
    batch["observed"][:, -1, 0] = False  # what only the last origin is held to
    one_less = train.batch_loss(forecaster, 4, batch, False)
    batch["values"] = values.copy()
    batch["values"][:, -1, 0] = 1e9
    np.testing.assert_allclose(train.batch_loss(forecaster, 4, batch, False), one_less, rtol=1e-6)
    batch["observed"] = np.zeros_like(observed)
    assert float(train.batch_loss(forecaster, 4, batch, False)) == 0


def test_scales_and_training_do_not_know_what_comes_later(
    experiment: Experiment, table: Path, make_frame: Callable[..., pd.DataFrame], tmp_path: Path, write_table: Callable
) -> None:
    """Other validation and test periods, and what is learned before the first validation is the same."""
    frame = make_frame()
    late = frame.groupby("name").cumcount() >= 0.7 * frame.groupby("name")["load"].transform("size")
    frame.loc[late, ["load", "heat"]] *= -7
    other = write_table(tmp_path / "other.csv", frame)
    batches, scales = [], []
    for path in (table, other):
        configuration = experiment(data={"path": str(path)})
        sets, forecaster, *_ = train.prepare(configuration)
        scales += [[weight.numpy() for weight in (forecaster.mean, forecaster.deviation, forecaster.spread)]]
        batches += [next(iter(data.training_batches(sets, configuration.data, seed=3, epoch=1)))]
    for weight, same in zip(*scales, strict=True):
        np.testing.assert_array_equal(weight, same)
    for name, tensor in batches[0].items():
        np.testing.assert_array_equal(tensor, batches[1][name])


def test_series_of_different_lengths_are_forecast_as_each_alone(experiment: Experiment) -> None:
    sets, forecaster, *_ = train.prepare(experiment(data={"window": 20}))
    sets.series[1] = sets.series[1].cut(100, len(sets.series[1].times))
    for ends in (sets.train_end, sets.validation_end):
        ends[1] -= 100
    together = list(forecast_split(forecaster, sets, "validation", 20))
    assert [each.series for each in together] == [0, 1]
    for each in together:
        alone = data.Sets(
            [sets.series[each.series]],
            sets.columns,
            sets.clock,
            *([[end[each.series]] for end in (sets.train_end, sets.validation_end)]),
            [],
        )
        if each.series == 0:
            found = next(iter(forecast_split(forecaster, alone, "validation", 20)))
            np.testing.assert_allclose(each.quantiles, found.quantiles, rtol=1e-4, atol=1e-4)
        steps = np.array(data.origins(sets, each.series, "validation", forecaster.horizon))
        np.testing.assert_array_equal(each.origins, steps)
        truth = sets.series[each.series].values[steps[:, np.newaxis] + np.arange(1, forecaster.horizon + 1), :1]
        np.testing.assert_array_equal(each.truth, truth)


@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted(
    table: Path, whole_and_resumed: Callable[[str, str, str], Run]
) -> None:
    """With everything random on: windows, noise, dropout of two kinds."""
    changes = (
        f"--data.path {table} --data.targets load --data.series name --data.window 24 --data.horizon 4 "
        "--data.warm_up 4 --data.batch_size 4 --network.units 4 --network.members 2 --network.dropout 0.3 "
        "--network.recurrent_dropout 0.2 --network.noise 0.1 --steps_per_epoch 8 --training.epochs 3 "
        "--training.weight_average_decay 0.9"
    )
    whole_and_resumed("series", "own", changes)


def test_resuming_with_other_series_is_refused(experiment: Experiment, tmp_path: Path) -> None:
    configuration = experiment(network={"members": 1})
    run = Run.create("series", "other", configuration, tmp_path / "runs")
    description = dict(train.prepare(configuration).description)
    description["columns"] = description["columns"] | {"past": ["cold"]}
    run.write_json("description.json", description)
    run.append_history({"epoch": 1})
    with pytest.raises(RunError, match=r"have changed.*start a new run.*Received: .*'cold'.*'heat'"):
        train.train(run, configuration)
    assert run.folder.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": "missing.csv"}, r"missing.csv"),
        ({"horizon": 40, "window": 100}, r"shorter than the horizon.*Received: .*horizon 40"),
    ],
)
def test_what_is_refused_leaves_no_run_behind(
    experiment: Experiment, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    configuration = experiment(data=changes)
    run = Run.create("series", "refused", configuration, tmp_path)
    with pytest.raises(SeriesDataError, match=message):
        train.train(run, configuration)
    assert not run.folder.exists()


def test_a_run_that_does_not_fit_is_refused(trained_run: Run, tmp_path: Path) -> None:
    copy = Run.open(shutil.copytree(trained_run.folder, tmp_path / "series" / "waves" / "run"))
    values = copy.read_json("configuration.json")
    values["network"]["units"] += 1
    copy.write_json("configuration.json", values)
    with pytest.raises(RunError, match=r"do not fit the network.*Received: .*run"):
        load_model(copy)
    (copy.folder / "model.weights.h5").unlink()
    with pytest.raises(RunError, match=r"no trained weights.*--resume"):
        load_model(copy)


@pytest.mark.slow
def test_two_devices_train_as_one(experiment: Experiment, same_on_two_devices: Callable[..., None]) -> None:
    same_on_two_devices("series", experiment(training={"epochs": 1}, steps_per_epoch=4))

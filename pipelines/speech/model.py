"""The network: convolutional subsampling, a stack of recurrent layers, one label a frame for CTC."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

import models
from models.decoding import greedy_decode
from pipelines.preparation import built, description_of, trained_model
from pipelines.runs import Run
from pipelines.speech.augmentation import SpecAugment, SpecAugmentConfiguration
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.features import FeatureConfiguration, LogMel
from pipelines.speech.network import FrameLength, NetworkConfiguration

LAYERS = {"simple_rnn": models.SimpleRNN, "lstm": models.LSTM, "gru": models.GRU}
KERNEL, STRIDE = 3, 2  # of each subsampling convolution, in time and in frequency
ALPHABET = "alphabet.json"  # where runs of 0.1 have it


class Transcription(NamedTuple):
    """`logits` (batch, frames, labels), the `lengths` (batch,) that count, and the `state` to go on from.

    `drafts` are the logits of the layers below the last, where the network conditions itself on them; the first are of
    phonemes if the network reads those.
    """

    logits: tf.Tensor
    lengths: tf.Tensor
    state: Any
    drafts: tuple[tf.Tensor, ...] = ()


class Recogniser(FrameLength, keras.Model):
    """Audio in, CTC logits out.

    Every convolution sees past frames only, so padding behind a recording cannot reach it, and recurrent layers get the
    lengths as a mask: a padded batch gives what each recording gives alone. Without `bidirectional` the network can be
    fed a recording in chunks of any multiple of `frame_samples`, passing the state on; the logits are the same.

    With `self_conditioning` every layer but the last drafts labels too, through the one output layer, and the next
    layer sees the draft: labels of CTC do not know of each other, and so learn to (Nozaki and Komatsu 2021,
    https://arxiv.org/abs/2104.02724). The first may draft phonemes in their place (Krishna et al. 2018,
    https://arxiv.org/abs/1807.06234): one spelling stands for many sounds, which few recordings do not teach.

    Args:
        features: rates and sizes of the features.
        network: sizes of the network.
        augmentation: masks drawn over the features in training.
        alphabet: the characters that labels 1, 2, … stand for; label 0 is the CTC blank.
        phonemes: the symbols that labels 1, 2, … of the first draft stand for; none: it has the labels of the others.
        seed: of weights, dropout and masks.
    """

    def __init__(
        self,
        features: FeatureConfiguration,
        network: NetworkConfiguration,
        augmentation: SpecAugmentConfiguration,
        alphabet: tuple[str, ...],
        phonemes: tuple[str, ...] = (),
        seed: int = 0,
    ) -> None:
        # In mixed precision the layers work in bfloat16; the audio and its spectrum need all of float32.
        super().__init__(name="recogniser", autocast=False)
        self.alphabet, self.phonemes = alphabet, phonemes
        self.features, self.network = features, network
        self.log_mel = LogMel(features)
        self.mean = self.add_weight(shape=(features.mel_bands,), initializer="zeros", name="mean", trainable=False)
        self.deviation = self.add_weight(
            shape=(features.mel_bands,), initializer="ones", name="deviation", trainable=False
        )
        keras.utils.set_random_seed(seed)
        self.spec_augment = SpecAugment(augmentation, seed=seed)
        self.convolutions = [
            keras.layers.Conv2D(
                network.filters, KERNEL, STRIDE, "valid", activation="relu", name=f"convolution_{index}"
            )
            for index in range(network.subsampling.bit_length() - 1)
        ]
        self.projection = keras.layers.Dense(2 * network.units, name="projection")
        self.recurrent = [self._recurrent_layer(index) for index in range(network.layers)]
        self.norms = [keras.layers.LayerNormalization(name=f"norm_{index}") for index in range(network.layers + 1)]
        self.dropouts = [
            keras.layers.SpatialDropout1D(network.dropout, seed=seed + index) for index in range(network.layers + 1)
        ]
        self.output_layer = keras.layers.Dense(len(alphabet) + 1, dtype="float32", name="labels")
        self.phoneme_layer = (
            keras.layers.Dense(len(phonemes) + 1, dtype="float32", name="phonemes") if phonemes else None
        )
        width = network.units * (2 if network.bidirectional else 1)
        drafts = network.layers - 1 if network.self_conditioning else 0
        self.conditioners = [keras.layers.Dense(width, name=f"conditioner_{index}") for index in range(drafts)]

    def _recurrent_layer(self, index: int) -> keras.Layer:
        layer = LAYERS[self.network.recurrent](
            self.network.units,
            return_sequences=True,
            return_state=True,
            # No seed of its own, which both directions would share: theirs follow from that of the network.
            recurrent_dropout=self.network.recurrent_dropout,
            name=f"recurrent_{index}",
        )
        return keras.layers.Bidirectional(layer, name=f"recurrent_{index}") if self.network.bidirectional else layer

    def label_frames(self, samples: Any) -> Any:
        """Frames of labels that `samples` of audio give."""
        return samples // self.frame_samples

    def adapt(self, audio: Iterable[tf.Tensor]) -> None:
        """Fits the mean and deviation of each mel band on recordings (samples,): those of the training split alone."""
        frames, total, squares = 0.0, 0.0, 0.0
        for recording in audio:
            features = tf.cast(self.log_mel(recording[tf.newaxis])[0], tf.float64)  # (frames, mel bands)
            frames += features.shape[0]
            total, squares = total + tf.reduce_sum(features, 0), squares + tf.reduce_sum(features**2, 0)
        mean = total / frames
        self.mean.assign(tf.cast(mean, tf.float32))
        self.deviation.assign(tf.cast(tf.sqrt(squares / frames - mean**2 + 1e-6), tf.float32))

    def call(self, audio: tf.Tensor, lengths: tf.Tensor, state: Any = None, training: bool = False) -> Transcription:
        """Returns logits of audio (batch, samples) of which `lengths` (batch,) samples count, after `state`."""
        if state is None:
            state = self.initial_state(tf.shape(audio)[0])
        frame_lengths = tf.cast(self.label_frames(lengths), tf.int32)
        # At least one frame, so that the shortest recording has a shape to work on; its length says that none counts.
        audio = tf.pad(audio, [[0, 0], [0, tf.maximum(0, self.frame_samples - tf.shape(audio)[1])]])
        features = (self.log_mel(audio, state["audio"]) - self.mean) / self.deviation
        features = self.spec_augment(features, lengths // self.features.hop, training=training)
        hidden, convolution_states = self._subsample(features[..., tf.newaxis], state["convolutions"])
        hidden = self.norms[0](self.projection(hidden))
        mask = tf.sequence_mask(frame_lengths, tf.shape(hidden)[1])
        recurrent_states, drafts = [], []
        for index, layer in enumerate(self.recurrent):
            hidden = self.dropouts[index](hidden, training=training)
            initial = state["recurrent"][index] or None
            hidden, *last = layer(hidden, initial_state=initial, mask=mask, training=training)
            hidden = self.norms[index + 1](hidden)
            recurrent_states.append(last)
            if index < len(self.conditioners):
                drafting = self.phoneme_layer if self.phoneme_layer and index == 0 else self.output_layer
                drafts.append(drafting(hidden))
                hidden += self.conditioners[index](tf.nn.softmax(drafts[-1]))
        logits = self.output_layer(self.dropouts[-1](hidden, training=training))
        remembered = tf.concat([state["audio"], audio], axis=1)[:, -self.features.context :]
        new_state = {"audio": remembered, "convolutions": convolution_states, "recurrent": recurrent_states}
        return Transcription(logits, frame_lengths, new_state, tuple(drafts))

    @tf.function(
        input_signature=(tf.TensorSpec((None, None), tf.float32), tf.TensorSpec((None,), tf.int32)), autograph=False
    )
    def read(self, audio: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns logits, lengths and greedy text (batch,) of whole recordings; traced once, then fast."""
        logits, frames, *_ = self(audio, lengths)
        return logits, frames, greedy_decode(logits, frames, self.alphabet, self.frame_seconds).text

    def _subsample(self, hidden: tf.Tensor, contexts: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Convolutions over (batch, frames, bands, channels), each preceded by the frame that came before."""
        states = []
        for convolution, context in zip(self.convolutions, contexts, strict=True):
            joined = tf.concat([context, hidden], axis=1)
            states.append(hidden[:, -(KERNEL - STRIDE) :])
            hidden = convolution(tf.pad(joined, [[0, 0], [0, 0], [1, 1], [0, 0]]))
        shape = tf.shape(hidden)
        return tf.reshape(hidden, (shape[0], shape[1], hidden.shape[2] * hidden.shape[3])), states

    def initial_state(self, batch: Any) -> dict[str, Any]:
        """The state before the first sample: silence, and recurrent states of zero."""
        bands, channels, convolutions = self.features.mel_bands, 1, []
        for _ in self.convolutions:
            convolutions.append(tf.zeros((batch, KERNEL - STRIDE, bands, channels), self.compute_dtype))
            bands, channels = (bands + 2 - KERNEL) // STRIDE + 1, self.network.filters
        recurrent: list[list[tf.Tensor]] = [[] for _ in self.recurrent]
        if not self.network.bidirectional:
            states = 2 if self.network.recurrent == "lstm" else 1
            zeros = tf.zeros((batch, self.network.units), self.compute_dtype)
            recurrent = [[zeros] * states for _ in self.recurrent]
        audio = tf.zeros((batch, self.features.context), tf.float32)
        return {"audio": audio, "convolutions": convolutions, "recurrent": recurrent}


def build(configuration: SpeechConfiguration, alphabet: Sequence[str], phonemes: Sequence[str] = ()) -> Recogniser:
    """Returns an untrained recogniser, its weights made."""
    recogniser = Recogniser(
        configuration.features,
        configuration.network,
        configuration.spec_augment,
        tuple(alphabet),
        tuple(phonemes),
        configuration.seed,
    )
    return built(recogniser, tf.zeros((1, recogniser.frame_samples)), tf.constant([recogniser.frame_samples]))


def load_model(run: Run) -> Recogniser:
    """Returns the recogniser of a finished run, with its trained weights.

    Raises:
        RunError: the run was not trained to its end, or its weights do not fit the recogniser.
    """
    return trained_model(run, run.read_configuration(SpeechConfiguration), build, ALPHABET, "alphabet")


def alphabet_of_run(run: Run) -> tuple[str, ...]:
    """Returns the characters that labels 1, 2, … of a run's recogniser stand for."""
    return tuple(description_of(run, ALPHABET, "alphabet")["alphabet"])

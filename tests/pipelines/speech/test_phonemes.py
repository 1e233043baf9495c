"""Phonemes: their symbols, their labels in batches, and the layer that reads them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models.losses import ctc_loss
from pipelines.configuration import ConfigurationError
from pipelines.runs import Run
from pipelines.speech import data, train
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.model import build
from pipelines.speech.phonemes import pronounced, symbols_of

NETWORK = {"layers": 3, "self_conditioning": True, "phonemes": "en"}


@pytest.mark.parametrize(
    ("language", "text", "same"), [("en", "knight", "night"), ("cs", "byl", "bil"), ("de", "das", "dass")]
)
def test_words_that_sound_the_same_have_the_same_phonemes(language: str, text: str, same: str) -> None:
    both = pronounced([text, same, text], language)
    assert list(both) == [text, same]
    assert both[text] == both[same] != ""


@pytest.mark.parametrize(
    ("language", "voice"),
    [("en", "en-us"), ("en-GB", "en-gb"), ("fr", "fr-fr"), ("pt-BR", "pt-br"), ("zh", "cmn")],
)
def test_a_language_has_the_voice_of_its_territory_or_of_most_speakers(language: str, voice: str) -> None:
    text = "four hard letters, garage"
    found = "".join(pronounced([text], language)[text].split())  # which says where the library is
    from phonemizer.backend import EspeakBackend

    spoken = EspeakBackend(voice, language_switch="remove-flags").phonemize([text], strip=True)[0]
    assert found == spoken.replace(" ", "|")


def test_language_that_is_not_spoken_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"network\.phonemes: .*cs, .*Received: 'km'"):
        pronounced(["a"], "km")


@pytest.mark.parametrize("missing", [{"layers": 1}, {"self_conditioning": False}])
def test_phonemes_that_no_layer_could_use_are_refused(missing: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"phonemes.*two layers or more"):
        SpeechConfiguration(network=NETWORK | missing)


def test_first_draft_learns_phonemes_and_the_others_letters(
    corpus: Path, configure: Callable[..., SpeechConfiguration]
) -> None:
    configuration = configure(corpus, network=NETWORK)
    speech, recogniser, description, *_ = train.prepare(configuration)
    texts = {utterance.text for utterance in speech.utterances["train"]}
    pronunciations = data.pronunciations_of(speech, "en")
    assert pronunciations.keys() == texts
    assert description["phonemes"] == symbols_of(pronunciations) == recogniser.phonemes

    stream = data.training_batches(
        speech, configuration.data, configuration.augmentation, 8000, 0, 0, 1, pronunciations
    )
    batch = next(iter(stream))
    symbols, alphabet = ("", *recogniser.phonemes), ("", *recogniser.alphabet)
    for letters, phonemes, length in zip(batch["labels"], batch["phonemes"], batch["phoneme_lengths"], strict=True):
        text = "".join(alphabet[letter] for letter in letters)
        assert " ".join(symbols[phoneme] for phoneme in phonemes[:length]) == pronunciations[text]

    read = recogniser(batch["audio"], batch["audio_lengths"])
    assert [draft.shape[-1] for draft in read.drafts] == [len(symbols), len(alphabet)]

    def loss(logits: tf.Tensor, labels: str, lengths: str) -> float:
        return float(tf.reduce_mean(ctc_loss(logits, read.lengths, batch[labels], batch[lengths])))

    drafts = loss(read.drafts[0], "phonemes", "phoneme_lengths"), loss(read.drafts[1], "labels", "label_lengths")
    expected = (loss(read.logits, "labels", "label_lengths") + sum(drafts) / 2) / 2
    np.testing.assert_allclose(train.batch_loss(recogniser, batch, training=False), expected, rtol=1e-5)


def test_phonemes_of_another_language_are_taken_by_name(
    corpus: Path, configure: Callable[..., SpeechConfiguration], tmp_path: Path
) -> None:
    from pipelines.preparation import prepared

    first = Run.create("speech", "first", configuration := configure(corpus, network=NETWORK), tmp_path)
    _, before = prepared(first, configuration, train.prepare)
    before.save_weights(first.folder / "model.weights.h5")
    first.finish()
    configuration = configuration.replace(network={"phonemes": "cs"}, initialise=first.folder)
    _, after = prepared(Run.create("speech", "second", configuration, tmp_path), configuration, train.prepare)
    assert before.phonemes != after.phonemes
    shared = sorted({*before.phonemes} & {*after.phonemes})
    assert shared
    assert {*after.phonemes} - {*before.phonemes}
    for symbol in shared:
        there, here = (network.phonemes.index(symbol) + 1 for network in (before, after))
        np.testing.assert_array_equal(after.phoneme_layer.kernel[:, here], before.phoneme_layer.kernel[:, there])
        np.testing.assert_array_equal(after.conditioners[0].kernel[here], before.conditioners[0].kernel[there])


def test_network_without_phonemes_is_as_before() -> None:
    configuration = SpeechConfiguration(network=NETWORK | {"phonemes": ""})
    plain = build(configuration, (" ", "a"))
    assert not plain.phonemes
    assert [variable.path for variable in plain.variables if "phonemes" in variable.path] == []

"""Balancing the network and the language model, on the validation split."""

from functools import cache

from models.decoding import CharacterLanguageModel
from pipelines.speech import data
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.decoder import Decoder
from pipelines.speech.model import Recogniser
from pipelines.speech.scoring import error_rates
from pipelines.speech.texts import own_texts
from pipelines.speech.trained import transcribe_split

LANGUAGE_MODEL_WEIGHTS = (0.2, 0.4, 0.6, 0.8, 1.0)
INSERTION_BONUSES = (0.0, 0.5, 1.0, 1.5)
TUNING_BEAM_WIDTH = 12  # narrower than in use, and much faster: candidates are compared, not read
TUNING_SECONDS = 300.0  # of validation audio, spread over the split: bounds the time however long it is


def fit_decoder(configuration: SpeechConfiguration, speech: data.Speech, recogniser: Recogniser) -> Decoder:
    """Returns a decoder: a language model of the training texts, its weight and bonus chosen on the validation split.

    The weight and the bonus are improved in turns, each over all its values, until neither changes.
    """
    texts, weights = data.language_model_texts(speech, configuration.decoding.transcript_weight)
    own = own_texts(configuration.decoding.texts, configuration.data, speech).sentences
    texts, weights = [*texts, *own], [*weights, *[1.0] * len(own)]
    language_model = CharacterLanguageModel(configuration.decoding.language_model_order).fit(
        texts, weights, speech.alphabet
    )
    utterances = speech.utterances["validation"]
    seconds = sum(utterance.samples for utterance in utterances) / configuration.features.sample_rate
    chosen = data.keys_of(utterances[:: max(1, round(seconds / TUNING_SECONDS))])
    recordings = [
        (recording.text, recording.logits)
        for recording in transcribe_split(recogniser, speech.source, "validation", chosen)
    ]
    references = [text for text, _ in recordings]
    beam_width = configuration.decoding.beam_width

    @cache
    def error(weight: float, bonus: float) -> float:
        """Word plus character error rate; each point of the grid is decoded once at most."""
        decoder = Decoder(language_model, weight, bonus, min(beam_width, TUNING_BEAM_WIDTH))
        texts = [decoder(logits, speech.alphabet, configuration.frame_seconds)[0].text for _, logits in recordings]
        return sum(metric.value for metric in error_rates(references, texts).values())

    weight, bonus, before = LANGUAGE_MODEL_WEIGHTS[2], INSERTION_BONUSES[1], None
    while before != (weight, bonus):
        before = weight, bonus
        weight = min(LANGUAGE_MODEL_WEIGHTS, key=lambda candidate: error(candidate, bonus))
        bonus = min(INSERTION_BONUSES, key=lambda candidate: error(weight, candidate))
    return Decoder(language_model, weight, bonus, beam_width)

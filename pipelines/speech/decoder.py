"""From logits to text: a beam search with a language model, which the validation split balances; `decoder.json`."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from models.decoding import BackOffModel, CharacterLanguageModel, Hypothesis, PrefixSearch, beam_decode
from pipelines.runs import Run
from pipelines.speech import data
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.language_models import language_models, report_own_words
from pipelines.speech.model import Recogniser
from pipelines.speech.readings import transcribe_split
from pipelines.speech.scoring import error_rates

DECODER = "decoder.json"
KINDS: tuple[type[CharacterLanguageModel | BackOffModel], ...] = (CharacterLanguageModel, BackOffModel)
LANGUAGE_MODEL_WEIGHTS = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2)
INSERTION_BONUSES = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5)
DECODER_OF_TRAINING = "decoder-of-training.json"
TUNING_BEAM_WIDTH = 12  # narrower than in use, and much faster: candidates are compared, not read
TUNING_SECONDS = 300.0  # of validation audio, spread over the split: bounds the time however long it is


class Decoder(NamedTuple):
    """Beam search with a language model, and the two numbers that balance them, chosen on the validation split."""

    language_model: CharacterLanguageModel | BackOffModel | None
    language_model_weight: float
    insertion_bonus: float
    beam_width: int

    def __call__(
        self,
        logits: np.ndarray,
        alphabet: Sequence[str],
        frame_seconds: float,
        n_best: int = 1,
        hot_words: Mapping[str, float] | None = None,
    ) -> list[Hypothesis]:
        """Returns the best readings of logits (frames, labels), at most `n_best`, best first."""
        return beam_decode(
            tf.nn.log_softmax(logits).numpy(),
            alphabet,
            frame_seconds,
            beam_width=self.beam_width,
            language_model=self.language_model,
            language_model_weight=self.language_model_weight,
            insertion_bonus=self.insertion_bonus,
            hypotheses=n_best,
            hot_words=hot_words,
        )

    def search(self, alphabet: Sequence[str]) -> PrefixSearch:
        """Returns the same search for a graph."""
        table = None if self.language_model is None else self.language_model.back_off_table()
        return PrefixSearch(alphabet, table, self.language_model_weight, self.insertion_bonus, self.beam_width)


def save_decoder(run: Run, decoder: Decoder) -> None:
    """Writes `decoder.json`."""
    language_model = None if decoder.language_model is None else decoder.language_model.to_dict()
    run.write_json(DECODER, decoder._asdict() | {"language_model": language_model})


def load_decoder(run: Run) -> Decoder:
    """Returns the decoder that `decoder.json` describes."""
    values = run.read_json(DECODER)
    language_model = values.pop("language_model")
    kinds = {kind.__name__: kind for kind in KINDS}
    return Decoder(language_model and kinds[language_model["kind"]].from_dict(language_model), **values)


def refit_decoder(run: Run, configuration: SpeechConfiguration, speech: data.Speech, recogniser: Recogniser) -> None:
    """Gives a finished run another decoder; the one that its training chose stays beside it."""
    report_own_words(configuration, speech)
    found, kept = fit_decoder(configuration, speech, recogniser), run.folder / DECODER_OF_TRAINING
    if not kept.exists():
        run.write_json(DECODER_OF_TRAINING, run.read_json(DECODER))
    save_decoder(run, found)
    run.write_configuration(configuration)
    print(f"The run has another language model. That of its training is in {kept}.")


def fit_decoder(configuration: SpeechConfiguration, speech: data.Speech, recogniser: Recogniser) -> Decoder:
    """Returns a decoder: a language model, its weight and bonus, those that err least on the validation split.

    The weight and the bonus are improved in turns, each over all its values, until neither changes.
    """
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
    def error(decoder: Decoder) -> float:
        """Word plus character error rate; each decoder is tried once at most."""
        narrow = decoder._replace(beam_width=min(beam_width, TUNING_BEAM_WIDTH))
        texts = [narrow(logits, speech.alphabet, configuration.frame_seconds)[0].text for _, logits in recordings]
        return sum(metric.value for metric in error_rates(references, texts).values())

    found = []
    for language_model in language_models(configuration, speech):
        best, before = Decoder(language_model, LANGUAGE_MODEL_WEIGHTS[2], INSERTION_BONUSES[2], beam_width), None
        while before != best:
            before = best
            by_weight = [best._replace(language_model_weight=weight) for weight in LANGUAGE_MODEL_WEIGHTS]
            best = min(by_weight, key=error)
            best = min([best._replace(insertion_bonus=bonus) for bonus in INSERTION_BONUSES], key=error)
        found.append(best)
    return min(found, key=error)

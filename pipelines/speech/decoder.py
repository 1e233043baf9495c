"""From logits to text: a beam search with a language model, as `decoder.json` of a run describes it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from models.decoding import BackOffModel, CharacterLanguageModel, Hypothesis, PrefixSearch, beam_decode
from pipelines.runs import Run

DECODER = "decoder.json"
KINDS: tuple[type[CharacterLanguageModel | BackOffModel], ...] = (CharacterLanguageModel, BackOffModel)


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

"""Translates texts: a trained translator, from its run or its export."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipelines.arguments import checked, in_range
from pipelines.nlp.texts import batches_by_length, checked_texts
from pipelines.nlp.translation.config import TranslationConfiguration
from pipelines.nlp.translation.serving import signatures
from pipelines.nlp.translation.trained import load_model
from pipelines.runs import Run
from pipelines.served import Served

EXAMPLE = ("translate", "TEXT", '"In the beginning"')


class Translation(NamedTuple):
    """The translation of a text.

    Attributes:
        text: the translation; empty for a text without words.
        score: log P / ((5 + n) / 6) ^ length_exponent, with n the subwords of the translation and its end; the higher,
            the surer.
    """

    text: str
    score: float


class Attention(NamedTuple):
    """The weights of the attention while a translation is written.

    Attributes:
        weights: float32 (target, source); each row adds up to 1.
        source: the subwords of the text; the last one is its end, "".
        target: the subwords of the translation; the last one is its end, "".
    """

    weights: np.ndarray
    source: list[str]
    target: list[str]


class Predictor:
    """Translates texts; stays ready for more.

    Args:
        run: what the network was trained for.
        model: its signatures.

    Attributes:
        run: the run.
        languages: codes of the languages, the one that is translated first.
        beam_width: hypotheses kept at each step of a search, unless `translate` is given another number.
    """

    def __init__(self, run: Run, model: Served) -> None:
        configuration = run.read_configuration(TranslationConfiguration)
        self.run = run
        self.languages = configuration.data.languages
        self.beam_width = configuration.search.beam_width
        self._served = model

    @checked
    def translate(self, texts: str | Iterable[str], beam_width: int | None = None) -> Translation | list[Translation]:
        """Returns the translation of a text, or those of several.

        Args:
            texts: one, a sentence or a verse; or any number of them, such as a list or a pandas column. Those of
                similar length are translated at once.
            beam_width: hypotheses kept at each step; 1 is greedy. Default: the configured number.

        Raises:
            ConfigurationError: one of them is not a string of UTF-8, or the beam width is less than 1.
        """
        if isinstance(texts, str):
            return self.translate_all([texts], beam_width)[0]
        return self.translate_all(list(texts), beam_width)

    def translate_all(self, texts: Sequence[str], beam_width: int | None = None) -> list[Translation]:
        """Returns the translation of each of several texts, as `translate` does."""
        texts = checked_texts(texts)
        if beam_width is not None:
            in_range("beam_width", beam_width, 1)
        name = "serving_default" if beam_width in (None, self.beam_width) else "beam_search"
        translations = [Translation("", 0.0)] * len(texts)
        for places in batches_by_length(texts):
            width = {} if name == "serving_default" else {"beam_width": [beam_width] * len(places)}
            answer = self._served(name, text=[texts[place] for place in places], **width)
            for place, text, score in zip(places, answer["translation"], answer["score"], strict=True):
                translations[place] = Translation(text.decode(), float(score))
        return translations

    def answers(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """Returns the answers as JSON holds them."""
        return [{"translation": each.text, "score": each.score} for each in self.translate_all(texts)]

    @checked
    def attention(self, text: str, translation: str) -> Attention:
        """Returns what the network attends to in a text while it writes a translation.

        Args:
            text: what is translated.
            translation: any; usually the network's own.

        Raises:
            ConfigurationError: one of them is not a string of UTF-8.
        """
        checked_texts([text, translation])
        answer = self._served("attention", text=[text], translation=[translation])
        source, target = ([piece.decode() for piece in answer[side][0]] for side in ("source", "target"))
        return Attention(answer["weights"][0], source, target)


def load(run: Run) -> Predictor:
    """Returns the predictor of a finished run."""
    search = run.read_configuration(TranslationConfiguration).search
    return Predictor(run, Served(signatures(load_model(run), search)))

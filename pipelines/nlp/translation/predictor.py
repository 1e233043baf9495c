"""Translates texts: a trained translator, from its run or its export."""

import heapq
import re
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import Any, NamedTuple

import numpy as np

from pipelines.arguments import checked, in_range
from pipelines.configuration import ConfigurationError
from pipelines.nlp.batches import by_length
from pipelines.nlp.texts import SPACELESS, checked_texts, count_words
from pipelines.nlp.translation.config import TranslationConfiguration
from pipelines.nlp.translation.kept import missing, plain, restored, to_keep
from pipelines.nlp.translation.model import load_model
from pipelines.nlp.translation.serving import signatures
from pipelines.predictors import BasePredictor
from pipelines.runs import Run
from pipelines.served import Served

# Signs of any script end sentences.
_SENTENCE = re.compile(r".+?(?:[.!?…]+[\"'»”’)]*\s+|[\u3002\uff01\uff1f]\s*|\n+|$)", re.DOTALL)
_CLAUSE = re.compile(r".+?(?:[,;:]\s+|[\u3001\uff0c\uff1b]|$)", re.DOTALL)
LONG = 40  # characters that are more than a word, such as an address or a line of dashes
_WORDS = re.compile(rf"(?:{SPACELESS}|(?:(?!{SPACELESS})\S){{1,{10 * LONG}}})\s*|^\s+")
EXAMPLE = ("translate", "TEXT", '"In the beginning"')


class Translation(NamedTuple):
    """The translation of a text.

    Attributes:
        text: the translation; empty for a text without words.
        score: (log P + coverage_penalty · c) / ((5 + n) / 6) ^ length_exponent, with n the subwords of the translation
            and its end, and c as of `Translator.translate`; the higher, the surer.
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


def divided(text: str, maximum_words: int) -> list[tuple[str, str]]:
    """Returns the sentences of a long text, each with what is between it and the next; a short one as it is.

    Sentences go together up to so many words. One that is longer itself is cut, at a comma if it has one. Of what has
    no spaces, 40 characters count as a word, and 400 are cut off.

    Example:
        >>> divided("One two. Three! Four five six seven", 3)
        [('One two. Three!', ' '), ('Four five six', ' '), ('seven', '')]
    """

    def fits(text: str) -> bool:
        return count_words(text) <= maximum_words and len(text) <= LONG * maximum_words

    if fits(text):
        return [(text, "")]
    parts: list[tuple[str, str]] = []
    for sentence in _SENTENCE.findall(text):
        pieces = [sentence] if fits(sentence) else _CLAUSE.findall(sentence)
        for piece in pieces:
            for part in _cut(_WORDS.findall(piece), maximum_words):
                body = part.rstrip()
                last = parts[-1] if parts else ("", "")
                if parts and "\n" not in last[1] and fits(f"{last[0]} {body}"):
                    parts[-1] = (last[0] + last[1] + body, part[len(body) :])
                else:
                    parts.append((body, part[len(body) :]))
    return parts


def _cut(words: Sequence[str], maximum_words: int) -> Iterator[str]:
    """Yields words joined, so many at most; a long one counts as several."""
    some, size = "", 0
    for word in words:
        weight = 1 + len(word) // LONG
        if some and size + weight > maximum_words:
            yield some
            some, size = "", 0
        some, size = some + word, size + weight
    yield some


def joined(parts: Sequence[tuple[Translation, str]]) -> Translation:
    """Returns the translation of a text from those of its sentences; its score is their mean."""
    text = "".join(each.text + between for each, between in parts).strip()
    return Translation(text, float(np.mean([each.score for each, _ in parts])))


def combined(parts: Sequence[tuple[Sequence[Translation], str]], n_best: int) -> list[Translation]:
    """Returns the best translations of a text from several of each of its sentences, as `joined` joins them.

    Example:
        >>> first = [Translation("a", -1.0), Translation("b", -2.0)], " "
        >>> [each.text for each in combined([first, ([Translation("c", 0.0), Translation("d", -3.0)], "")], 3)]
        ['a c', 'b c', 'a d']
    """
    paths: list[tuple[float, list[tuple[Translation, str]]]] = [(0.0, [])]  # sum of the scores, and the translations
    for found, between in parts:
        grown = [(score + each.score, path, each) for score, path in paths for each in found]
        best = heapq.nlargest(n_best, grown, key=lambda each: each[0])
        paths = [(score, [*path, (each, between)]) for score, path, each in best]
    return _best([joined(path) for _, path in paths], n_best)


def _best(found: Sequence[Translation], n_best: int) -> list[Translation]:
    distinct = {each.text: each for each in reversed(found)}  # other subwords may spell the same
    return sorted(distinct.values(), key=lambda each: -each.score)[:n_best]


class Predictor(BasePredictor):
    """Translates texts; stays ready for more.

    Attributes:
        run: the run.
        languages: codes of the languages, the one that is translated first.
        beam_width: hypotheses kept at each step of a search, unless `translate` is given another number.
        maximum_words: of a text that is translated at once; a longer one is divided.
    """

    def __init__(self, run: Run, model: Served) -> None:
        super().__init__(run, model)
        configuration = run.read_configuration(TranslationConfiguration)
        self.languages = configuration.data.languages
        self.beam_width = configuration.search.beam_width
        self.maximum_words = max(20, configuration.data.maximum_subwords // 2)

    @checked
    def translate(
        self,
        texts: str | Iterable[str],
        beam_width: int | None = None,
        keep: str | Iterable[str] | Set[str] = (),
        placeholders: bool = True,
    ) -> Translation | list[Translation]:
        """Returns the translation of a text, or those of several.

        A text that is longer than what the network learned from is divided into sentences.

        Args:
            texts: one; or any number of them, such as a list or a pandas column. Those of similar length are translated
                at once.
            beam_width: hypotheses kept at each step; 1 is greedy. Default: the configured number.
            keep: terms that stay as they are.
            placeholders: whether placeholders, tags, addresses, paths and numbers stay as they are, too; see `to_keep`.

        Raises:
            ConfigurationError: one of them is not a string of UTF-8, or the beam width is less than 1.
        """
        several = [texts] if isinstance(texts, str) else list(texts)
        found = self.translate_all(several, beam_width, [keep] if isinstance(keep, str) else list(keep), placeholders)
        return found[0] if isinstance(texts, str) else found

    def translate_all(
        self, texts: Sequence[str], beam_width: int | None = None, keep: Sequence[str] = (), placeholders: bool = True
    ) -> list[Translation]:
        """Returns the translation of each of several texts, as `translate` does."""
        parts = [divided(text, self.maximum_words) for text in checked_texts(texts)]
        sentences = [sentence for each in parts for sentence, _ in each]
        translated = iter(self._kept(sentences, self._search(sentences, beam_width), checked_texts(keep), placeholders))
        return [joined([(next(translated), between) for _, between in each]) for each in parts]

    @checked
    def alternatives(
        self,
        texts: str | Iterable[str],
        n_best: int,
        beam_width: int | None = None,
        keep: str | Iterable[str] | Set[str] = (),
        placeholders: bool = True,
    ) -> list[Translation] | list[list[Translation]]:
        """Returns several different translations of a text, or of each of several, the best first.

        A long text is divided, as `translate` does; the best combinations of its sentences' translations are returned.

        Args:
            texts: one, or any number of them.
            n_best: translations at most.
            beam_width: hypotheses kept at each step, `n_best` at least. Default: the configured number, or `n_best`.
            keep: as of `translate`.
            placeholders: as of `translate`.

        Raises:
            ConfigurationError: one of them is not a string of UTF-8, or a number is too small.
        """
        several = [texts] if isinstance(texts, str) else list(texts)
        kept = [keep] if isinstance(keep, str) else list(keep)
        found = self.alternatives_all(several, n_best, beam_width, kept, placeholders)
        return found[0] if isinstance(texts, str) else found

    def alternatives_all(
        self,
        texts: Sequence[str],
        n_best: int,
        beam_width: int | None = None,
        keep: Sequence[str] = (),
        placeholders: bool = True,
    ) -> list[list[Translation]]:
        """Returns several translations of each of several texts, as `alternatives` does."""
        parts = [divided(text, self.maximum_words) for text in checked_texts(texts)]
        keep = checked_texts(keep)
        beam_width = max(self.beam_width, n_best) if beam_width is None else beam_width
        if not 1 <= n_best <= beam_width:
            raise ConfigurationError(
                "A search finds as many translations as it keeps hypotheses. Expected 1 <= n_best <= beam_width. "
                f"Correct one. Received: n_best {n_best} and beam_width {beam_width}"
            )

        def translations(batch: list[str]) -> Iterator[list[Translation]]:
            answer = self._served("beam_search", text=batch, beam_width=[beam_width] * len(batch))
            if "translations" not in answer:
                raise ConfigurationError(
                    "The export is older than n_best. Expected one that has it. Export the run again. Received: "
                    f"{', '.join(answer)}"
                )
            for text, lines, scores in zip(batch, answer["translations"], answer["scores"], strict=True):
                pairs = zip(lines, map(float, scores), strict=True)
                each = [Translation(line.decode(), score) for line, score in pairs if np.isfinite(score)]
                yield _best(self._kept([text] * len(each), each, keep, placeholders), n_best)

        found = iter(by_length([sentence for each in parts for sentence, _ in each], translations))
        return [combined([(next(found), between) for _, between in each], n_best) for each in parts]

    def _kept(
        self, texts: Sequence[str], found: list[Translation], terms: Sequence[str], placeholders: bool
    ) -> list[Translation]:
        terms = [plain(term) for term in terms]
        for place, (text, each) in enumerate(zip(map(plain, texts), found, strict=True)):
            kept = to_keep(text, terms, placeholders)
            if missing(kept, each.text):
                weights, *pieces = self.attention(text, each.text)
                found[place] = each._replace(text=restored(text, each.text, kept, weights, (pieces[0], pieces[1])))
        return found

    def _search(self, texts: Sequence[str], beam_width: int | None) -> list[Translation]:
        if beam_width is not None:
            in_range("beam_width", beam_width, 1)
        name = "serving_default" if beam_width in (None, self.beam_width) else "beam_search"

        def translations(batch: list[str]) -> Iterator[Translation]:
            width = {} if name == "serving_default" else {"beam_width": [beam_width] * len(batch)}
            answer = self._served(name, text=batch, **width)
            for text, score in zip(answer["translation"], answer["score"], strict=True):
                yield Translation(text.decode(), float(score))

        return by_length(texts, translations)

    def answers(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """Returns the answers as JSON holds them."""
        return [{"translation": each.text, "score": each.score} for each in self.translate_all(texts)]

    @checked
    def attention(self, text: str, translation: str) -> Attention:
        """Returns what the network attends to in a text while it writes a translation.

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

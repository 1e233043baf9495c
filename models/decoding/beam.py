"""Prefix beam search for connectionist temporal classification, with a character language model."""

import math
from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappush, heapreplace, nlargest
from typing import Any, NamedTuple, Protocol

import numpy as np

from models.decoding.alignment import Word, aligned_words
from models.decoding.hot_words import HotWords
from models.decoding.prefix_tree import Prefix, settle

END = ""  # stands for the end of the text
SETTLED_EVERY = 256  # frames between two looks at what has been settled


class LanguageModel(Protocol):
    """What the search asks a language model: such as `CharacterLanguageModel` or `BackOffModel`."""

    @property
    def start(self) -> Any:
        """The state at the beginning of a text."""

    def step(self, state: Any, character: str, /) -> tuple[float, Any]:
        """Returns the logarithm of the probability of a character, "" for the end of the text, and the state after.

        Probabilities are in nats, and a state is whatever the model remembers of the text so far.
        """


class Hypothesis(NamedTuple):
    """One reading of a sequence.

    Attributes:
        text: the words joined by one space.
        score: logarithm of the probability of the text given the sequence, in nats, with the language model's
            share (see `beam_decode`).
        confidence: the share of this text in the probability of all texts in the final beam.
        words: the words of the best alignment of the text. A word starts with the first frame of its first
            character and ends with the last frame of its last; its confidence is the geometric mean over
            its characters of the probability of each at its best frame, as in `greedy_decode`.
    """

    text: str
    score: float
    confidence: float
    words: list[Word]


def beam_decode(
    log_probabilities: np.ndarray,
    alphabet: Sequence[str],
    frame_seconds: float,
    beam_width: int = 32,
    language_model: LanguageModel | None = None,
    language_model_weight: float = 0.5,
    insertion_bonus: float = 0.0,
    prune: float = -7.0,
    hypotheses: int = 1,
    hot_words: Mapping[str, float] | None = None,
) -> list[Hypothesis]:
    """Search the most probable texts: those whose alignments together have the highest probability.

    The score of a labelling y of the frames x, with c_1 … c_n its characters, weight w and bonus b, is

        score(y) = log P_ctc(y | x) + w (sum_i log P_lm(c_i | c_1 … c_i-1) + log P_lm(END | y)) + b n

    The search extends prefixes frame by frame. Each keeps two probabilities, of its alignments that end in a
    blank and of those that end in its last character, because only after a blank the same character may
    follow as a new one. After each frame the best `beam_width` prefixes stay. Labellings that differ in
    superfluous spaces only are one text; their probabilities are added.

    Wide beams without pruning are exact. A narrow one may lose a text whose beginning looks poor; a prefix
    already in the beam is always continued exactly.

    References: Graves, "Sequence transduction with recurrent neural networks", 2012, section 2.5; Hannun,
    Maas, Jurafsky, Ng, "First-pass large vocabulary continuous speech recognition using bi-directional
    recurrent DNNs", 2014.

    Args:
        log_probabilities: (time, labels), one sequence of true length, normalised (log softmax); label 0
            is the blank.
        alphabet: the characters; label i + 1 is `alphabet[i]`. " ", if there, separates words.
        frame_seconds: the duration of a frame.
        beam_width: prefixes that stay after each frame.
        language_model: scores every character and the end of the text; it must know the whole alphabet.
        language_model_weight: w, at least 0.
        insertion_bonus: b, in nats a character: makes up for a language model's taste for short texts.
        prune: a label less probable than this in a frame, in nats, begins no new prefix there. In most
            frames the blank leaves nothing above it, and the search only steps on.
        hypotheses: how many texts to return at most.
        hot_words: words or phrases that are likelier than the language model knows, each with the nats, above 0, that
            it adds to the score wherever it stands as a whole.

    Returns:
        The best texts, best first; at least one.

    Raises:
        ValueError: when the shapes do not match, the probabilities are not normalised, or a setting is out of
            range.

    Example:
        Greedy decoding reads "" here (0.6 · 0.6 = 0.36), but "a" has three alignments (0.64).

        >>> import numpy as np
        >>> from models.decoding import beam_decode
        >>> best, second = beam_decode(np.log([[0.6, 0.4], [0.6, 0.4]]), ["a"], 0.04, hypotheses=2)
        >>> best.text, f"{best.confidence:.2f}", second.text
        ('a', '0.64', '')
        >>> best.words[0].start, best.words[0].end
        (0.0, 0.04)
    """
    log_probabilities = np.asarray(log_probabilities, np.float64)  # (time, labels)
    _check(log_probabilities, alphabet, beam_width, language_model_weight, hypotheses)
    beam = _search(
        log_probabilities,
        alphabet,
        beam_width,
        language_model if language_model_weight else None,
        language_model_weight,
        insertion_bonus,
        prune,
        HotWords(hot_words or {}, alphabet),
    )

    # One text for all labellings that differ in superfluous spaces only; the best of them gives the times.
    scores: dict[str, float] = {}
    labellings: dict[str, str] = {}
    for labelling, score in beam:  # best first
        text = " ".join(word for word in labelling.split(" ") if word)
        scores[text] = float(np.logaddexp(scores[text], score)) if text in scores else score
        labellings.setdefault(text, labelling)
    ranked = nlargest(hypotheses, scores, key=scores.__getitem__)
    total = float(np.logaddexp.reduce(list(scores.values())))
    return [
        Hypothesis(
            text,
            scores[text],
            math.exp(scores[text] - total),
            aligned_words(log_probabilities, labellings[text], alphabet, frame_seconds),
        )
        for text in ranked
    ]


Beam = dict[Prefix, tuple[float, float]]  # prefix: probability of what ends in a blank, and in its last character


def _search(
    log_probabilities: np.ndarray,
    alphabet: Sequence[str],
    beam_width: int,
    language_model: LanguageModel | None,
    language_model_weight: float,
    insertion_bonus: float,
    prune: float,
    hot_words: HotWords,
) -> list[tuple[str, float]]:
    """The labellings of the final beam with their scores, best first.

    The probabilities are kept as such, divided after each frame by the best of the beam, whose logarithm is
    summed in `scale`: the same numbers as in log space, without a logarithm at each addition. What this loses
    is 300 orders of magnitude behind the best.
    """
    label_of = {character: label for label, character in enumerate(alphabet, start=1)}
    look_back = hot_words.context_length
    most_of_factor = math.exp(insertion_bonus + hot_words.maximum)  # a language model's probability is at most 1

    def gain(prefix: Prefix, character: str) -> tuple[float, Any]:
        """What a character adds to the score, beside its bonus, and the state after it."""
        known, state = language_model.step(prefix.state, character) if language_model else (0.0, None)
        hot = hot_words.gain(prefix.context, character) if hot_words.words else 0.0
        return language_model_weight * known + hot, state

    def child_of(prefix: Prefix, character: str) -> Prefix:
        child = prefix.children.get(character)
        if child is None:
            context = (prefix.context + character)[-look_back:] if look_back else ""
            more, state = gain(prefix, character)
            factor = math.exp(insertion_bonus + more)
            child = prefix.children[character] = Prefix(prefix, character, state, context, factor)
        return child

    root = Prefix(None, "", language_model.start if language_model else None, "", 1.0)
    beam: Beam = {root: (1.0, 0.0)}
    settled, scale = "", 0.0
    for number, (frame, best_labels) in enumerate(_frames(log_probabilities, prune)):
        blank = frame[0]
        # Prefixes of the beam: a blank more, the last character again, or grown from a parent in the beam.
        grown: Beam = {}
        for prefix, (in_blank, in_character) in beam.items():
            character_again = 0.0
            if prefix.character:
                in_new = 0.0
                parent = prefix.parent
                if parent in beam:
                    parent_blank, parent_character = beam[parent]
                    if parent.character != prefix.character:
                        parent_blank += parent_character
                    in_new = parent_blank * prefix.factor
                character_again = (in_character + in_new) * frame[label_of[prefix.character]]
            grown[prefix] = ((in_blank + in_character) * blank, character_again)

        # New prefixes. One that cannot be among the best `beam_width` is not made: this changes no result.
        best_sums = [in_blank + in_character for in_blank, in_character in grown.values()]
        heapify(best_sums)  # the `beam_width` best sums so far, the least of them first
        least = best_sums[0] if len(best_sums) == beam_width else 0.0
        for prefix, (in_blank, in_character) in beam.items() if best_labels else ():
            most = (in_blank + in_character) * most_of_factor
            for label in best_labels:
                if most * frame[label] <= least:
                    break
                character = alphabet[label - 1]
                before = in_blank if character == prefix.character else in_blank + in_character
                if before * frame[label] * most_of_factor <= least:
                    continue
                child = child_of(prefix, character)
                if child in beam:
                    continue
                new = before * frame[label] * child.factor
                if new <= least:
                    continue
                grown[child] = (0.0, new)
                if len(best_sums) < beam_width:
                    heappush(best_sums, new)
                else:
                    heapreplace(best_sums, new)
                if len(best_sums) == beam_width:
                    least = best_sums[0]

        if len(grown) > beam_width:
            grown = dict(nlargest(beam_width, grown.items(), key=_sum_of_item))
        most = max(map(sum, grown.values()))
        scale += math.log(most)
        beam = {prefix: (in_blank / most, in_character / most) for prefix, (in_blank, in_character) in grown.items()}
        if number % SETTLED_EVERY == SETTLED_EVERY - 1:
            more, root = settle(root, beam)
            settled += more

    scores = []
    for prefix, both in beam.items():
        if sum(both) > 0.0:
            end, _ = gain(prefix, END)
            scores.append((settled + prefix.text(), scale + math.log(sum(both)) + end))
    return sorted(scores, key=lambda pair: -pair[1])


def _sum_of_item(item: tuple[Prefix, tuple[float, float]]) -> float:
    return item[1][0] + item[1][1]


def _frames(log_probabilities: np.ndarray, prune: float) -> Iterator[tuple[list[float], list[int]]]:
    """Yields the probabilities of each frame, and its labels (not the blank) of at least `prune`, best first."""
    for start in range(0, len(log_probabilities), SETTLED_EVERY):
        part = log_probabilities[start : start + SETTLED_EVERY]  # as lists, all frames would need much memory
        order = np.argsort(-part[:, 1:], axis=1, kind="stable") + 1  # (time, labels - 1)
        counts = (part[:, 1:] >= prune).sum(axis=1)
        for frame, labels, count in zip(np.exp(part).tolist(), order.tolist(), counts.tolist(), strict=True):
            yield frame, labels[:count]


def _check(
    log_probabilities: np.ndarray,
    alphabet: Sequence[str],
    beam_width: int,
    language_model_weight: float,
    hypotheses: int,
) -> None:
    """Refuse what would give a wrong text instead of an error."""
    if log_probabilities.ndim != 2 or log_probabilities.shape[1] != len(alphabet) + 1:
        raise ValueError(
            f"beam_decode expected one sequence, (time, {len(alphabet) + 1}): the blank and {len(alphabet)} "
            f"characters; pass the rows of a batch one by one. Received: shape {log_probabilities.shape}"
        )
    if any(len(character) != 1 for character in alphabet) or len(set(alphabet)) < len(alphabet):
        raise ValueError(f"beam_decode expected an alphabet of different single characters. Received: {alphabet}")
    with np.errstate(invalid="ignore"):
        off = np.abs(np.exp(log_probabilities).sum(axis=1) - 1.0)
    if not np.all(off < 0.02):
        raise ValueError(
            "beam_decode expected log probabilities, whose exponentials sum to 1 in each frame; apply log "
            f"softmax. Received: a frame that sums to 1 ± {off.max():.3g}"
        )
    if beam_width < 1 or hypotheses < 1 or language_model_weight < 0.0:
        raise ValueError(
            "beam_decode expected beam_width and hypotheses of at least 1 and a language_model_weight of at "
            f"least 0. Received: {beam_width}, {hypotheses}, {language_model_weight}"
        )

"""Prefix beam search for connectionist temporal classification, with a character language model."""

import math
from collections.abc import Sequence
from functools import lru_cache
from heapq import heapify, heappush, heapreplace, nlargest
from typing import NamedTuple, Protocol

import numpy as np


class LanguageModel(Protocol):
    """What the search asks a language model: such as `CharacterLanguageModel`."""

    END: str
    """What `log_probability` takes as the character for the end of the text."""

    def log_probability(self, context: str, character: str) -> float:
        """Logarithm of the probability of one character after the text so far, in nats."""


class Word(NamedTuple):
    """A word, with its start and end in seconds and its confidence in [0, 1]."""

    text: str
    start: float
    end: float
    confidence: float


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
            _words(log_probabilities, labellings[text], alphabet, frame_seconds),
        )
        for text in ranked
    ]


def _search(
    log_probabilities: np.ndarray,
    alphabet: Sequence[str],
    beam_width: int,
    language_model: LanguageModel | None,
    language_model_weight: float,
    insertion_bonus: float,
    prune: float,
) -> list[tuple[str, float]]:
    """The labellings of the final beam with their scores, best first.

    The probabilities are kept as such, divided after each frame by the best of the beam, whose logarithm is
    summed in `scale`: the same numbers as in log space, without a logarithm at each addition. What this loses
    is 300 orders of magnitude behind the best.
    """
    label_of = {character: label for label, character in enumerate(alphabet, start=1)}
    bonus = math.exp(insertion_bonus)

    # All that one frame asks for: those of all frames together, each a whole text, would grow with time squared.
    @lru_cache(maxsize=beam_width * (len(alphabet) + 1))
    def factor(prefix: str) -> float:
        """What the last character of a prefix multiplies its probability with."""
        log_probability = language_model.log_probability(prefix[:-1], prefix[-1]) if language_model else 0.0
        return bonus * math.exp(language_model_weight * log_probability)

    beam: dict[str, tuple[float, float]] = {"": (1.0, 0.0)}  # prefix: ends in a blank, ends in its last character
    scale = 0.0
    for frame, best_labels in zip(
        np.exp(log_probabilities).tolist(), _labels_above(log_probabilities, prune), strict=True
    ):
        blank = frame[0]
        # Prefixes of the beam: a blank more, the last character again, or grown from a parent in the beam.
        grown: dict[str, tuple[float, float]] = {}
        for prefix, (in_blank, in_character) in beam.items():
            character_again = 0.0
            if prefix:
                parent = prefix[:-1]
                if parent in beam:
                    parent_blank, parent_character = beam[parent]
                    if parent[-1:] != prefix[-1]:
                        parent_blank += parent_character
                    in_new = parent_blank * factor(prefix)
                else:
                    in_new = 0.0
                character_again = (in_character + in_new) * frame[label_of[prefix[-1]]]
            grown[prefix] = ((in_blank + in_character) * blank, character_again)

        # New prefixes. One that cannot be among the best `beam_width` is not made: this changes no result.
        best_sums = [in_blank + in_character for in_blank, in_character in grown.values()]
        heapify(best_sums)  # the `beam_width` best sums so far, the least of them first
        least = best_sums[0] if len(best_sums) == beam_width else 0.0
        for prefix, (in_blank, in_character) in beam.items() if best_labels else ():
            most = (in_blank + in_character) * bonus  # a language model's probability is at most 1
            for label in best_labels:
                if most * frame[label] <= least:
                    break
                character = alphabet[label - 1]
                child = prefix + character
                before = in_blank if character == prefix[-1:] else in_blank + in_character
                if before * frame[label] * bonus <= least or child in beam:
                    continue
                new = before * frame[label] * factor(child)
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

    scores = []
    for prefix, both in beam.items():
        if sum(both) > 0.0:
            score = scale + math.log(sum(both))
            if language_model is not None:
                score += language_model_weight * language_model.log_probability(prefix, language_model.END)
            scores.append((prefix, score))
    return sorted(scores, key=lambda pair: -pair[1])


def _sum_of_item(item: tuple[str, tuple[float, float]]) -> float:
    return item[1][0] + item[1][1]


def _labels_above(log_probabilities: np.ndarray, prune: float) -> list[list[int]]:
    """For each frame the labels (not the blank) of at least this log probability, best first."""
    order = np.argsort(-log_probabilities[:, 1:], axis=1, kind="stable") + 1  # (time, labels - 1)
    counts = (log_probabilities[:, 1:] >= prune).sum(axis=1)
    return [labels[:count] for labels, count in zip(order.tolist(), counts.tolist(), strict=True)]


def _words(log_probabilities: np.ndarray, labelling: str, alphabet: Sequence[str], frame_seconds: float) -> list[Word]:
    """The words of a labelling at their times in its best alignment."""
    if not labelling.strip(" "):
        return []
    labels = [alphabet.index(character) + 1 for character in labelling]
    state_of_frame = _align(log_probabilities, labels)  # (time,)
    words = []
    start = 0
    for word in labelling.split(" "):
        if word:
            frames = [np.flatnonzero(state_of_frame == 2 * at + 1) for at in range(start, start + len(word))]
            certainty = [
                log_probabilities[of_character, labels[start + at]].max() for at, of_character in enumerate(frames)
            ]
            words.append(
                Word(
                    word,
                    float(frames[0][0] * frame_seconds),
                    float((frames[-1][-1] + 1) * frame_seconds),
                    math.exp(sum(certainty) / len(certainty)),
                )
            )
        start += len(word) + 1
    return words


def _align(log_probabilities: np.ndarray, labels: Sequence[int]) -> np.ndarray:
    """The most probable alignment of the labels (Viterbi): the state of each frame, (time,).

    State 2 i + 1 is the label i, state 2 i the blank before it. On the way forward the scores of every √time-th frame
    are kept, and on the way back the steps between two of them are made again: all steps at once, time × states,
    would be hundreds of megabytes for ten minutes of speech.
    """
    extended = np.zeros(2 * len(labels) + 1, np.int64)  # blank, label, blank, …, blank
    extended[1::2] = labels
    # A label may follow the label before it without a blank, if different.
    skip = np.full(extended.size, -np.inf)
    skip[3::2] = np.where(extended[3::2] != extended[1:-2:2], 0.0, -np.inf)
    time, states = len(log_probabilities), extended.size
    padded = np.full(states + 2, -np.inf)

    def advance(scores: np.ndarray, at: int) -> tuple[np.ndarray, np.ndarray]:
        """The best score of each state in a frame, and how many states back its best predecessor is: (states,) each."""
        padded[2:] = scores
        from_one, from_two = padded[1:-1], padded[:-2] + skip
        best = np.maximum(scores, from_one)
        back = (from_one > scores).astype(np.int8)
        back[from_two > best] = 2
        return np.maximum(best, from_two) + log_probabilities[at, extended], back

    stretch = math.isqrt(time)
    scores = np.full(states, -np.inf)
    scores[:2] = log_probabilities[0, extended[:2]]
    kept = [scores]
    for at in range(1, time):
        scores, _ = advance(scores, at)
        if at % stretch == 0:
            kept.append(scores)

    path = np.empty(time, np.int64)
    path[-1] = states - 1 if scores[-1] >= scores[-2] else states - 2
    for start in range((len(kept) - 1) * stretch, -1, -stretch):
        scores = kept.pop()
        frames = range(start + 1, min(start + stretch + 1, time))
        steps = []
        for at in frames:
            scores, back = advance(scores, at)
            steps.append(back)
        for at, back in zip(reversed(frames), reversed(steps), strict=True):
            path[at - 1] = path[at] - back[path[at]]
    return path


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

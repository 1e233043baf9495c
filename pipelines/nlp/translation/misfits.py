"""Pairs that do not belong together: found by lengths, numbers and question marks, before they are learned from."""

import re
from collections.abc import Sequence

import numpy as np

from pipelines.nlp.texts import TextDataError
from pipelines.nlp.translation.pairs import SHOWN, LeftOut, Pair, differing_signs

LONG = 20  # characters of the longer side, from which lengths are compared
UNEVEN = 3.0  # by which the ratio of two lengths may differ from the usual one
MINIMUM_LINES = 15  # of a block that is shifted
SURE = 5.0  # standard errors by which it fits better elsewhere
UNRELATED = 200  # pairs in a row whose lengths are compared
RELATED = 0.85  # of the median deviation of a translation's length that others' have, at most (usual: 0.2 to 0.5)
VARIED = 0.3  # interquartile range of logarithms of lengths that is enough to tell
SHIFTS = 5  # that are looked at, those under which the lengths agree best
ASKS = 0.8  # share of questions whose translations are questions, from which that is the custom
_NUMBER = re.compile(r"\d+")
_QUESTION = re.compile(r"[?\uff1f\u061f\u037e]\W*$")


def misfits(pairs: Sequence[Pair]) -> list[LeftOut]:
    """Returns the pairs that are hardly translations of each other, and why.

    >>> misfits([Pair("line 1", "It costs 300 euro.", "Cuesta 45 euros."), Pair("line 2", "In 1999.", "En 1999.")])
    [LeftOut(where='line 1', reason='the numbers differ: 300 beside 45')]
    """
    lengths = np.log([[len(pair.source) + 5, len(pair.target) + 5] for pair in pairs]).reshape(-1, 2)
    uneven = np.abs(lengths[:, 1] - lengths[:, 0] - np.median(lengths[:, 1] - lengths[:, 0])) > np.log(UNEVEN)
    asks = np.array([[bool(_QUESTION.search(text)) for text in pair[1:]] for pair in pairs]).reshape(-1, 2)
    agreement = asks.all(axis=1).sum() / max(1, asks.any(axis=1).sum())
    found = []
    for pair, too_uneven, (one, other) in zip(pairs, uneven, asks, strict=True):
        numbers = [_NUMBER.findall(text) for text in pair[1:]]
        size = max(len(pair.source), len(pair.target))
        if too_uneven and size >= LONG:
            found.append(
                LeftOut(pair.where, f"the lengths differ: {len(pair.source)} and {len(pair.target)} characters")
            )
        elif size >= LONG and " " in pair.source.strip() and _same_words(pair):
            found.append(LeftOut(pair.where, "the target is a copy of the source"))
        elif all(numbers) and not {int(each) for each in numbers[0]} & {int(each) for each in numbers[1]}:
            found.append(LeftOut(pair.where, f"the numbers differ: {numbers[0][0]} beside {numbers[1][0]}"))
        elif one != other and agreement > ASKS:
            found.append(LeftOut(pair.where, f"the {'source' if one else 'target'} alone is a question"))
    return found


def _same_words(pair: Pair) -> bool:
    one, other = (re.findall(r"\w+", text.casefold()) for text in pair[1:])
    return bool(one) and one == other


def refuse_unrelated(pairs: Sequence[Pair]) -> None:
    """Refuses pairs of which many in a row are no translations of each other, such as pairs in another order.

    The lengths of sentences and their translations go together. Short ones are not looked at.

    Raises:
        TextDataError: there are such pairs.
    """
    long = [pair for pair in pairs if max(len(pair.source), len(pair.target)) >= LONG]
    for first in range(0, len(long) - UNRELATED + 1, UNRELATED):
        block = long[first : first + UNRELATED]
        lengths = np.log([[len(pair.source) + 5, len(pair.target) + 5] for pair in block]).T
        if np.subtract(*np.percentile(lengths, [75, 25], axis=1)).min() < VARIED:
            continue
        own, *others = [_deviation(lengths[0], np.roll(lengths[1], shift)) for shift in range(0, UNRELATED, 10)]
        if own > RELATED * np.mean(others):
            beside = block[0]
            raise TextDataError(
                f"The translations are hardly those of the sentences beside them: in {UNRELATED} pairs from "
                f"{beside.where} on, long sentences have no longer translations than short ones. "
                f"{beside.source[:SHOWN]!r} stands beside {beside.target[:SHOWN]!r}. Expected each sentence beside its "
                "own translation. Put both sides in one order, or, if they are right, let them be learned from: "
                f"--data.misfits ignore. Received: a deviation of {own:.2f}, and {np.mean(others):.2f} beside others"
            )


def _deviation(sources: np.ndarray, targets: np.ndarray) -> float:
    """The median deviation of the logarithms of lengths from the usual ratio."""
    ratios = targets - sources
    return float(np.median(np.abs(ratios - np.median(ratios))))


def refuse_shifted(pairs: Sequence[Pair]) -> None:
    """Refuses pairs of which many in a row fit others' translations better than their own.

    Raises:
        TextDataError: there are such pairs; the message names the first, and by how many lines it is shifted.
    """
    if len(pairs) < 2 * MINIMUM_LINES:
        return
    sources, targets = [pair.source for pair in pairs], [pair.target for pair in pairs]
    lengths = np.log1p([[len(text.strip()) for text in texts] for texts in (sources, targets)])  # (2, lines)
    usual = np.median(lengths[1] - lengths[0])
    own = _cost(lengths, usual, sources, targets, 0)
    best = (0.0, 0, 0, 0)
    for shift in _likely_shifts(lengths):
        gain = own - _cost(lengths, usual, sources, targets, shift)  # (lines,)
        first, end = _largest_block(gain - 0.1)
        block = gain[first:end]
        if len(block) >= MINIMUM_LINES and block.mean() / max(block.std(), 0.05) * np.sqrt(len(block)) > SURE:
            best = max(best, (_agreement(lengths, shift, first, end), shift, first, end))
    sure, shift, first, end = best
    if sure > SURE:
        beside, fitting = pairs[first], pairs[(first + shift) % len(pairs)]
        raise TextDataError(
            f"The translations seem shifted by {abs(shift)} {'line' if abs(shift) == 1 else 'lines'} in "
            f"{end - first} pairs, from {beside.where} on: {beside.source[:SHOWN]!r} stands beside "
            f"{beside.target[:SHOWN]!r}; {fitting.target[:SHOWN]!r} of {fitting.where} would fit better. Expected each "
            "sentence beside its own translation. Correct the files, or, if they are right, let them be learned from: "
            f"--data.misfits ignore. Received: {len(pairs)} pairs, of which {end - first} fit others better"
        )


def _likely_shifts(lengths: np.ndarray) -> list[int]:
    """The shifts of the targets under which their lengths go with those of the sources most."""
    count = lengths.shape[1]
    centred = lengths - lengths.mean(axis=1, keepdims=True)
    spectra = np.fft.rfft(centred, axis=1)
    together = np.fft.irfft(np.conj(spectra[0]) * spectra[1], count)  # (shifts,), the first is none
    shifts = np.argsort(-together[1:])[:SHIFTS] + 1
    near = [1, 2, count - 1, count - 2]
    return [int(each) if each <= count // 2 else int(each) - count for each in dict.fromkeys([*shifts.tolist(), *near])]


def _cost(lengths: np.ndarray, usual: float, sources: Sequence[str], targets: Sequence[str], shift: int) -> np.ndarray:
    """How badly each source fits the target so many lines further: (lines,)."""
    targets = [*targets[shift:], *targets[:shift]]
    uneven = np.minimum(np.abs(np.roll(lengths[1], -shift) - lengths[0] - usual), 2.0)
    return uneven + differing_signs(sources, targets)


def _agreement(lengths: np.ndarray, shift: int, first: int, end: int) -> float:
    """By how many standard errors the lengths of a block go with the shifted targets' more than with their own.

    The lengths of a block of another kind fit many targets better than its own, but go with none of them. (Fisher's
    transformation of the two correlations.)
    """
    own, others = lengths[:, first:end], np.roll(lengths[1], -shift)[first:end]
    if min(own.std(axis=1).min(), others.std()) < 0.05:
        return 0.0
    correlations = np.clip([np.corrcoef(own[0], each)[0, 1] for each in (own[1], others)], -0.99, 0.99)
    return float(np.diff(np.arctanh(correlations))[0] * np.sqrt((end - first - 3) / 2))


def _largest_block(gain: np.ndarray) -> tuple[int, int]:
    """The lines, from one to before another, whose gains have the largest sum."""
    total = np.concatenate([[0.0], np.cumsum(gain)])
    lowest = np.minimum.accumulate(total)
    end = int(np.argmax(total - lowest))
    return int(np.argmin(total[: end + 1])), end

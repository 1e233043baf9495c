"""What the trainings show, in words made of their numbers."""

import math
from collections import Counter
from collections.abc import Callable, Sequence

from benchmarks.gradient_flow.problems import PROBLEMS
from benchmarks.gradient_flow.training import Outcome

LEARNED = 0.5
"""Learned is what ends with a loss below so much of the naive one; decided before any training."""
LITTLE = 1e-3
"""A gradient of which less than so much reaches the first step has vanished."""


def naive_loss(outcome: Outcome) -> float:
    """The loss of who remembers nothing, on the outcome's sequences."""
    return PROBLEMS[outcome.problem].naive(outcome.length)


def learned(outcome: Outcome) -> bool:
    """Whether the last loss on the test sequences is below half of the naive one."""
    return outcome.readings[-1].loss < LEARNED * naive_loss(outcome)


def share(norms: Sequence[float]) -> float:
    """How much of the gradient at the last step reaches the first; not a number where there is none at the last.

    Example:
        >>> share([0.5, 2.0, 4.0])
        0.125
    """
    return norms[0] / norms[-1] if norms[-1] else math.nan


def findings(outcomes: Sequence[Outcome]) -> list[str]:
    """Returns paragraphs: who learned what, what reached the first step, and whether the one tells the other."""
    return [*_who_learned(outcomes), _at_the_start(outcomes), _start_and_success(outcomes), _change(outcomes)]


def _who_learned(outcomes: Sequence[Outcome]) -> list[str]:
    paragraphs = []
    for problem in dict.fromkeys(outcome.problem for outcome in outcomes):
        sentences = []
        for length in dict.fromkeys(outcome.length for outcome in outcomes):
            group = [outcome for outcome in outcomes if (outcome.problem, outcome.length) == (problem, length)]
            done, failed = ([_result(one) for one in group if learned(one) is wanted] for wanted in (True, False))
            parts = [f"{listed(done)} learned it"] if done else []
            parts += [f"{listed(failed)} did not"] if failed else []
            sentences.append(f"At length {length}, {'; '.join(parts)}.")
        naive = PROBLEMS[problem].naive_accuracy
        paragraphs.append(
            f"The {problem} problem; in brackets the last loss as a share of the naive answer's, and the accuracy, "
            f"which for the naive answer is {naive:.2f}. {' '.join(sentences)}"
        )
    return paragraphs


def _at_the_start(outcomes: Sequence[Outcome]) -> str:
    length = max(outcome.length for outcome in outcomes)
    sentences = []
    for problem in dict.fromkeys(outcome.problem for outcome in outcomes):
        group = [one for one in outcomes if (one.problem, one.length) == (problem, length)]
        shares = [f"{one.layer} {power(share(one.start))}" for one in group]
        sentences.append(f"in the {problem} problem {listed(shares)}")
    return (
        f"Before training, at length {length}, so much of the gradient at the last step reaches the first: "
        f"{'; '.join(sentences)}. Over all problems and lengths the largest share is that of "
        f"{_whose_is_largest(outcomes, lambda one: share(one.start))}; after training, of "
        f"{_whose_is_largest(outcomes, lambda one: share(one.end))}."
    )


def _whose_is_largest(outcomes: Sequence[Outcome], size: Callable[[Outcome], float]) -> str:
    settings: dict[tuple[str, int], list[Outcome]] = {}
    for one in outcomes:
        settings.setdefault((one.problem, one.length), []).append(one)
    winners = Counter(max(group, key=size).layer for group in settings.values())
    return listed([f"{layer} in {count} of {len(settings)}" for layer, count in winners.most_common()])


def _start_and_success(outcomes: Sequence[Outcome]) -> str:
    vanished = [one for one in outcomes if share(one.start) < LITTLE]
    arrived = [one for one in outcomes if share(one.start) >= LITTLE]
    text = (
        f"Does the gradient before training tell who will learn? Of the {len(vanished)} networks of whose gradient "
        f"less than {LITTLE} reached the first step, {_count(vanished)} learned the problem; of the {len(arrived)} "
        f"others, {_count(arrived)}."
    )
    if surprises := [_named(one) for one in vanished if learned(one)]:
        text += f" Learned although the gradient had vanished at the start: {listed(surprises)}."
    if surprises := [_named(one) for one in arrived if not learned(one)]:
        text += f" Not learned although it had not: {listed(surprises)}."
    return text


def _change(outcomes: Sequence[Outcome]) -> str:
    def risen(group: Sequence[Outcome]) -> str:
        return f"{sum(share(one.end) > share(one.start) for one in group)} of {len(group)}"

    done, failed = [one for one in outcomes if learned(one)], [one for one in outcomes if not learned(one)]
    return (
        "Does training change it? A larger share reached the first step at the end than at the start in "
        f"{risen(done)} networks that learned their problem, and in {risen(failed)} that did not."
    )


def _count(outcomes: Sequence[Outcome]) -> int:
    return sum(map(learned, outcomes))


def _result(outcome: Outcome) -> str:
    _, loss, accuracy = outcome.readings[-1]
    return f"{outcome.layer} ({loss / naive_loss(outcome):.2f}, {accuracy:.2f})"


def _named(outcome: Outcome) -> str:
    """Layer, problem and length in words."""
    return f"{outcome.layer} ({outcome.problem}, {outcome.length})"


def power(value: float) -> str:
    """A share in few digits, as text.

    Example:
        >>> power(0.25), power(2.4e-30), power(0.0)
        ('0.25', '2e-30', 'none (below 1e-38)')
    """
    if value == 0:
        return "none (below 1e-38)"
    return f"{value:.2g}" if 0.01 <= value < 100 else f"{value:.0e}"


def listed(texts: Sequence[str]) -> str:
    """Texts in one, with commas and "and".

    Example:
        >>> listed(["a", "b", "c"]), listed(["a"])
        ('a, b and c', 'a')
    """
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)

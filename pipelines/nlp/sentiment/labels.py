"""The labels of texts: what they are called, whether a text has one or several, and what is odd about them."""

import ast
import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from pipelines.configuration import did_you_mean
from pipelines.hints import counted, listed
from pipelines.nlp.sentiment.splitting import Example
from pipelines.nlp.splits import SPLITS
from pipelines.nlp.text_files import TextDataError

Splits = dict[str, list[Example]]
RARE = 0.2  # share of the texts that a label would have if all had equally many
MANY_NUMBERS = 20  # labels that are numbers, from which they are rather a rating
SEPARATORS = "|;,"  # of several labels in a cell
REPEATED = 0.9  # share of the labels beside others in a cell that other cells have, too, if the sign separates labels
MISSING = ("nan", "na", "n/a", "none", "null")  # as programs write what is not there
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
_ITEM = re.compile(r"'[^']*'|\"[^\"]*\"|[-\d.]+")
_NUMPY = re.compile(rf"\[\s*(?:(?:{_ITEM.pattern})\s+)+(?:{_ITEM.pattern})\s*\]")
TRUE, FALSE = ("1", "true", "yes"), ("0", "false", "no", "")


def labels_in(example: Example) -> tuple[str, ...]:
    """Returns the labels of a text, whether it may have one or several."""
    return example.labels if example.labels is not None else (example.label,) * bool(example.label)


def is_labelled(labels: np.ndarray) -> np.ndarray:
    """Returns which texts have known labels, bool (texts,), of labels as of `data.truth`."""
    return np.asarray(labels >= 0 if labels.ndim == 1 else (labels >= 0).all(axis=1))


def of_columns(cells: Sequence[str], columns: Sequence[str], where: str) -> tuple[str, ...]:
    """Returns the names of those columns that hold 1; the others hold 0.

    Raises:
        TextDataError: a cell holds neither.

    Example:
        >>> of_columns(["1", "0", "true"], ["rude", "threat", "insult"], "a.csv, line 2")
        ('rude', 'insult')
    """
    plain = [cell.strip().lower().removesuffix(".0") for cell in cells]
    if wrong := [number for number, cell in enumerate(plain) if cell not in (*TRUE, *FALSE)]:
        raise TextDataError(
            f"{where}: column {columns[wrong[0]]!r} is no label that a text has or has not. Expected 1 or 0 in each of "
            f"several columns of labels. Correct it, or name one column: --data.label. Received: {cells[wrong[0]]!r}"
        )
    return tuple(column for column, cell in zip(columns, plain, strict=True) if cell in TRUE)


def with_several(splits: Splits, separator: str, notes: list[str]) -> Splits:
    """Returns examples each of which has `labels`, where texts have several; others as they are.

    They have several where columns, lists or lines of fastText state it, or where a sign separates labels. `label` is
    then the rarest one of a text, by which texts are divided.

    Args:
        separator: the sign; `auto`: found, and noted; `none`: a label is all that a cell holds.
    """
    cells = Counter(each.label for each in itertools.chain(*splits.values()) if each.label and each.labels is None)
    several = any(each.labels is not None for each in itertools.chain(*splits.values()))
    lists = {cell: found for cell in cells if (found := _list_in(cell)) is not None} if separator != "none" else {}
    divided = {cell: _distinct(map(str, found)) for cell, found in lists.items()}
    if len(set(map(len, lists.values()))) == 1 and any(len(each) > len(set(each)) for each in lists.values()):
        held = {cell: _held(found) for cell, found in lists.items()}
        if None not in held.values():  # nothing but 0 and 1, and one of them repeated
            notes.append("lists of 0 and 1 state which labels a text has; these are named by their places, from 1")
            divided = {cell: found or () for cell, found in held.items()}
    if separator == "auto" and not several and not divided and (sign := _separator(cells)):
        notes.append(
            f"a {sign!r} separates several labels of a text, as it seems, such as {_first_with(sign, cells)!r}; "
            "--data.label_separator none takes them for one"
        )
        separator = sign
    if len(separator) == 1:
        divided |= {cell: _parts(cell, separator) for cell in cells if cell not in divided}
    if not several and not divided:
        return splits
    counts = Counter[str]()
    for each in itertools.chain(*splits.values()):
        counts.update(each.labels if each.labels is not None else divided.get(each.label, ()))

    def changed(example: Example) -> Example:
        if example.labels is None and not example.label:
            return example
        labels = example.labels if example.labels is not None else divided.get(example.label, (example.label,))
        rarest = min(labels, key=lambda label: (counts[label], label), default="")
        return example._replace(label=rarest, labels=labels)

    return {split: [changed(each) for each in members] for split, members in splits.items()}


def with_known(examples: list[Example], labels: Sequence[str]) -> list[Example]:
    """Returns examples of a further file, each of which may have several of the labels that a model knows."""

    def parts(cell: str) -> tuple[str, ...]:
        divided = (_parts(cell, sign) for sign in SEPARATORS)
        found = (each for each in divided if set(each) <= set(labels))
        values = _list_in(cell)
        if values is not None:
            held = _held(values)
            return _distinct(map(str, values)) if held is None or "0" in labels else held
        return (cell,) if cell in labels else next(found, (cell,))

    return [
        each._replace(labels=parts(each.label)) if each.labels is None and each.label else each for each in examples
    ]


def _list_in(cell: str) -> list[Any] | None:
    """The values of a list as JSON, Python or NumPy writes it; None: the cell is none."""
    if cell[:1] + cell[-1:] not in ("[]", "()", "{}"):
        return None
    if _NUMPY.fullmatch(cell):  # without commas, so that Python would join its strings
        cell = f"[{', '.join(_ITEM.findall(cell))}]"
    values = None
    for read in (json.loads, ast.literal_eval):
        try:
            values = read(cell)
            break
        except (ValueError, SyntaxError, TypeError):
            continue
    values = sorted(values, key=str) if isinstance(values, set) else values
    if isinstance(values, list | tuple) and all(isinstance(each, str | int | float) for each in values):
        return list(values)
    return None


def _held(values: Sequence[Any]) -> tuple[str, ...] | None:
    """The places, from 1, of 1 among 0; None: there are other values."""
    is_indicator = not any(isinstance(each, str) or each not in (0, 1) for each in values)
    return tuple(str(place) for place, each in enumerate(values, start=1) if each) if is_indicator else None


def _parts(cell: str, separator: str) -> tuple[str, ...]:
    return _distinct(cell.split(separator))


def _distinct(labels: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(label.strip() for label in labels if label.strip()))


def _separator(cells: Counter[str]) -> str:
    """The sign that separates labels which stand in several different cells; "": none does."""
    is_decimal = all(re.fullmatch(r"[-+]?\d+(,\d+)?", cell) for cell in cells)
    for sign in SEPARATORS.replace(",", "") if is_decimal else SEPARATORS:
        together = [_parts(cell, sign) for cell in cells if sign in cell]
        several = [parts for parts in together if len(parts) > 1]
        kinds = Counter(label for cell in cells for label in _parts(cell, sign))
        labels = {label for parts in several for label in parts}
        if len(several) > 1 and sum(kinds[label] > 1 for label in labels) >= REPEATED * len(labels):
            return sign
    return ""


def _first_with(sign: str, cells: Counter[str]) -> str:
    return min(cell for cell in cells if sign in cell)


def one_name_a_number(splits: Splits, notes: list[str]) -> Splits:
    """Returns examples whose labels that are one whole number, such as `1` and `1.0` of pandas, have one name.

    Notes them, and those that are one number otherwise, such as `1.1` and `1.10`.
    """
    names: defaultdict[Decimal, Counter[str]] = defaultdict(Counter)
    for label in itertools.chain.from_iterable(map(labels_in, itertools.chain(*splits.values()))):
        if _NUMBER.fullmatch(label):
            names[Decimal(label)][label] += 1
    renamed: dict[str, str] = {}
    for number, counts in names.items():
        shortest, *others = sorted(counts, key=lambda name: (len(name), name))
        found = " and ".join(f"{name!r} ({counts[name]})" for name in (shortest, *others))
        if others and number == number.to_integral_value():
            renamed |= dict.fromkeys(others, shortest)
            notes.append(f"the labels {found} are one number, and one label: {shortest!r}")
        elif others:  # versions or sections, as no program writes 1.1 and 1.10 for one number
            notes.append(
                f"the labels {found} are one number, learned as {len(counts)}; if they are one, name them alike"
            )
    if not renamed:
        return splits

    def changed(example: Example) -> Example:
        labels = None if example.labels is None else _distinct(renamed.get(each, each) for each in example.labels)
        return example._replace(label=renamed.get(example.label, example.label), labels=labels)

    return {split: [changed(each) for each in members] for split, members in splits.items()}


def label_names(splits: Splits) -> tuple[str, ...]:
    """Returns the labels of the training split, numbers by their size, others alphabetically; none of ratings alone.

    Raises:
        TextDataError: there is nothing to tell apart, or another split has one more.
    """
    examples = list(itertools.chain(*splits.values()))
    labels = set(itertools.chain.from_iterable(map(labels_in, splits["train"])))
    multiple = any(each.labels is not None for each in examples)
    if not labels and not multiple and any(np.isfinite(each.rating) for each in examples):
        return ()
    for split in SPLITS[1:]:
        unseen = [(each, label) for each in splits[split] for label in labels_in(each) if label not in labels]
        if unseen:
            example, label = unseen[0]
            raise TextDataError(
                f"{example.where}: no text of the training split has the label {label!r}, so it "
                f"cannot be learned; expected one of {listed(sorted(labels))}."
                f"{did_you_mean(label, labels)} Give more texts of this label, at "
                f"least some ten, or remove it. Received: {label!r}, in {len(unseen)} {split} texts"
            )
    if len(labels) < 2 - multiple:
        raise TextDataError(
            "All texts have one label, so there is nothing to learn; expected two labels or more. Add texts with "
            f"another label, or name another column: --data.label. Received: {', '.join(map(repr, labels))}"
        )
    return tuple(sorted(labels, key=number_first))


def number_first(label: str) -> tuple[int, float, str]:
    """Returns a key that sorts numbers by their size, before other labels."""
    return (0, float(label), label) if _NUMBER.fullmatch(label) else (1, 0.0, label)


def odd_labels(splits: Splits, labels: Sequence[str], weighted: bool) -> list[str]:
    """Returns notes on labels that are alike, that few texts have, or that are rather numbers to predict."""
    counts = Counter(itertools.chain.from_iterable(map(labels_in, itertools.chain(*splits.values()))))
    notes = _alike(counts)
    if missing := [f"{label!r} ({counts[label]})" for label in sorted(counts) if label.lower() in MISSING]:
        notes.append(f"{listed(missing)} learned as a label; if it stands for a text without one, leave its cell empty")
    learned = Counter(itertools.chain.from_iterable(map(labels_in, splits["train"])))
    rare = sorted(label for label, count in learned.items() if count < RARE * learned.total() / len(learned))
    if rare and not weighted:
        named = listed([f"{label!r} ({learned[label]} of {learned.total()})" for label in rare])
        notes.append(f"few texts have the labels {named}; --data.label_weights balanced lets all labels count alike")
    numbers = [label for label in labels if number_first(label)[0] == 0]
    if len(numbers) == len(labels) > MANY_NUMBERS:
        notes.append(
            f"all {len(labels)} labels are numbers; if they are values to predict, name their column --data.rating "
            "instead of --data.label"
        )
    return notes


def _alike(counts: Counter[str]) -> list[str]:
    """Notes on labels that differ in case, spaces or signs alone, and that are learned as several."""
    alike = defaultdict(list)
    for label in sorted(counts):
        alike["".join(re.findall(r"[\w+-]", label.casefold())) or label].append(f"{label!r} ({counts[label]})")
    return [
        f"the labels {' and '.join(names)} differ in case, spaces or signs alone, and are learned as {len(names)} "
        "labels; if they are one, give them one name"
        for names in alike.values()
        if len(names) > 1
    ]


def contradictions(splits: Splits) -> list[str]:
    """Returns a note on texts that occur more than once with different labels, if there are any."""
    known: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for split in SPLITS:
        for example in splits[split]:
            if labels := ", ".join(sorted(labels_in(example))):
                known[" ".join(example.text.split())].setdefault(labels, example.where)
    found = [
        " and ".join(f"{where} ({labels})" for labels, where in places.items())
        for places in known.values()
        if len(places) > 1
    ]
    return [f"{counted(len(found), 'text')} with different labels: {listed(found, '; ')}"] * bool(found)

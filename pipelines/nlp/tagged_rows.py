"""Tagged words in rows that name their values: tables, and objects of JSON or Arrow."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.hints import listed
from pipelines.nlp.object_tables import Item, accepted
from pipelines.nlp.text_files import FileConfiguration, TextDataError
from pipelines.nlp.text_tables import DELIMITERS, places_of, records, table_form
from pipelines.nlp.texts import SHORT
from pipelines.nlp.words import Words

WORDS = ("words", "tokens", "text")  # JSON's usual keys
TAGS = ("tags", "ner_tags", "pos_tags", "upos", "labels", "spans", "entities", "label")
UNTAGGED = ""  # the tag of a word that has none: it is read, and neither learned nor judged
OUTSIDE = "O"
_LIST = re.compile(r"""\s*\[\s*(['"\d-].*)?\]\s*$""", re.DOTALL)  # as Python, JSON or NumPy writes it


class Sentence(NamedTuple):
    """Words and the tag of each; `where` they are, such as a file and a line."""

    where: str
    words: tuple[str, ...]
    tags: tuple[str, ...]


def named_columns(content: str, words: str, tags: str) -> tuple[str, str] | None:
    """Returns the names of the columns of words and tags in the first row of a table; None: it is of another form."""
    if words.isdecimal() or tags.isdecimal():
        return None
    first = content.lstrip().partition("\n")[0]
    for delimiter in DELIMITERS:
        cells = [cell.strip(' "') for cell in first.split(delimiter)]
        found = [
            [name] * (name in cells) if name else [cell for each in usual for cell in cells if _is_named(cell, each)]
            for name, usual in ((words, WORDS), (tags, TAGS))
        ]
        if all(found) and found[0][0] != found[1][0]:
            return found[0][0], found[1][0]
    return None


def _is_named(cell: str, usual: str) -> bool:
    """Whether a column of a table has one of JSON's usual keys as its name, of a single word: Word, NER, pos_tag."""
    return usual in (cell.lower(), f"{cell.lower()}s", f"{cell.lower()}_tags")


def table_sentences(path: Path, content: str, word: str, tag: str, notes: list[str]) -> Iterator[Sentence]:
    """The sentences of a table with a row for each word, by its columns of sentences, or between blank lines.

    Or those of a table with a row for each sentence: lists, as pandas writes them, or as many words as tags.

    Args:
        word: name of the column of words, or its number from 1 where the first row is data.
        tag: likewise, of the tags; "": the last one.
    """
    numbered, files = word.isdecimal(), FileConfiguration()
    form = table_form(path, content, (word, tag or word), numbered, files)
    rows, before = list(records(path, content, form)), 0
    names = [str(number) if numbered else cell.strip() for number, cell in enumerate(rows[0][1], start=1)]
    if not numbered:
        (before, _), *rows = rows
    tag = tag or names[-1]
    if tag == word:
        raise error_at(str(path), "a column of words and one of tags", "Name them: --data.words, --data.tags", content)
    places = [place or 0 for place in places_of(path, names, (word, tag), form, files, ())]
    cells = []
    for line, row in rows:
        where = f"{path}, line {line}"
        if len(row) != len(names) or not all(row[place].strip() for place in places):
            raise error_at(where, f"a word under {word} and its tag under {tag}", "Correct the row", row)
        cells.append((where, *(row[place] for place in places)))
    if _are_sentences(cells):
        items = ((where, {word: _parts_of(own, where), tag: _parts_of(tags, where)}) for where, own, tags in cells)
        yield from object_sentences(items, word, tag, notes)
        return
    keys = [place for place, name in enumerate(names) if name.lower().startswith(("sent", "doc"))]
    found: list[tuple[str, str]] = []
    start, current = "", [""] * len(keys)
    for (line, row), (where, *pair) in zip(rows, cells, strict=True):
        here = [row[key].strip() or last for key, last in zip(keys, current, strict=True)]
        if found and (here != current if keys else line > before + 1):
            yield Sentence(start, *zip(*found, strict=True))
            found = []
        start, current, before = start if found else where, here, line
        found.append((pair[0], pair[1]))
    if found:
        yield Sentence(start, *zip(*found, strict=True))


def _are_sentences(cells: Sequence[tuple[str, ...]]) -> bool:
    """Whether rows are sentences, of where they are, words and tags."""
    several = [len(words.split()) == len(tags.split()) for _, words, tags in cells if len(tags.split()) > 1]
    are_as_many = bool(several) and 2 * sum(several) >= len(several)
    return are_as_many or any(_LIST.match(tags) for *_, tags in cells)


def _parts_of(cell: str, where: str) -> list[Any]:
    """Returns the words or tags in a cell: a list, or what is between spaces."""
    return _list_in(cell, where) if _LIST.match(cell) else cell.split()


def _list_in(cell: str, where: str) -> list[Any]:
    """Returns the list of Python or JSON that a cell holds; NumPy prints its arrays without commas."""
    try:
        found = None if re.search(r"['\"]\s+['\"]", cell) else ast.literal_eval(cell.strip())
    except (ValueError, SyntaxError):
        found = None
    if not isinstance(found, list):
        raise error_at(where, "a list such as ['Bob', 'is']", "Write the table as JSON lines or Parquet", cell)
    return found


def object_sentences(items: Iterator[Item], words: str, tags: str, notes: list[str]) -> Iterator[Sentence]:
    rows: list[tuple[str, Any, Any]] = []
    without, given, names = [], list(accepted(items)), (tags,) if tags else TAGS
    has_spans_elsewhere = any(isinstance(values.get(name), list) for _, values in given for name in names)
    for where, values in given:
        if not (words or tags) and set(values) == {"1", "2"}:  # a text and its entities, as spaCy has them
            values = {"text": values["1"]} | (values["2"] if isinstance(values["2"], dict) else {"spans": values["2"]})
        text = _value(values, words, WORDS, where)
        if isinstance(text, str) and has_spans_elsewhere and all(values.get(name) is None for name in names):
            without.append(where)  # as Label Studio writes a text in which nothing is labelled
            rows.append((where, text, []))
        else:
            labels = _value(values, tags, TAGS, where)
            has_tags = labels and isinstance(labels, list) and all(isinstance(each, str) for each in labels)
            rows.append((where, text.split() if has_tags and isinstance(text, str) else text, labels))
    if without:
        notes.append(f"Texts that state no spans were taken to have none: {listed(without, '; ')}")
    texts = [text for _, text, _ in rows if isinstance(text, str)]
    divided = zip(*(part.to_list() for part in Words([], 1).divide(texts)), strict=True) if texts else iter(())
    changed: list[str] = []
    for where, text, labels in rows:
        if isinstance(text, str):
            own, starts, ends = next(divided)
            yield Sentence(
                where, tuple(each.decode() for each in own), _tags(where, text, labels, starts, ends, changed)
            )
        elif len(text) != len(labels) or not all(isinstance(each, str) and each.strip() for each in text):
            empty = " and no empty word" if len(text) == len(labels) else ""
            received = f"{len(text)} words, {len(labels)} tags" if not empty else text
            raise error_at(where, f"a tag for each word{empty}", "Correct the row", received)
        elif text:
            yield Sentence(where, tuple(text), tuple(UNTAGGED if each is None else str(each) for each in labels))
    if changed:
        notes.append(f"Spans that overlap another or cut a word were taken for the whole word: {listed(changed, '; ')}")


def _is_of_objects(value: Any, usual: Sequence[str]) -> bool:
    """Whether words are objects, as Prodigy has them beside the text."""
    return usual is WORDS and isinstance(value, list) and any(isinstance(each, dict) for each in value)


def _value(values: Mapping[str, Any], key: str, usual: Sequence[str], where: str) -> Any:
    names = [key] if key else [name for name in usual if not _is_of_objects(values.get(name), usual)]
    found = next((values[name] for name in names if name in values), None)
    if not isinstance(found, list | str):
        wanted = f"a text or a list under {key or ' or '.join(usual)}"
        raise error_at(where, wanted, "Name the keys: --data.words, --data.tags", ", ".join(values))
    if re.search("[\ud800-\udfff]", "".join(map(str, found))):
        raise error_at(where, "whole characters, no half of a surrogate pair", "Correct it", found)
    return found


def _tags(where: str, text: str, spans: Any, starts: list[int], ends: list[int], changed: list[str]) -> tuple[str, ...]:
    """Returns the tags of words that begin and end at these characters of a text: B- and I- in a span, O outside."""
    tags = [OUTSIDE] * len(starts)
    for span in spans:
        parts = _parts(span) if isinstance(span, dict) else span
        start, end, label = parts if isinstance(parts, list) and len(parts) == 3 else (0, 0, "")
        if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(text) and label):
            raise error_at(where, "spans [start, end, label] in the text, in characters", "Correct the span", span)
        inside = [place for place in range(len(starts)) if starts[place] < end and ends[place] > start]
        if not inside or starts[inside[0]] < start or ends[inside[-1]] > end or {tags[i] for i in inside} != {OUTSIDE}:
            changed.append(f"{where} ({text[start:end]!r})")
        for place in inside:
            tags[place] = f"{'B' if place == inside[0] else 'I'}-{label}"
    return tuple(tags)


def _parts(span: dict[str, Any]) -> list[Any]:
    """Returns begin, end and label of a span, by the names that annotation tools give them."""
    label = span.get("label", next(iter(span.get("labels") or ()), None))
    return [span.get("start", span.get("start_offset")), span.get("end", span.get("end_offset")), label]


def error_at(where: str, expected: str, remedy: str, received: Any) -> TextDataError:
    return TextDataError(f"{where}: expected {expected}. {remedy}. Received: {SHORT.repr(received)}")

"""The user's files of tagged words: columns (CoNLL), CoNLL-U, tables with a row for each word, and JSON lines."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from data.files import read_bytes
from pipelines.nlp.object_tables import BINARY_TABLES, Item, accepted, arrow_items, json_items
from pipelines.nlp.text_files import FileConfiguration, TextDataError, decoded, lines_of, plain_suffix
from pipelines.nlp.text_tables import DELIMITERS, records, table_form
from pipelines.nlp.texts import SHORT, listed
from pipelines.nlp.words import Words

WORDS = ("words", "tokens", "text")  # JSON's usual keys
TAGS = ("tags", "ner_tags", "pos_tags", "upos", "labels", "spans", "entities", "label")
UNTAGGED = ""  # the tag of a word that has none: it is read, and neither learned nor judged
OUTSIDE = "O"
SAMPLE = 100  # lines by which the form of a file is told


class Sentence(NamedTuple):
    """Words and the tag of each; `where` they are, such as a file and a line."""

    where: str
    words: tuple[str, ...]
    tags: tuple[str, ...]


def read_sentences(words: str, tags: str, encoding: str, notes: list[str], path: Path) -> list[Sentence]:
    """Returns the sentences of a file, whose form is told by its ending and its first lines.

    Args:
        words: number of the column of the words, its name in a table, or JSON's key; "": the usual one.
        tags: likewise, of the tags or spans.
        encoding: as of `read_text`.
        notes: gets a line on what is read in another way than it is written.
        path: the file, also packed.

    Raises:
        TextDataError: the file cannot be read, or a row has not what it needs.
    """
    binary, content = read_bytes(path), ""
    if binary.startswith(BINARY_TABLES):
        found = [*_object_sentences(arrow_items(path, binary), words, tags, notes)]
    else:
        content = decoded(binary, str(path), encoding)
        is_json = plain_suffix(path).startswith((".json", ".ndjson")) or content.lstrip().startswith(("{", "[{"))
        if is_json:
            found = [*_object_sentences(json_items(path, content, may_be_table=False), words, tags, notes)]
        else:
            found = [*_column_sentences(path, content, words, tags, notes)]
    if not found:
        raise _error(str(path), "words with their tags", "Fill it, or give another file", content)
    return found


def _column_sentences(path: Path, content: str, words: str, tags: str, notes: list[str]) -> Iterator[Sentence]:
    if sign := _sign_of(content):
        yield from _joined_sentences(path, content, sign)
        return
    if columns := _named_columns(content, words, tags):
        yield from _table_sentences(path, content, *columns, notes)
        return
    rows = [_cells(line, "\t" if "\t" in content else "") for line in lines_of(content)]
    named = re.match(r"# global\.columns\s*=\s*(.+)", content)  # CoNLL-U Plus
    names = named[1].split() if named else []
    is_universal = plain_suffix(path) == ".conllu" or bool(names) or any(len(r) == 10 and r[0] == "1" for r in rows)
    if {"FORM", "UPOS"} <= set(names):
        usual = str(names.index("FORM") + 1), str(names.index("UPOS") + 1)
    else:
        usual = _usual_columns(content, rows, is_universal)
    columns = words or usual[0], tags or usual[1]
    if columns[0] == columns[1]:
        raise _error(str(path), "a column of words and one of tags", "Name them: --data.words, --data.tags", content)
    if not all(column.isdecimal() and int(column) for column in columns):
        raise _error(
            str(path),
            "numbers of columns, from 1, or names of a first row",
            "Correct --data.words or --data.tags",
            columns,
        )
    word, tag = (int(column) - 1 for column in columns)
    known = {row[tag] for row in rows if len(row) > tag and row[0] != "#"}
    found: list[tuple[str, str]] = []
    comments: list[str] = []
    start = ""
    for number, row in enumerate([*rows, []], start=1):
        where = f"{path}, line {number}"
        if row and row[0].startswith("#") and not found and (is_universal or row[tag:] == [] or row[tag] not in known):
            comments.append(where)
        elif row and (row[0] == "-DOCSTART-" or (is_universal and not row[0].isdecimal())):
            continue  # in CoNLL-U a word of several, whose parts follow, or one that is not written
        elif row:
            if len(row) <= max(word, tag) or not row[word].strip():
                wanted = f"a word in column {word + 1} and its tag in column {tag + 1}"
                raise _error(where, wanted, "Correct the row, or name the columns: --data.words, --data.tags", row)
            start = start if found else where
            found.append((row[word], UNTAGGED if is_universal and row[tag] == "_" else row[tag]))
        elif found:
            yield Sentence(start, *zip(*found, strict=True))
            found = []
    if comments and not is_universal:
        notes.append(f"Lines that begin with # were taken for comments: {listed(comments, '; ')}")


def _usual_columns(content: str, rows: Sequence[Sequence[str]], is_universal: bool) -> tuple[str, str]:
    """Returns the numbers of the columns of words and tags where nothing names them."""
    if content.startswith("#begin document"):  # CoNLL-2012: file, part, number, word, part of speech
        return "4", "5"
    if is_universal:
        return "2", "4"
    plain = [row for row in rows if row and not row[0].startswith("#")]
    is_numbered = bool(plain) and all(len(row) > 2 and row[0].isdecimal() for row in plain)
    return ("2" if is_numbered else "1"), str(max(map(len, rows), default=2))


def _named_columns(content: str, words: str, tags: str) -> tuple[str, str] | None:
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


def _table_sentences(path: Path, content: str, word: str, tag: str, notes: list[str]) -> Iterator[Sentence]:
    """The sentences of a table with a row for each word, by its column of sentences, or between blank lines.

    Or those of a table with a row for each sentence, whose words and tags are lists, as pandas writes them.
    """
    form = table_form(path, content, (word, tag), False, FileConfiguration())
    (before, header), *rows = records(path, content, form)
    names = [cell.strip() for cell in header]
    word_place, tag_place = names.index(word), names.index(tag)
    cells = [(f"{path}, line {line}", row[word_place], row[tag_place]) for line, row in rows if len(row) == len(names)]
    if cells and all(_is_list(each) for _, *both in cells for each in both):
        items = ((where, {word: _list_in(own, where), tag: _list_in(tags, where)}) for where, own, tags in cells)
        yield from _object_sentences(items, word, tag, notes)
        return
    number = next((place for place, name in enumerate(names) if name.lower().startswith("sent")), None)
    found: list[tuple[str, str]] = []
    start = current = ""
    for line, row in rows:
        where = f"{path}, line {line}"
        if len(row) != len(names) or not row[word_place].strip() or not row[tag_place].strip():
            raise _error(where, f"a word under {word} and its tag under {tag}", "Correct the row", row)
        here = "" if number is None else row[number].strip()
        if found and (line > before + 1 if number is None else here not in ("", current)):
            yield Sentence(start, *zip(*found, strict=True))
            found = []
        start, current, before = start if found else where, here or current, line
        found.append((row[word_place], row[tag_place]))
    if found:
        yield Sentence(start, *zip(*found, strict=True))


def _is_list(cell: str) -> bool:
    return len(cell.strip()) > 1 and cell.strip()[0] + cell.strip()[-1] == "[]"


def _list_in(cell: str, where: str) -> list[Any]:
    """Returns the list of Python or JSON that a cell holds; NumPy prints its arrays without commas."""
    try:
        found = None if re.search(r"['\"]\s+['\"]", cell) else ast.literal_eval(cell.strip())
    except (ValueError, SyntaxError):
        found = None
    if not isinstance(found, list):
        raise _error(where, "a list such as ['Bob', 'is']", "Write the table as JSON lines or Parquet", cell)
    return found


def _cells(line: str, separator: str = "") -> list[str]:
    """Returns what stands between separators, by default spaces; not those of typography, which words may hold."""
    return [] if not line.strip() else line.split(separator) if separator else re.split("[ \t]+", line.strip(" \t"))


def _sign_of(content: str) -> str:
    """Returns the sign between the words and tags of running text, such as The/DT dog/NN; "": it is of another form."""
    lines = [_cells(line) for line in lines_of(content)[:SAMPLE] if line.strip()]
    tokens = [token for line in lines for token in line]
    if "\t" in content or len(tokens) == len(lines) or (len(lines) > 1 and {len(line) for line in lines} == {2}):
        return ""  # columns
    return next((sign for sign in "/_|" if all(len(token) > 2 and sign in token[1:-1] for token in tokens)), "")


def _joined_sentences(path: Path, content: str, sign: str) -> Iterator[Sentence]:
    for number, line in enumerate(lines_of(content), start=1):
        pairs = [token.rpartition(sign)[::2] for token in _cells(line)]
        where = f"{path}, line {number}"
        if not all(word and tag for word, tag in pairs):
            raise _error(where, f"a tag behind each word and {sign!r}", "Correct the line", line)
        if pairs:
            yield Sentence(where, *zip(*pairs, strict=True))


def _object_sentences(items: Iterator[Item], words: str, tags: str, notes: list[str]) -> Iterator[Sentence]:
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
            rows.append((where, text, _value(values, tags, TAGS, where)))
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
            raise _error(where, f"a tag for each word{empty}", "Correct the row", received)
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
        raise _error(where, wanted, "Name the keys: --data.words, --data.tags", ", ".join(values))
    if re.search("[\ud800-\udfff]", "".join(map(str, found))):
        raise _error(where, "whole characters, no half of a surrogate pair", "Correct it", found)
    return found


def _tags(where: str, text: str, spans: Any, starts: list[int], ends: list[int], changed: list[str]) -> tuple[str, ...]:
    """Returns the tags of words that begin and end at these characters of a text: B- and I- in a span, O outside."""
    tags = [OUTSIDE] * len(starts)
    for span in spans:
        parts = _parts(span) if isinstance(span, dict) else span
        start, end, label = parts if isinstance(parts, list) and len(parts) == 3 else (0, 0, "")
        if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(text) and label):
            raise _error(where, "spans [start, end, label] in the text, in characters", "Correct the span", span)
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


def spans_of(tags: Sequence[str], known: Sequence[str]) -> list[tuple[int, int, str]]:
    """Returns the spans of a sentence: first word, last word, label.

    Tags of spans are O outside, and B-, I-, E-, S- (also L-, U-, M-) and the label inside; an I-, M- or E- that
    continues nothing begins a span. Where the known tags are others, such as parts of speech, each word is a span.

    Example:
        >>> spans_of(["B-PER", "I-PER", "O", "I-LOC"], ["B-PER", "I-PER", "O", "I-LOC"])
        [(0, 1, 'PER'), (3, 3, 'LOC')]
        >>> spans_of(["at", "nn"], ["at", "nn", "vb"])
        [(0, 0, 'at'), (1, 1, 'nn')]
    """
    if not has_spans(known):
        return [(place, place, tag) for place, tag in enumerate(tags) if tag]
    spans: list[tuple[int, int, str]] = []
    is_open = False
    for place, (part, _, label) in enumerate(tag.partition("-") for tag in tags):
        if label:
            continues = is_open and part not in "BSU" and spans[-1][2] == label
            first = spans.pop()[0] if continues else place
            spans.append((first, place, label))
        is_open = bool(label) and part not in "ESLU"
    return spans


def has_spans(tags: Sequence[str]) -> bool:
    """Whether tags are those of spans: O, and others that are B-, I-, E-, S-, L-, U- or M- and a label."""
    return OUTSIDE in tags and all(re.fullmatch("[BIESLUM]-.+", tag) for tag in tags if tag != OUTSIDE)


def _error(where: str, expected: str, remedy: str, received: Any) -> TextDataError:
    return TextDataError(f"{where}: expected {expected}. {remedy}. Received: {SHORT.repr(received)}")

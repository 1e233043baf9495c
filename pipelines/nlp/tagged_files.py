"""The user's files of tagged words: columns (CoNLL), CoNLL-U, running text, and rows that name their values."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from data.files import read_bytes
from pipelines.hints import listed
from pipelines.nlp.object_tables import BINARY_TABLES, arrow_items, json_items
from pipelines.nlp.tagged_rows import (
    OUTSIDE,
    UNTAGGED,
    Sentence,
    error_at,
    named_columns,
    object_sentences,
    table_sentences,
)
from pipelines.nlp.text_files import TextDataError, decoded, lines_of, plain_suffix
from pipelines.nlp.text_tables import DELIMITERS, refuse_markup

__all__ = ["UNTAGGED", "Sentence", "TextDataError", "has_spans", "read_sentences", "spans_of"]

MANY = 200  # words of a file without sentences that is noted
SAMPLE = 100  # lines by which the form of a file is told


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
        found = [*object_sentences(arrow_items(path, binary), words, tags, notes)]
    else:
        content = decoded(binary, str(path), encoding)
        is_json = plain_suffix(path).startswith((".json", ".ndjson")) or content.lstrip().startswith(("{", "[{"))
        if is_json:
            found = [*object_sentences(json_items(path, content, may_be_table=False), words, tags, notes)]
        else:
            refuse_markup(path, content)
            found = [*_column_sentences(path, content, words, tags, notes)]
    if not found:
        raise error_at(str(path), "words with their tags", "Fill it, or give another file", content)
    if len(found) == 1 and len(found[0].words) > MANY:
        notes.append(
            f"{path} is one sentence of {len(found[0].words)} words, for nothing separates sentences. Put an empty "
            "line after each, or, in a table, a column whose name begins with sent or doc"
        )
    return found


def _column_sentences(path: Path, content: str, words: str, tags: str, notes: list[str]) -> Iterator[Sentence]:
    if sign := _sign_of(content):
        yield from _joined_sentences(path, content, sign)
        return
    if columns := named_columns(content, words, tags):
        yield from table_sentences(path, content, *columns, notes)
        return
    rows = [_cells(line, "\t" if "\t" in content else "") for line in lines_of(content)]
    if _is_delimited(path, rows) and (not words + tags or (words + tags).isdecimal()):
        yield from table_sentences(path, content, words or "1", tags, notes)
        return
    named = re.match(r"# global\.columns\s*=\s*(.+)", content)  # CoNLL-U Plus
    names = named[1].split() if named else []
    is_universal = plain_suffix(path) == ".conllu" or bool(names) or any(len(r) == 10 and r[0] == "1" for r in rows)
    if {"FORM", "UPOS"} <= set(names):
        usual = str(names.index("FORM") + 1), str(names.index("UPOS") + 1)
    else:
        usual = _usual_columns(content, rows, is_universal)
    columns = words or usual[0], tags or usual[1]
    if columns[0] == columns[1]:
        raise error_at(str(path), "a column of words and one of tags", "Name them: --data.words, --data.tags", content)
    if not all(column.isdecimal() and int(column) for column in columns):
        raise error_at(
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
                raise error_at(where, wanted, "Correct the row, or name the columns: --data.words, --data.tags", row)
            start = start if found else where
            found.append((row[word], UNTAGGED if is_universal and row[tag] == "_" else row[tag]))
        elif found:
            yield Sentence(start, *zip(*found, strict=True))
            found = []
    if comments and not is_universal:
        notes.append(f"Lines that begin with # were taken for comments: {listed(comments, '; ')}")


def _is_delimited(path: Path, rows: Sequence[Sequence[str]]) -> bool:
    """Whether commas, semicolons or bars are between the columns of rows that have been divided at tabs or spaces."""
    filled = [" ".join(row) for row in rows if row]
    may_be = plain_suffix(path) == ".csv" or max(map(len, rows), default=0) == 1
    return may_be and any(all(sign in row for row in filled) for sign in DELIMITERS)


def _usual_columns(content: str, rows: Sequence[Sequence[str]], is_universal: bool) -> tuple[str, str]:
    """Returns the numbers of the columns of words and tags where nothing names them."""
    if content.startswith("#begin document"):  # CoNLL-2012: file, part, number, word, part of speech
        return "4", "5"
    if is_universal:
        return "2", "4"
    plain = [row for row in rows if row and not row[0].startswith("#")]
    is_numbered = bool(plain) and all(len(row) > 2 and row[0].isdecimal() for row in plain)
    return ("2" if is_numbered else "1"), str(max(map(len, plain or rows), default=2))


def _cells(line: str, separator: str = "") -> list[str]:
    """Returns what stands between separators, by default spaces; not those of typography, which words may hold."""
    line = line.rstrip("\t ").lstrip("" if separator else "\t ")
    return [] if not line.strip() else line.split(separator) if separator else re.split("[ \t]+", line)


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
            raise error_at(where, f"a tag behind each word and {sign!r}", "Correct the line", line)
        if pairs:
            yield Sentence(where, *zip(*pairs, strict=True))


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

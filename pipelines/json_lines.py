"""A row of a file of JSON lines, read strictly: one object, each name once."""

import json
import re
import reprlib
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

LINES = (".jsonl", ".ndjson")
JSON = (".json", *LINES)
"""How the names of such files end."""

_BEGIN = re.compile(r"\S")
_SHORT = reprlib.Repr()
_SHORT.maxstring = 200


def json_object(line: str, where: str, error: type[ValueError]) -> dict[str, Any]:
    """Returns the object that a line holds.

    Args:
        line: the row.
        where: the file and the row, for the message.
        error: what to raise, an error of the caller's.

    Raises:
        error: the line is no JSON, holds no object, or names something twice.

    Example:
        >>> json_object('{"text": "one"}', "a.jsonl, line 1", ValueError)
        {'text': 'one'}
        >>> json_object('{"text": "one", "text": "two"}', "a.jsonl, line 1", ValueError)
        Traceback (most recent call last):
        ...
        ValueError: a.jsonl, line 1: expected each name once. ... Received: 'text' more than once in ...
    """

    try:
        values = parsed(line, where, error)
    except json.JSONDecodeError as cause:
        if not line.lstrip().startswith("["):
            raise _not_json(where, error, cause) from cause
        values = None  # the first line of a list over many lines
    if not isinstance(values, dict):
        raise error(
            f"{where}: expected one JSON object in braces per line. Correct it; a list of all is converted by "
            f"`jq -c '.[]'`. Received: {_SHORT.repr(line)}"
        )
    return values


def parsed(text: str, where: str, error: type[ValueError]) -> Any:
    """Returns what JSON text holds.

    Args:
        text: the JSON.
        where: what it is from, for the message.
        error: what to raise, an error of the caller's.

    Raises:
        error: an object names something twice.
        json.JSONDecodeError: it is no JSON.
    """
    return _decoder(text, where, error).decode(text)


def parsed_in_a_row(text: str, where: str, error: type[ValueError]) -> list[Any]:
    """Returns the values that JSON text holds one after the other, as `jq` writes them; arguments as of `parsed`.

    Raises:
        error: the text is no JSON, or an object names something twice.

    Example:
        >>> parsed_in_a_row('{"text": "one"}{\\n"text": "two"}\\n', "a.json", ValueError)
        [{'text': 'one'}, {'text': 'two'}]
    """
    decoder, values, place, text = _decoder(text, where, error), [], 0, text.rstrip()
    while begin := _BEGIN.search(text, place):
        try:
            value, place = decoder.raw_decode(text, begin.start())
        except json.JSONDecodeError as cause:
            raise _not_json(where, error, cause) from cause
        values.append(value)
    return values


def _not_json(where: str, error: type[ValueError], cause: json.JSONDecodeError) -> ValueError:
    line = cause.doc.split("\n")[cause.lineno - 1]
    return error(f"{where} is not JSON: {cause}. Correct it, or remove it. Received: {_SHORT.repr(line)}")


def _decoder(text: str, where: str, error: type[ValueError]) -> json.JSONDecoder:
    def refused(repeated: list[str]) -> ValueError:
        return error(
            f"{where}: expected each name once. Remove the duplicates. "
            f"Received: {', '.join(map(repr, repeated))} more than once in {_SHORT.repr(text)}"
        )

    return json.JSONDecoder(object_pairs_hook=partial(each_once, refused=refused))


def each_once(pairs: list[tuple[str, Any]], refused: Callable[[list[str]], ValueError]) -> dict[str, Any]:
    """Returns an object of JSON; raises what `refused` returns for names that it has more than once."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = Counter(name for name, _ in pairs)
        raise refused([name for name, count in names.items() if count > 1])
    return found

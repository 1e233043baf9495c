"""Requests and answers in TensorFlow Serving's JSON: rows (`instances`) or columns (`inputs`)."""

import base64
import binascii
import contextlib
import json
from collections.abc import Mapping
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import orjson
import tensorflow as tf

from pipelines.json_lines import each_once
from serving.errors import RequestError
from serving.options import Limits

Arrays = dict[str, np.ndarray]


def parsed(body: bytes, name: str = "The body") -> dict[str, Any]:
    """Returns a JSON object.

    Args:
        body: bytes of UTF-8.
        name: of them, in messages.

    Raises:
        RequestError: the bytes are something else.
    """
    try:
        value = json.loads(body, object_pairs_hook=partial(each_once, refused=_twice))
    except RequestError:
        raise
    except (ValueError, RecursionError) as error:
        known = isinstance(error, json.JSONDecodeError | UnicodeDecodeError)
        cause = str(error) if known else "its lists are too deep, or a number has too many digits"
        raise RequestError(f"{name} is not JSON: {cause}. Send an object. Received: {len(body)} bytes") from None
    if not isinstance(value, dict):
        raise RequestError(f"{name} is not a JSON object. Expected {{…}}. Received: {_short(value)}")
    return value


def _twice(names: list[str]) -> RequestError:
    return RequestError(f"An object has a field twice. Expected each once. Remove one. Received: {_short(names[0])}")


def inputs_of(request: Mapping[str, Any], kinds: Mapping[str, tf.TensorSpec], limits: Limits) -> tuple[Arrays, bool]:
    """Returns the inputs of a signature as arrays, and whether they came by rows.

    Args:
        request: with `instances` or `inputs`.
        kinds: the specification of each input.
        limits: of the request.

    Raises:
        RequestError: they do not fit; the message names the input.

    Example:
        >>> kinds = {"value": tf.TensorSpec([None], tf.float32)}
        >>> limits = Limits(rows=32)
        >>> inputs_of({"instances": [1, 2.5]}, kinds, limits), inputs_of({"inputs": {"value": [1]}}, kinds, limits)
        (({'value': array([1. , 2.5], dtype=float32)}, True), ({'value': array([1.], dtype=float32)}, False))
    """
    if unknown := request.keys() - {"signature_name", "instances", "inputs"}:
        raise RequestError(
            f"The request has unknown fields. Expected signature_name, and instances or inputs. Remove them. "
            f"Received: {', '.join(sorted(unknown))}"
        )
    if ("instances" in request) == ("inputs" in request):
        raise RequestError(
            "Expected either `instances`, a list of rows, or `inputs`, columns by name. Give one of them. "
            f"Received: {'both' if 'inputs' in request else 'none'}"
        )
    is_rows = "instances" in request
    columns = _columns_of_rows(request["instances"], kinds) if is_rows else _columns(request["inputs"], kinds)
    if columns.keys() != kinds.keys():
        missing, more = sorted(kinds.keys() - columns.keys()), sorted(columns.keys() - kinds.keys())
        problem = f"request lacks {', '.join(missing)}"
        if not missing:
            problem = f"signature has no input {', '.join(map(_short, more))}"
        raise RequestError(
            f"inputs: the {problem}. Expected each of {', '.join(sorted(kinds))}. "
            f"Received: {', '.join(sorted(columns)) or 'none'}"
        )
    arrays = {name: array_of(name, columns[name], kind) for name, kind in kinds.items()}
    check_limits(arrays, kinds, limits)
    return arrays, is_rows


def check_limits(arrays: Arrays, kinds: Mapping[str, tf.TensorSpec], limits: Limits) -> None:
    """Refuses inputs of different numbers of rows, of too many, of too many steps, or of texts too different in length.

    An integer input `length` is how many steps a signature takes for each row, one after the other.
    """
    rows = {name: len(array) for name, array in arrays.items() if is_batched(kinds[name])}
    if len(set(rows.values())) > 1:
        received = ", ".join(f"{name}: {count}" for name, count in rows.items())
        raise RequestError(f"Inputs have different numbers of rows. Expected as many of each. Received: {received}")
    if rows and max(rows.values()) > limits.rows:
        raise RequestError(
            f"The batch is too large. Expected {limits.rows} rows at most. Send several requests. "
            f"Received: {max(rows.values())}",
            413,
        )
    if "length" in arrays and kinds["length"].dtype.is_integer:
        steps = int(np.sum(np.maximum(arrays["length"], 0), dtype=np.int64))
        if steps > limits.steps:
            raise RequestError(
                f"length: expected {limits.steps} steps at most, in all rows together. Ask for fewer, stream them, or "
                f"raise --steps of the server. Received: {steps}",
                413,
            )
    for name, array in arrays.items():
        if (padded := array.size * longest(array)) > limits.padded_bytes:
            raise RequestError(
                f"{name}: its rows differ too much in length, and a model pads them. Expected "
                f"{limits.padded_bytes:.0f} bytes at most. Send long ones alone. Received: {padded} bytes",
                413,
            )


def longest(array: np.ndarray) -> int:
    """Returns the bytes of the longest text of an array; 0 for numbers."""
    return max(map(len, array.flat), default=0) if array.dtype == object else 0


def answer_of(arrays: Mapping[str, np.ndarray], is_rows: bool) -> dict[str, Any]:
    """Returns the answer as TensorFlow Serving gives it: `predictions` by rows, or `outputs` by columns.

    Example:
        >>> answer_of({"label": np.array([b"good"], object), "score": np.array([0.5])}, is_rows=True)
        {'predictions': [{'label': 'good', 'score': 0.5}]}
        >>> answer_of({"label": np.array([b"good"], object)}, is_rows=False)
        {'outputs': ['good']}
    """
    columns = {name: _plain(array, name.endswith("_bytes")) for name, array in arrays.items()}
    if not is_rows:
        return {"outputs": columns if len(columns) != 1 else next(iter(columns.values()))}
    rows = {len(array) if array.ndim else None for array in arrays.values()}
    if len(rows) > 1 or None in rows:
        raise RequestError("The outputs have no common rows. Ask with `inputs` instead. Received: instances")
    if len(columns) == 1:
        return {"predictions": next(iter(columns.values()))}
    return {"predictions": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]}


def request_of(signature: str, inputs: Mapping[str, np.ndarray]) -> bytes:
    """Returns what a client sends who asks a signature.

    Example:
        >>> request_of("step", {"value": np.array([1.5])})
        b'{"signature_name":"step","inputs":{"value":[1.5]}}'
    """
    columns = b",".join(to_json(name) + b":" + _column(array) for name, array in inputs.items())
    return b'{"signature_name":' + to_json(signature) + b',"inputs":{' + columns + b"}}"


def _column(array: np.ndarray) -> bytes:
    if array.dtype in (np.float32, np.float64) and array.ndim and np.isfinite(array).all():  # in half the bytes
        return orjson.dumps(np.ascontiguousarray(array), option=orjson.OPT_SERIALIZE_NUMPY)
    return to_json(_plain(array))


def to_json(value: Any) -> bytes:
    """Returns JSON; numbers that are none as `NaN`, as TensorFlow Serving writes them.

    Example:
        >>> to_json({"mean": [0.1, 2]}), to_json([float("nan"), None])
        (b'{"mean":[0.1,2]}', b'[NaN,null]')
    """
    with contextlib.suppress(TypeError):  # halves of surrogates, huge integers, keys that are numbers
        if b"null" not in (content := orjson.dumps(value)):  # so does orjson write NaN
            return content
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")


def _columns_of_rows(rows: Any, kinds: Mapping[str, tf.TensorSpec]) -> dict[str, Any]:
    if not isinstance(rows, list) or not rows:
        raise RequestError(f"instances: expected a list of rows, one at least. Received: {_short(rows)}")
    named = [isinstance(row, dict) and row.keys() != {"b64"} for row in rows]
    if not any(named):
        return {_only(kinds): rows}
    for number, row in enumerate(rows):
        if not named[number] or row.keys() != rows[0].keys():
            raise RequestError(
                f"instances[{number}]: expected the same inputs by name as in the row before, "
                f"{', '.join(sorted(map(str, rows[0])) if isinstance(rows[0], dict) else [])}. Received: {_short(row)}"
            )
    return {name: [row[name] for row in rows] for name in rows[0]}


def _columns(inputs: Any, kinds: Mapping[str, tf.TensorSpec]) -> dict[str, Any]:
    return dict(inputs) if isinstance(inputs, dict) and inputs.keys() != {"b64"} else {_only(kinds): inputs}


def _only(kinds: Mapping[str, tf.TensorSpec]) -> str:
    if len(kinds) != 1:
        raise RequestError(
            f"A value without a name belongs to no input. Expected each of {', '.join(sorted(kinds))} by name. "
            "Received: values without names"
        )
    return next(iter(kinds))


def array_of(name: str, value: Any, kind: tf.TensorSpec) -> np.ndarray:
    """Returns a value as an array of the type and shape of an input."""
    expected = f"Expected {kind.dtype.name} of shape {tuple(kind.shape)}, None: any size"
    try:
        array = np.array(_bytes(name, value), object) if kind.dtype == tf.string else _numbers(value, kind)
    except (ValueError, OverflowError, RecursionError) as error:
        if isinstance(error, RequestError):
            raise
        raise _ragged(name, expected, value) from None
    if kind.dtype != tf.string and array.size:
        wanted, kinds = kind.dtype.as_numpy_dtype, "b" if kind.dtype == tf.bool else "iuf"
        if array.dtype.kind not in kinds or (array.dtype.kind != "b" and _has_bool(value, array.ndim)):
            raise RequestError(f"{name}: holds what is no {kind.dtype.name}. {expected}. Received: {_short(value)}")
        with np.errstate(all="ignore"):
            cast = array.astype(wanted)
        if kind.dtype.is_integer and (wrong := np.argwhere(cast != array)).size:
            received = f"{array[tuple(wrong[0])]} as {name}{''.join(f'[{place}]' for place in wrong[0])}"
            raise RequestError(f"{name}: holds what is no {kind.dtype.name}. {expected}. Received: {received}")
        array = cast
    elif kind.dtype != tf.string:
        array = array.astype(kind.dtype.as_numpy_dtype)
        if array.ndim < len(kind.shape) and not array.size:  # [] has no rows, [[]] one without steps
            array = array.reshape(*array.shape, *[size or 0 for size in kind.shape[array.ndim :]])
    if kind.dtype == tf.string and any(isinstance(each, list) for each in array.ravel()):
        raise _ragged(name, expected, value)
    if not kind.shape.is_compatible_with(array.shape):
        raise RequestError(f"{name}: has another shape. {expected}. Received: shape {array.shape}")
    return array


def _ragged(name: str, expected: str, value: Any) -> RequestError:
    return RequestError(f"{name}: its lists differ in length or depth. {expected}. Pad them. Received: {_short(value)}")


def _numbers(value: Any, kind: tf.TensorSpec) -> np.ndarray:
    """Returns numbers as an array; null, of a float, is a number that is missing."""
    array = np.array(value)
    is_missing = array.dtype == object and {type(each) for each in array.flat} <= {type(None), int, float}
    with contextlib.suppress(OverflowError):  # an integer beyond all floats stays what it is
        return array.astype(np.float64) if is_missing and kind.dtype.is_floating else array
    return array


def _has_bool(value: Any, depth: int) -> bool:
    """Whether lists of numbers have true or false among them, which NumPy would take for 1 or 0."""
    values = value if depth else [value]
    for _ in range(depth - 1):
        values = chain.from_iterable(values)
    return bool in set(map(type, values))


def _bytes(name: str, value: Any) -> Any:
    """Returns strings, and bytes as base64, as bytes."""
    if isinstance(value, list):
        return [_bytes(name, each) for each in value]
    try:
        if isinstance(value, str):
            return value.encode()
        if isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str):
            return base64.b64decode("".join(value["b64"].split()), validate=True)  # encoders may break lines
    except (UnicodeEncodeError, binascii.Error, ValueError) as error:
        raise RequestError(f"{name}: cannot be decoded: {error}. Received: {_short(value)}") from None
    raise RequestError(f'{name}: expected strings, or {{"b64": …}} for bytes. Received: {_short(value)}')


def _plain(array: np.ndarray, as_bytes: bool = False) -> Any:
    if array.dtype != object:
        return array.tolist()
    return _text(array.tolist(), as_bytes)


def _text(value: Any, as_bytes: bool) -> Any:
    if isinstance(value, list):
        return [_text(each, as_bytes) for each in value]
    try:
        if not as_bytes:
            return value.decode()
    except UnicodeDecodeError:  # a part of a character
        pass
    return {"b64": base64.b64encode(value).decode()}


def is_batched(kind: tf.TensorSpec) -> bool:
    """Whether a tensor has any number of rows."""
    return bool(kind.shape.rank) and kind.shape[0] is None


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)[:200] if not isinstance(value, list) else f"a list of {len(value)}"
    return text if len(text) <= 80 else text[:80] + "…"

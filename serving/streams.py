"""Streams over WebSockets: what a predictor's `stream()` or a method with `stream=True` answers, piece by piece.

A client sends JSON objects, and arrays as bytes:

- first, if anything, `{"array": {"dtype": "int16", "shape": [-1]}}`, what the bytes hold, and `"options"` of `stream`;
  or `{"method": "generate", "arguments": {…}}`, which is answered piece by piece;
- then bytes, or `{"feed": value, …}` with further arguments of `feed`: answered by `{"answer": …}`; an array may also
  be a value, in lists;
- last `{"finish": true}`: answered by `{"finish": …}`, and the stream is closed.

An error is `{"error": "…"}`, and the stream is closed.
"""

import inspect
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from pipelines.errors import message_for_user
from serving.errors import RequestError, message_of
from serving.exports import Model
from serving.messages import array_of, parsed

DTYPES = ("uint8", "int16", "int32", "float32")
SCALARS = (str, int, float, bool)
CHECKED_BY_MODEL = ("hot_words", "reading")  # words, or the weight of each; how times are written
_SETTING = re.compile(r"(?:--)?\bdata\.(?=(?:time|time_format|timezone|series)\b)")
_REMEDY = re.compile(r",? or [^,;.]*, --data\.(?!(?:time|time_format|timezone|series)\b)\w+( '[^']*')?(?=[.;])")


class Conversation:
    """One stream: answers message after message.

    Args:
        model: what is asked.

    Attributes:
        answered: how many answers there were.
        is_finished: whether no message is expected any more.
        has_pieces: whether a message has several answers, the pieces of what a method writes.
    """

    def __init__(self, model: Model) -> None:
        self._model, self.answered = model, 0
        self._fields = ""  # of the message that is answered
        self._stream: Any = None
        self._array: tuple[str, tuple[int, ...]] | None = None
        self._begun = self.is_finished = self.has_pieces = False

    def answers(self, message: str | bytes) -> Iterator[dict[str, Any]]:
        """Yields the answers to a message.

        Raises:
            RequestError: the message cannot be used.
        """
        try:
            for answer in self._answers(message):
                self.answered += 1
                yield answer
        except tf.errors.InvalidArgumentError as error:
            raise RequestError(message_of(error)) from error
        except RequestError:
            raise
        except Exception as error:
            if (text := message_for_user(error)) is None or isinstance(error, OSError):
                if isinstance(error, TypeError | ValueError | ArithmeticError | AttributeError | LookupError):
                    raise RequestError(f"{self._fields}: the model takes other values. See its page.") from error
                raise
            raise RequestError(_of_fields(text)) from error

    def _answers(self, message: str | bytes) -> Iterator[dict[str, Any]]:
        if isinstance(message, bytes):
            self._fields = "feed"
            yield {"answer": jsonable(self._opened().feed(self._decoded(message)))}
            return
        request = parsed(message.encode(), "The message")
        self._fields = ", ".join(request)
        if "method" in request:
            _refuse_unknown(request, {"method", "arguments"})
            self._first()
            self.has_pieces = True
            for piece in self._pieces(request["method"], request.get("arguments", {})):
                yield {"answer": jsonable(piece)}
            self.is_finished = True
            yield {"finish": None}
        elif "feed" in request:
            value, options = request.pop("feed"), request
            stream = self._opened()
            parameters = inspect.signature(stream.feed).parameters
            _refuse_unknown(options, set(parameters))
            if isinstance(value, dict):
                _refuse_nested("feed", value, (*SCALARS, type(None)))
            if isinstance(value, list) and next(iter(parameters.values())).annotation is np.ndarray:
                value = self._of_lists(value)
            yield {"answer": jsonable(stream.feed(value, **options))}
        elif "finish" in request:
            _refuse_unknown(request, {"finish"})
            if request["finish"] is not True:
                raise RequestError(f"finish: expected true. Correct it. Received: {request['finish']!r}")
            self.is_finished = True
            yield {"finish": jsonable(self._opened().finish())}
        else:
            _refuse_unknown(request, {"array", "options"})
            self._first()
            self._start(request.get("options", {}), request.get("array"))

    def _first(self) -> None:
        if self._begun:
            raise RequestError("The stream has begun. Expected bytes, feed or finish. Open another stream.")
        self._begun = True

    def _start(self, options: Any, array: Any) -> None:
        if array is not None:
            self._array = _checked_array(array)
        self._open(options)

    def _open(self, options: Any) -> None:
        predictor = self._model.predictor
        if not hasattr(predictor, "stream"):
            raise RequestError("The model does not stream. Expected one that does. Ask :predict instead.", 404)
        self._stream = predictor.stream(**_checked_arguments("options", predictor.stream, options))

    def _opened(self) -> Any:
        if self._stream is None:
            self._begun = True
            self._open({})
        return self._stream

    def _of_lists(self, value: list[Any]) -> np.ndarray:
        if self._array is None:
            raise RequestError(
                "feed: a list came before it was known what it holds. Send first: "
                f'{{"array": {{"dtype": "uint8", "shape": [height, width, channels]}}}}. Received: {len(value)} items'
            )
        dtype, shape = self._array
        return array_of("feed", value, tf.TensorSpec([None if size < 0 else size for size in shape], dtype))

    def _decoded(self, message: bytes) -> np.ndarray:
        if self._array is None:
            raise RequestError(
                "Bytes came before it was known what they hold. Send first: "
                f'{{"array": {{"dtype": "int16", "shape": [-1]}}}}. Received: {len(message)} bytes'
            )
        dtype, shape = self._array
        items = math.prod(size for size in shape if size > 0) * np.dtype(dtype).itemsize
        if not message or len(message) % items or (-1 not in shape and len(message) != items):
            raise RequestError(
                f"The bytes do not fill an array {dtype} {list(shape)}. Expected {items} bytes"
                f"{', or a multiple' if -1 in shape else ''}. Received: {len(message)}"
            )
        return np.frombuffer(message, np.dtype(dtype).newbyteorder("<")).reshape(shape)

    def _pieces(self, name: Any, arguments: Any) -> Iterator[Any]:
        predictor = self._model.predictor
        methods = [each for each, _ in inspect.getmembers(type(predictor), inspect.isfunction) if each[0] != "_"]
        streaming = [each for each in methods if "stream" in inspect.signature(getattr(predictor, each)).parameters]
        if name not in streaming:
            raise RequestError(f"method: expected one of: {', '.join(streaming) or 'none'}. Received: {name!r}")
        method: Callable[..., Iterator[Any]] = getattr(predictor, name)
        return method(**_checked_arguments("arguments", method, arguments) | {"stream": True})


def jsonable(value: Any) -> Any:
    """Returns a predictor's answer as JSON takes it.

    Example:
        >>> jsonable({"a": np.float32(0.5), "b": (np.arange(2),)})
        {'a': 0.5, 'b': [[0, 1]]}
    """
    if isinstance(value, pd.DataFrame):
        return jsonable(value.to_dict("records"))
    if hasattr(value, "_asdict"):
        return jsonable(value._asdict())
    if isinstance(value, Mapping):
        return {str(name): jsonable(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(each) for each in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value


def _of_fields(message: str) -> str:
    """Returns a message with the fields that a client sends in place of the options of a command line.

    Example:
        >>> _of_fields("Name the zone, --data.timezone, or leave it out, --data.unused 'load'. Received: 1")
        'Name the zone, options.reading.timezone. Received: 1'
    """
    return _SETTING.sub("options.reading.", _REMEDY.sub("", message))


def _checked_array(array: Any) -> tuple[str, tuple[int, ...]]:
    shape = array.get("shape", [-1]) if isinstance(array, dict) else None
    fits = (
        isinstance(shape, list)
        and 0 < len(shape) <= 4
        and all(isinstance(size, int) and not isinstance(size, bool) and (size > 0 or size == -1) for size in shape)
        and shape.count(-1) <= 1
        and array.keys() <= {"dtype", "shape"}
        and array.get("dtype") in DTYPES
    )
    if not fits:
        raise RequestError(
            f"array: expected a dtype of {', '.join(DTYPES)}, and a shape of up to four sizes, -1 for any. "
            f"Received: {json.dumps(array)}"
        )
    return array["dtype"], tuple(array.get("shape", [-1]))


def _checked_arguments(field: str, function: Callable[..., Any], arguments: Any) -> dict[str, Any]:
    """Returns arguments that are texts or numbers, or the model checks; a path of a file would be one on the server."""
    parameters = inspect.signature(function).parameters
    kinds = {name: each.annotation for name, each in parameters.items()}
    allowed = {name for name, kind in kinds.items() if kind in SCALARS or name in ("prompt", *CHECKED_BY_MODEL)}
    allowed -= {"stream"}
    if not isinstance(arguments, dict):
        raise RequestError(f"{field}: expected an object. Received: {json.dumps(arguments)}")
    _refuse_unknown(arguments, allowed)
    plain = {name: value for name, value in arguments.items() if name not in CHECKED_BY_MODEL}
    _refuse_nested(field, plain, SCALARS)
    return arguments


def _refuse_nested(field: str, values: Mapping[str, Any], kinds: tuple[type, ...]) -> None:
    if wrong := [name for name, value in values.items() if not isinstance(value, kinds)]:
        raise RequestError(f"{field}.{wrong[0]}: expected a text or a number. Received: {json.dumps(values[wrong[0]])}")


def _refuse_unknown(request: Mapping[str, Any], known: set[str]) -> None:
    if unknown := request.keys() - known:
        raise RequestError(
            f"The message has unknown fields. Expected {', '.join(sorted(known)) or 'none'}. Remove them. "
            f"Received: {', '.join(sorted(unknown))}"
        )

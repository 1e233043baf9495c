"""Arguments of the Python API: a wrong one is an error that names it, what it may be, and what it was."""

import inspect
import io
import math
import numbers
import reprlib
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from functools import cache, wraps
from pathlib import Path
from typing import IO, Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from pipelines.configuration import ConfigurationError, did_you_mean

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

NUMBERS = {int: numbers.Integral, float: numbers.Real}  # NumPy's, too


def checked(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Returns a function that compares its arguments with its type hints before it runs.

    The elements of a collection are left to the function, which names their place. A set, which has no order, fits
    only a hint that names `Set`.

    Raises:
        ConfigurationError: an argument is unknown, missing, or of a type that the hints exclude.

    Example:
        >>> @checked
        ... def generate(prompt: str, *, temperature: float = 0.8) -> str:
        ...     return prompt
        >>> generate(3)
        Traceback (most recent call last):
        ...
        pipelines.configuration.ConfigurationError: prompt: expected str. Change it. Received: 3, of type int
        >>> generate("In the", tempertaure=1)
        Traceback (most recent call last):
        ...
        pipelines.configuration.ConfigurationError: generate has no argument 'tempertaure'. ... 'temperature'? ...
    """
    signature = inspect.signature(function)
    # Once, and not before the first call: a hint may name a class that is defined further below.
    hints_of_arguments = cache(lambda: get_type_hints(function))

    @wraps(function)
    def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise ConfigurationError(_explained(function.__name__, signature, kwargs, error)) from None
        hints = hints_of_arguments()
        for name, value in bound.arguments.items():
            if name in hints and not _fits(value, hints[name]):
                if isinstance(value, set | frozenset) and _fits(list(value), hints[name]):
                    raise ConfigurationError(
                        f"{name}: a set has no order, and answers come in that of their inputs. Expected "
                        f"{_described(hints[name])}. Pass sorted({name}), and keep it. "
                        f"Received: {reprlib.repr(value)}"
                    )
                raise ConfigurationError(
                    f"{name}: expected {_described(hints[name])}. {_remedy(value, hints[name])} "
                    f"Received: {' '.join(reprlib.repr(value).split())}, of type {type(value).__name__}"
                )
        return function(*args, **kwargs)

    return call


def in_range(name: str, value: float, low: float, high: float = math.inf, below: float = math.inf) -> None:
    """Refuses a number outside of `low` to `high`, or one that is not below `below`.

    Raises:
        ConfigurationError: it is there.

    Example:
        >>> in_range("overlap", 1.5, 0, below=1)
        Traceback (most recent call last):
        ...
        pipelines.configuration.ConfigurationError: overlap: expected at least 0 and less than 1. ... Received: 1.5
    """
    if not low <= value <= high or value >= below:
        limit = f" and less than {below:g}" if below < math.inf else f" and at most {high:g}" if high < math.inf else ""
        raise ConfigurationError(f"{name}: expected at least {low:g}{limit}. Change it. Received: {value:g}")


def _explained(name: str, signature: inspect.Signature, given: Iterable[str], error: TypeError) -> str:
    """Returns what is wrong with the number or the names of some arguments."""
    names = [each for each in signature.parameters if each != "self"]
    expected = f"Expected {', '.join(names)}." if names else "Expected none."
    if unknown := [each for each in given if each not in names]:
        advice = did_you_mean(unknown[0], names) or " Leave it out."
        return f"{name} has no argument {unknown[0]!r}. {expected}{advice} Received: {unknown[0]}"
    return f"The arguments of {name} do not fit. {expected} Give these. Received: {error}"


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value is of a kind, as a type hint names it; what is inside of a collection is not looked at."""
    if kind is Any or isinstance(kind, TypeVar):
        return True
    if kind is None:
        return value is None
    if (origin := get_origin(kind)) is not None:
        if origin is Literal:
            return value in get_args(kind)
        if origin in (Union, types.UnionType):
            return any(_fits(value, each) for each in get_args(kind))
        # These are iterable, but no one means their characters, keys or columns.
        is_other = isinstance(value, str | bytes | Mapping) or hasattr(value, "columns")
        is_other |= getattr(value, "shape", None) == ()  # a NumPy array of one thing only looks iterable
        is_other |= isinstance(value, set | frozenset) and origin is not Set
        return isinstance(value, origin) and (origin is Mapping or not is_other)
    if kind in NUMBERS:
        return isinstance(value, NUMBERS[kind]) and not isinstance(value, bool)
    if issubclass(kind, IO):  # anything that may be read like a file, or converts itself: its reader judges
        return not isinstance(value, numbers.Number | bytes | None)
    return isinstance(value, kind)


def _remedy(value: Any, kind: Any) -> str:
    """Returns how a value becomes one of a kind, for those in which texts and files are kept."""
    if isinstance(value, bytes | io.IOBase) and _fits(Path(), kind):
        return "Write it to a file, and pass its path."
    if not _fits([], kind):
        return "Change it."
    if hasattr(value, "columns"):
        return 'Pass one of its columns: frame["column"].'
    if isinstance(value, Mapping):
        return "Pass its values: list(mapping.values())."
    return "Read the file: path.read_text()." if isinstance(value, Path) else "Change it."


def _described(kind: Any) -> str:
    """Returns the types that a hint allows, in the words of Python.

    >>> _described(str | Iterable[str] | None)
    'str, Iterable[str] or None'
    """
    names = list(dict.fromkeys(_names(kind)))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _names(kind: Any) -> Iterator[str]:
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        for part in parts:
            yield from _names(part)
    elif origin is Literal:
        yield from map(repr, parts)
    elif origin is not None and parts:
        yield f"{origin.__name__}[{', '.join(' | '.join(_names(part)) for part in parts)}]"
    elif kind in (None, type(None)):
        yield "None"
    else:
        yield "Path" if kind is Path else getattr(kind, "__name__", str(kind))

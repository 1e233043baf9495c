"""Whether data are the same as before: one short text for all that a task's `data.load` returns."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType, MethodWrapperType, ModuleType
from typing import Any

import numpy as np

BLOCK, BLOCKS = 1 << 13, 8
"""Of a larger file, so many blocks of so many bytes are read, evenly spread."""

PLAIN = (str, int, float, bool, bytes, complex, type(None))


def fingerprint(data: Any) -> str:
    """Returns 32 hexadecimal digits that are the same for the same data in every process, and differ for others.

    Order counts, except in sets and dictionaries. Files count by their size and content, not by name or time: eight
    evenly spread blocks of a file that is larger than 64 KiB, so an equally large file that differs elsewhere goes
    unnoticed. Functions count by name, by the arguments bound to them, and by what they enclose. Other objects count by
    their public attributes, for the private ones hold what was computed meanwhile; a `tf.data.Dataset` by its elements'
    types and shapes.

    Args:
        data: Named tuples, data classes, mappings, sequences, arrays, tensors, tables, paths, and what contains them.

    Example:
        >>> first = fingerprint({"text": ["one", "two"], "labels": np.array([0, 1])})
        >>> first == fingerprint({"labels": np.array([0, 1]), "text": ["one", "two"]})
        True
        >>> first == fingerprint({"labels": np.array([1, 0]), "text": ["one", "two"]})
        False
    """
    return _digest(data, frozenset()).hex()


def _digest(value: Any, inside: frozenset[int]) -> bytes:
    """Returns the digest of a value inside the objects of these identities, so that a cycle ends."""
    if id(value) in inside:
        return b"cycle"
    parts = _parts(value, inside | {id(value)})
    return _hashed([_kind(value).encode(), *parts])


def _parts(value: Any, inside: frozenset[int]) -> Iterable[bytes | memoryview]:
    """Returns the bytes that tell a value from others of its kind."""
    kind, module = type(value), type(value).__module__.partition(".")[0]
    if isinstance(value, PLAIN):
        return [repr(value).encode()]
    if isinstance(value, np.memmap) and value.filename is not None:
        return [repr((value.dtype, value.shape, value.offset)).encode(), *_file_parts(Path(value.filename))]
    if isinstance(value, np.ndarray | np.generic):
        return _array_parts(np.asarray(value), inside)
    if isinstance(value, os.PathLike) and not hasattr(value, "__dict__"):
        return _path_parts(Path(value))
    if isinstance(value, Mapping):
        return sorted(_digest(key, inside) + _digest(item, inside) for key, item in value.items())
    if isinstance(value, set | frozenset):
        return sorted(_digest(item, inside) for item in value)
    if isinstance(value, list | tuple):
        if all(type(item) in PLAIN for item in value):  # one text for all of them, which is much faster
            return [repr(list(value)).encode()]
        return [_digest(item, inside) for item in value]
    if isinstance(value, partial):
        return [_digest(each, inside) for each in (value.func, value.args, value.keywords)]
    if isinstance(value, MethodType):
        return [_digest(each, inside) for each in (value.__func__, value.__self__)]
    if isinstance(value, MethodWrapperType):  # such as an array's `__getitem__`, whose text names a place in memory
        return [value.__name__.encode(), _digest(value.__self__, inside)]
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return [value.__qualname__.encode(), _digest([cells, value.__defaults__], inside)]
    if isinstance(value, type | ModuleType | BuiltinFunctionType):
        return [getattr(value, "__qualname__", value.__name__).encode()]
    if module == "pandas" and hasattr(value, "to_numpy"):
        columns = [value[name] for name in value] if hasattr(value, "columns") else [value]
        heads = [str(each) for each in getattr(value, "columns", [getattr(value, "name", None)])]
        index = [value.index.to_numpy()] if hasattr(value, "index") else []
        return [_digest([heads, index, [each.to_numpy() for each in columns]], inside)]
    if callable(getattr(value, "numpy", None)) and hasattr(value, "dtype"):
        return _array_parts(np.asarray(value), inside)
    if hasattr(value, "element_spec"):
        return [repr(value.element_spec).encode()]
    if module == "tensorflow_datasets" and hasattr(value, "data_dir"):
        return _path_parts(Path(value.data_dir))
    if attributes := _attributes(value):
        return [_digest(attributes, inside)]
    return [] if kind.__repr__ is object.__repr__ else [repr(value).encode()]


def _kind(value: Any) -> str:
    if isinstance(value, os.PathLike):
        return "path"  # of whichever operating system
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _attributes(value: Any) -> dict[str, Any]:
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    names = [name for name in (*getattr(value, "__dict__", ()), *slots) if not name.startswith("_")]
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


def _array_parts(array: np.ndarray, inside: frozenset[int]) -> list[bytes | memoryview]:
    head = repr((array.dtype, array.shape)).encode()
    if array.dtype.hasobject:
        return [head, _digest(array.ravel().tolist(), inside)]
    return [head, np.ascontiguousarray(array).reshape(-1).view(np.uint8).data]


def _path_parts(path: Path) -> list[bytes]:
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.is_file())
        return [_hashed([str(each.relative_to(path)).encode(), *_file_parts(each)]) for each in files]
    return _file_parts(path) if path.is_file() else [b"missing", str(path).encode()]


def _file_parts(path: Path) -> list[bytes]:
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= BLOCK * BLOCKS:
            return [str(size).encode(), file.read()]
        blocks = []
        for number in range(BLOCKS):
            file.seek(number * (size - BLOCK) // (BLOCKS - 1))
            blocks.append(file.read(BLOCK))
    return [str(size).encode(), *blocks]


def _hashed(parts: Iterable[bytes | memoryview]) -> bytes:
    """Returns a digest of the parts, and of where one ends and the next begins."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()

"""Arrays in Zarr stores, folders or zip files of chunks, which need the library zarr."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.video.containers import refused

ENDINGS = (".zarr", ".zarr.zip")
MARKS = ("zarr.json", ".zgroup", ".zarray")
"""A file of one of these names makes a folder a store, of version 3 or 2."""


def is_store(path: Path) -> bool:
    """Returns whether a folder or a file is a Zarr store."""
    if path.is_dir():
        return any((path / name).is_file() for name in MARKS)
    return path.name.lower().endswith(ENDINGS) and path.is_file()


class StoredArray(NamedTuple):
    """An array of a store, the names of its axes, () if they are not all named, and its attributes."""

    array: Any
    dimensions: tuple[str, ...]
    attributes: dict[str, Any]


def open_store(path: Path, stack: ExitStack) -> dict[str, StoredArray]:
    """Returns the arrays of a store by name.

    Args:
        path: a folder or a zip file.
        stack: closes the store.

    Raises:
        VideoDataError: the library is not installed.
    """
    try:
        import zarr
    except ImportError:
        remedy = "Install it, pip install 'unrolled[zarr]', or save the array as .npy or NetCDF."
        raise refused(path, "is a Zarr store, which needs the library zarr", "no zarr", remedy) from None
    kind = zarr.storage.LocalStore if path.is_dir() else zarr.storage.ZipStore
    found = zarr.open(stack.enter_context(kind(path, read_only=True)), mode="r")
    members = {"the array": found} if isinstance(found, zarr.Array) else dict(found.members(max_depth=None))
    arrays = {name: each for name, each in members.items() if isinstance(each, zarr.Array)}
    axes = _microscopy_axes(found.attrs)
    return {
        name: StoredArray(each, _dimensions_of(each) or axes, _attributes_of(each)) for name, each in arrays.items()
    }


def _dimensions_of(array: Any) -> tuple[str, ...]:
    """The names of an array's axes; () if they are not all named. Version 2 has them where xarray wrote it."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS") or ()
    return tuple(names) if all(names) else ()


def _microscopy_axes(attributes: Any) -> tuple[str, ...]:
    """The names that OME-Zarr gives to the axes of all arrays of a group; () of others."""
    images = attributes.get("ome", attributes).get("multiscales") or [{}]
    return tuple(axis["name"] for axis in images[0].get("axes", ()) if isinstance(axis, dict) and axis.get("name"))


def _attributes_of(array: Any) -> dict[str, Any]:
    """An array's attributes; xarray keeps what stands for a missing value as the fill value of version 2."""
    attributes = dict(array.attrs)
    if "_ARRAY_DIMENSIONS" in attributes and array.fill_value is not None:
        attributes.setdefault("_FillValue", array.fill_value)
    return attributes

"""Videos that are stored as arrays: npy, npz, HDF5, NetCDF and Zarr, of any layout and range, frame by frame."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from scipy.io import netcdf_file

from pipelines.video import zarr_stores
from pipelines.video.containers import Notice, refused
from pipelines.video.frames import DecodingConfiguration, VideoDataError, load_array

ARRAY_ENDINGS = (".cdf", ".h5", ".hdf", ".hdf5", ".he5", ".nc", ".nc4", ".npy", ".npz", ".zarr")
FEW = (1, 3, 4)
"""Sizes of an axis that can only be its channels."""

DIMENSIONS = {
    "N": ("n", "sample", "samples", "event", "events", "member", "batch", "video"),
    "T": ("t", "time", "times", "frame", "frames", "step"),
    "H": ("h", "y", "yc", "lat", "latitude", "rlat", "row", "rows", "height", "south_north", "nlat", "ny"),
    "W": ("w", "x", "xc", "lon", "longitude", "rlon", "col", "column", "columns", "width", "west_east", "nlon", "nx"),
    "C": ("c", "channel", "channels", "band", "bands", "variable", "level", "z"),
}
"""Names that the axes of NetCDF and HDF5 files have."""

MISSING = ("_FillValue", "missing_value")
"""Attributes of HDF5 and NetCDF whose values stand for none."""

MOVING_MNIST = (20, 10_000, 64, 64)
"""The shape of Moving MNIST's own file, whose layout is known: frames first."""

EXAMPLES = {3: "HWT (frames last) or HWC (one frame)", 4: "NTHW (videos first) or TNHW (frames first)"}
"""Layouts of arrays of so many axes."""

DAMAGED = (OSError, ValueError, EOFError, TypeError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What libraries raise of files that are truncated or damaged."""

_REMEDY = "Correct the file or the setting."
_REPAIR = "Restore it, or save numbers as .npy, .npz, HDF5 or NetCDF."


class Scale(NamedTuple):
    """What the stored numbers of NetCDF and HDF5 mean."""

    factor: float = 1.0
    offset: float = 0.0
    missing: tuple[float, ...] = ()  # stored numbers that stand for none
    unsigned: bool = False  # NetCDF's classic format has no unsigned types; an attribute marks them


class Stored(NamedTuple):
    """An open array of videos."""

    array: Any  # what is read by slices, so that memory stays bounded
    layout: str  # a letter for each of its axes
    scale: Scale = Scale()
    is_guessed: bool = False  # whether neither a setting nor names of its axes state the layout

    def size(self, axis: str) -> int:
        """Returns how long an axis is; 1 without it."""
        return int(self.array.shape[self.layout.index(axis)]) if axis in self.layout else 1

    def frame(self, video: int, time: int) -> np.ndarray:
        """Returns a frame, (height, width, channels), of the type that it is stored in or floats."""
        place = {"N": video, "T": time}
        values = np.asarray(self.array[tuple(place.get(axis, slice(None)) for axis in self.layout)])
        rest = [axis for axis in self.layout if axis not in "NT"]
        if "C" not in rest:
            values, rest = values[..., np.newaxis], [*rest, "C"]
        values = values.transpose([rest.index(axis) for axis in "HWC"])
        scale = self.scale
        missing = np.isin(values, scale.missing)
        if scale.unsigned:
            values = values.view(values.dtype.str.replace("i", "u"))
        if (scale.factor, scale.offset) != (1.0, 0.0):
            values = values * scale.factor + scale.offset
        return np.where(missing, np.nan, values) if scale.missing else values  # floats, even where nothing is missing


def is_array(path: Path) -> bool:
    """Returns whether a file, or a folder of chunks, holds arrays."""
    return (path.is_file() and path.suffix.lower() in ARRAY_ENDINGS) or zarr_stores.is_store(path)


@contextmanager
def opened(path: Path, configuration: DecodingConfiguration) -> Iterator[Stored]:
    """Opens the array of a file.

    Raises:
        VideoDataError: it is no such file, holds several arrays, or its layout cannot be told.
    """
    with ExitStack() as stack:
        try:
            arrays = _arrays(path, stack)
        except VideoDataError:
            raise
        except DAMAGED as error:
            raise _damaged(path, error) from error
        name = _chosen(path, arrays, configuration.variable)
        array, dimensions, scale = arrays[name]
        if array.dtype.kind not in "buif":
            raise refused(path, "holds values that are no real numbers", f"{name} of type {array.dtype}", _REPAIR)
        if 0 in array.shape:
            raise refused(path, "holds no frame", f"{name} of shape {tuple(array.shape)}", _REPAIR)
        layout = configuration.layout.upper() or layout_of(array.shape, dimensions)
        if not layout or len(layout) != len(array.shape) or not set("HW") <= set(layout) or len(set(layout)) < 3:
            wrong = "does not fit" if configuration.layout else "cannot be told from"
            example = EXAMPLES.get(len(array.shape), "NTHWC")
            raise refused(
                path,
                f"has a shape that the layout {wrong}",
                f"{name} of shape {tuple(array.shape)}, layout {layout or 'unknown'}",
                f"State a letter for each axis, --data.layout, such as {example}.",
            )
        yield Stored(array, layout, scale, not (configuration.layout or dimensions))


def videos_in(path: Path, configuration: DecodingConfiguration) -> int | None:
    """Returns how many videos a file holds; None: one, without an axis for them."""
    with opened(path, configuration) as stored:
        return stored.size("N") if "N" in stored.layout else None


def array_values(path: Path, configuration: DecodingConfiguration, item: int, notice: Notice) -> Iterator[np.ndarray]:
    """Yields the frames of a video of a file, (height, width, channels), of the type that they are stored in."""
    with opened(path, configuration) as stored:
        if not 0 <= item < stored.size("N"):
            raise refused(path, f"has no video number {item}", f"{stored.size('N')} videos, from 0", _REMEDY)
        frames, height, width = (stored.size(axis) for axis in "THW")
        if stored.is_guessed and width < min(frames, height):  # frames last have such a shape, too
            notice(f"taken for {frames} frames of {height} × {width} pixels. If they are not, state --data.layout")
        for time in range(frames):
            try:
                frame = stored.frame(item, time)
            except DAMAGED as error:  # of a chunk
                raise _damaged(path, error) from error
            yield frame


def _damaged(path: Path, error: Exception) -> VideoDataError:
    what = "cannot be read: it is truncated, damaged, or no array"
    return refused(path, what, f"{path.stat().st_size} bytes ({error})", _REPAIR)


def layout_of(shape: tuple[int, ...], dimensions: tuple[str, ...] = ()) -> str:
    """Returns a letter for each axis, by their names or, where only one layout is likely, their sizes; else "".

    >>> layout_of((30, 64, 64)), layout_of((30, 64, 64, 3)), layout_of((9, 30, 1, 64, 64)), layout_of((20, 500, 64, 64))
    ('THW', 'THWC', 'NTCHW', '')
    >>> layout_of((64, 64, 3))  # which looks like one image
    ''
    >>> layout_of((3, 12, 40, 50), ("event", "time", "lat", "lon")), layout_of((40, 50, 12), ("v", "u", "time"))
    ('NTHW', 'HWT')
    >>> layout_of((12, 1, 1, 40, 50), ("t", "c", "z", "y", "x"))
    'TNCHW'
    """
    letters = [
        next((axis for axis, names in DIMENSIONS.items() if name.rpartition("/")[2].lower() in names), "")
        for name in dimensions
    ]
    if "T" in letters:
        unnamed = iter([axis for axis in "HW" if axis not in letters])
        letters = [letter or next(unnamed, "") for letter in letters]
        for place, letter in enumerate(letters):  # an image of one plane and one channel has both axes
            if shape[place] == 1 and letters.count(letter) > 1 and "N" not in letters:
                letters[place] = "N"
        is_clear = len(letters) == len(shape) and all(letters) and len(set(letters)) == len(letters)
        return "".join(letters) if is_clear else ""
    if len(shape) == 3:
        return "" if shape[-1] in FEW and min(shape[:2]) > 4 else "THW"
    if shape == MOVING_MNIST:
        return "TNHW"
    if len(shape) not in (4, 5):
        return ""
    before = "N" * (len(shape) - 4)
    if shape[-1] in FEW and shape[-2] > 4:
        return f"{before}THWC"
    return f"{before}TCHW" if shape[-3] in FEW and shape[-1] > 4 else ""


def _arrays(path: Path, stack: ExitStack) -> dict[str, tuple[Any, tuple[str, ...], Scale]]:
    """The arrays of a file that may be videos, by name, with the names of their axes and their scale."""
    plain = Scale()
    if zarr_stores.is_store(path):
        stored = zarr_stores.open_store(path, stack)
        return {
            name: (each.array, each.dimensions, _scale(each.attributes))
            for name, each in stored.items()
            if _may_be(each.array)
        }
    with path.open("rb") as file:
        head = file.read(8)
    if path.suffix.lower() == ".npy":
        return {"the array": (load_array(path), (), plain)}
    if path.suffix.lower() == ".npz":
        arrays = _unpacked(path, path.stat().st_mtime_ns)
        return {name: (array, (), plain) for name, array in arrays.items() if _may_be(array)}
    if head.startswith(b"CDF"):
        classic = stack.enter_context(netcdf_file(path, "r", mmap=False))
        return {
            name: (variable.data, variable.dimensions, _scale(variable._attributes))
            for name, variable in classic.variables.items()
            if _may_be(variable.data)
        }
    found: dict[str, tuple[Any, tuple[str, ...], Scale]] = {}

    def visit(name: str, each: Any) -> None:
        if isinstance(each, h5py.Dataset) and _may_be(each):
            names = tuple(_dimension(axis) for axis in each.dims)
            found[name] = (each, names if all(names) else (), _scale(each.attrs))

    stack.enter_context(h5py.File(path, "r")).visititems(visit)
    return found


@lru_cache(maxsize=1)
def _unpacked(path: Path, changed: int) -> Any:
    """The arrays of an npz, whose videos are asked for one by one: it is unpacked once for all of them."""
    del changed  # another time is another file
    return load_array(path)


def _may_be(array: Any) -> bool:
    return len(array.shape) >= 3 and array.dtype.kind in "buif"


def _dimension(axis: Any) -> str:
    """Name of an axis of HDF5: its label, or the scale that is attached to it, as NetCDF does it."""
    return axis.label or (axis[0].name if len(axis) else "")


def _scale(attributes: Any) -> Scale:
    def numbers(name: str) -> tuple[float, ...]:
        values = np.ravel(attributes.get(name, ()))
        return tuple(map(float, values)) if values.dtype.kind in "buif" else ()

    factor, offset = (*numbers("scale_factor"), 1.0)[0], (*numbers("add_offset"), 0.0)[0]
    missing = tuple(each for name in MISSING for each in numbers(name) if not np.isnan(each))
    unsigned = attributes.get("_Unsigned", "")
    return Scale(factor or 1.0, offset, missing, unsigned in ("true", b"true"))


def _chosen(path: Path, arrays: dict[str, Any], wanted: str) -> str:
    names = ", ".join(f"{name} {tuple(each[0].shape)}" for name, each in arrays.items()) or "none of three axes or more"
    if wanted and wanted not in arrays and len(arrays) != 1:
        raise refused(path, f"has no array {wanted!r}", names, "Correct --data.variable.")
    if wanted in arrays:
        return wanted
    if len(arrays) != 1:
        raise refused(path, "holds no array, or several", names, "Name the one that holds frames: --data.variable.")
    return next(iter(arrays))

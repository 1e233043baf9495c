"""Tables as users have them: delimited text, Parquet, Feather, Excel, JSON, and frames in memory."""

import io
import re
import reprlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

from data.files import FileError, Member, only_file, plain_suffix, read_file
from pipelines.json_lines import JSON
from pipelines.series.attribute_files import arff_to_delimited, frame_of_tsf
from pipelines.series.delimited import SurplusError, decoded, parse
from pipelines.series.json_tables import frame_of_json
from pipelines.series.numbers import with_ascii_digits
from pipelines.series.options import FORMATS
from pipelines.series.regular import Repair, SeriesDataError
from pipelines.series.time_notations import number_reader

UserTable: TypeAlias = pd.DataFrame | str | Path | bytes | BinaryIO
"""What can be read as a table: a frame of pandas, Polars or Arrow; an array; a path; the bytes of a file, or one
that is open for reading them."""

FRAME = Path("the data frame")  # in messages
STREAM = b"\xff\xff\xff\xff"  # how one of Arrow begins
EXCEL = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")


def _read_arrow(file: BinaryIO) -> pd.DataFrame:
    """Reads a Feather file, or a stream of Arrow."""
    start = file.read(len(STREAM))
    file.seek(0)
    return pa.ipc.open_stream(file).read_pandas() if start == STREAM else pd.read_feather(file)


BINARY: Mapping[str, Callable[[BinaryIO], pd.DataFrame]] = {
    **dict.fromkeys((".parquet", ".pq"), pd.read_parquet),
    **dict.fromkeys((".feather", ".arrow", ".arrows", ".ipc"), _read_arrow),
    ".orc": pd.read_orc,
    ".dta": pd.read_stata,
}
"""Readers of tables that are neither text nor books, by the ending of a file's name."""


class ReadTable(NamedTuple):
    """A table as it is.

    Attributes:
        frame: text, numbers or times; its index is the line in the file, or counts the rows from 1.
        path: where it was, or what messages call it.
        repairs: what was left out.
    """

    frame: pd.DataFrame
    path: Path
    repairs: list[Repair]


def read_table(table: UserTable, time: Sequence[str] = (), sheet: str = "") -> ReadTable:
    """Returns a table as it is.

    Names of columns are text without spaces around them.

    Args:
        table: what to read.
        time: the column of times, if it is known: so a data frame's index of times is called if it has no name.
        sheet: of an Excel file. Default: the first one.

    Raises:
        SeriesDataError: the table cannot be read, or has no rows.

    Example:
        >>> frame, name, _ = read_table(pd.DataFrame({" load ": [1.0, 2.0]}))
        >>> frame.columns.tolist(), frame.index.tolist(), str(name)
        (['load'], [1, 2], 'the data frame')
    """
    repairs: list[Repair] = []
    path = Path(table).expanduser() if isinstance(table, str | Path) else FRAME
    try:
        if (frame := _in_memory(table)) is not None:
            _refuse_sheet(path, sheet)
            frame = _plain_cells(_with_index(frame, time))
            names = _names_of(frame)
        elif isinstance(table, str | Path) and _is_partitioned(path):
            _refuse_sheet(path, sheet)
            frame = _with_index(pd.read_parquet(path), time)
            names = _names_of(frame)
        else:
            path, file = _file(table)
            frame, names, repairs = _from_file(path, file, time, sheet)
    except SeriesDataError:
        raise
    except FileError as error:  # names the file and the remedy
        raise SeriesDataError(str(error)) from None
    except SurplusError as error:
        raise SeriesDataError(
            f"{path} cannot be read; expected as many values in each line as the first one has names, {error.width}. "
            f"Correct line {error.line}: quote cells that hold the delimiter. Received: {error.found} values in line "
            f"{error.line}"
        ) from None
    except (ValueError, OSError, EOFError, KeyError) as error:
        raise SeriesDataError(
            f"{path} cannot be read; expected a table with the names of its columns in the first line and as many "
            f"values in each other. Restore or correct it. Received: {str(error).strip()}"
        ) from None
    if names.duplicated().any():
        raise SeriesDataError(
            f"{path}: several columns have one name; expected a name of its own for each. Rename or remove one. "
            f"Received: {names[names.duplicated()].iloc[0]!r} more than once"
        )
    frame.columns = pd.Index([str(name).strip() for name in frame.columns])
    if frame.empty:
        raise SeriesDataError(f"{path} has no rows; expected one for each time. Received: an empty table")
    return ReadTable(frame, path, repairs)


def _in_memory(table: Any) -> pd.DataFrame | None:
    """Returns a frame of pandas, Polars, Arrow or xarray, an array, or a dictionary as a frame; None for a file."""
    if hasattr(table, "collect") and not hasattr(table, "to_pandas"):  # a lazy frame of Polars
        table = table.collect()
    for convert in ("to_pandas", "to_dataframe"):
        if hasattr(table, convert):
            table = getattr(table, convert)()
            break
    if hasattr(table, "__arrow_c_stream__") and not isinstance(table, pd.DataFrame | pd.Series):
        table = pa.table(table).to_pandas()
    if isinstance(table, np.ndarray) and table.ndim <= 2:
        table = pd.DataFrame(table)
        if isinstance(table.columns, pd.RangeIndex):  # the array has no names
            width = table.shape[1]
            table.columns = ["value"] if width == 1 else [f"column_{number + 1}" for number in range(width)]
    if isinstance(table, pd.Series):
        return table.to_frame("value" if table.name is None else table.name)
    if isinstance(table, Mapping) and any(hasattr(each, "columns") for each in table.values()):
        raise SeriesDataError(
            "This is a dictionary of frames; expected one frame, or a list of them. Join them, pd.concat(frames, "
            f"names=['series']). Received: {reprlib.repr(list(table))}"
        )
    if isinstance(table, Mapping) or (isinstance(table, list) and table and isinstance(table[0], Mapping)):
        return pd.DataFrame(table)
    if not isinstance(table, pd.DataFrame):
        return None
    if table.columns.nlevels > 1:  # such as (Close, AAPL)
        table = table.set_axis([" ".join(map(str, filter(None, name))) for name in table.columns], axis=1)
    return table


def _file(table: Any) -> tuple[Path, Member]:
    """Returns the path of a file, and the file unpacked: under its own name, or under the one that it has in there."""
    if not isinstance(table, str | Path):
        if not isinstance(table, bytes) and not hasattr(table, "read"):
            raise SeriesDataError(
                "This is not a table; expected a data frame of pandas or Polars, an array of one or two dimensions, a "
                f"path, bytes, or an open binary file. Give one of them. Received: {type(table).__name__}"
            )
        content = table if isinstance(table, bytes) else table.read()
        content = content.encode() if isinstance(content, str) else content
        path = Path(str(getattr(table, "name", "<table>")))
        return path, only_file(content, str(path))
    if isinstance(table, str) and (found := re.search(r"\n|^\w{2,}://", table)):
        is_address = found[0] != "\n"
        raise SeriesDataError(
            f"This is {'an address' if is_address else 'text'}; expected a path. "
            f"{'Download the file' if is_address else 'Wrap the text, io.StringIO(text)'}. "
            f"Received: {reprlib.repr(table)}"
        )
    path = Path(table).expanduser()
    return path, read_file(path, f"a table, {FORMATS}")


def _from_file(
    path: Path, member: Member, time: Sequence[str], sheet: str
) -> tuple[pd.DataFrame, pd.Series, list[Repair]]:
    content = member.content
    kind, begins, is_text = plain_suffix(Path(member.name)), _kind(content), b"\0" not in content[:1000]
    # Programs give files the ending of another format, such as .xls to text.
    if not kind or (is_text and kind in EXCEL) or (begins and not is_text and {kind, begins} - set(EXCEL)):
        kind = begins
    file = io.BytesIO(content)
    if kind in EXCEL:
        return _from_excel(path, file, sheet)
    _refuse_sheet(path, sheet)
    if kind in BINARY:
        frame = _with_index(BINARY[kind](file), time)
    elif kind in JSON:
        text = decoded(content, path.name)[0]
        frame = _plain_cells(_with_index(frame_of_json(text, str(path), kind), time))
    elif kind == ".tsf":
        frame = _with_index(frame_of_tsf(decoded(content, path.name)[0]), time)
    else:
        text, repairs = decoded(content, path.name)
        if re.match(r"\s*<(!doctype|html\b|table\b|\?xml)", text, re.IGNORECASE):
            raise SeriesDataError(
                f"{path} is an HTML page or XML; expected a table, {FORMATS}. Open it in a spreadsheet and save it as "
                f"one of them. Received: {reprlib.repr(text.strip())}"
            )
        table = parse(arff_to_delimited(text) if kind == ".arff" else text, path.name)
        table.frame.attrs["delimiter"] = table.delimiter
        return table.frame, table.names, repairs + table.repairs
    return frame, _names_of(frame), []


def _names_of(frame: pd.DataFrame) -> pd.Series:
    return pd.Series([str(name).strip() for name in frame.columns], dtype=str)


def _is_partitioned(path: Path) -> bool:
    """Whether a folder is a table in several Parquet files, as Spark, Dask and Arrow write one."""
    return any(any(path.glob(pattern)) for pattern in ("*.parquet", "*=*/**/*.parquet"))


def _refuse_sheet(path: Path, sheet: str) -> None:
    if sheet:
        raise SeriesDataError(
            f"{path} has no sheets; expected an Excel file. Leave --data.sheet out. Received: {sheet!r}"
        )


def _kind(content: bytes) -> str:
    """Returns the ending that a file without one would have, told from how it begins; "" for text."""
    start = content[:4096].lstrip()
    begins = {b"PAR1": ".parquet", b"ARROW1": ".feather", STREAM: ".arrows", b"ORC": ".orc"}
    for magic, kind in (begins | {b"<stata_dta>": ".dta", b"\xd0\xcf\x11\xe0": ".xls"}).items():
        if start.startswith(magic):
            return kind
    if start.startswith(b"PK"):
        return ".ods" if b"opendocument" in start else ".xlsx"
    if start.startswith((b"{", b"[")):
        return ".json" if start.startswith(b"[") or b"\n{" not in content[:65536] else ".jsonl"
    return ""


def _from_excel(path: Path, file: BinaryIO, sheet: str) -> tuple[pd.DataFrame, pd.Series, list[Repair]]:
    """Returns a sheet as the text that Excel would save, so that titles and units are found as in a text."""
    try:
        import python_calamine
    except ImportError:
        raise SeriesDataError(
            f"{path} is an Excel file, which needs the library python-calamine. Install it, pip install "
            "'unrolled[series]', or save the sheet as CSV. Received: no python_calamine"
        ) from None
    try:
        book = pd.ExcelFile(file, engine="calamine")
    except python_calamine.CalamineError as error:
        raise ValueError(str(error)) from None
    names = [str(name) for name in book.sheet_names]
    if sheet and sheet not in names:
        raise SeriesDataError(
            f"{path} has no such sheet; expected one of {', '.join(names)}. Correct --data.sheet. Received: {sheet!r}"
        )
    for chosen in [sheet] if sheet else [*names, names[0]]:
        cells = book.parse(chosen, header=None, dtype=object, na_filter=False)
        # The first one is often a page of notes.
        if cells.shape[1] > 1 or cells.map(lambda cell: isinstance(cell, int | float)).to_numpy().any():
            break
    text = cells.map(lambda cell: cell.isoformat(" ") if hasattr(cell, "hour") and hasattr(cell, "year") else cell)
    table = parse(text.to_csv(header=False, index=False), path.name)
    repairs = table.repairs
    if not sheet and len(names) > 1:
        what = f"sheets of {path.name} beside {chosen!r}: not read; --data.sheet names another"
        repairs = [*repairs, Repair("", "", what, len(names) - 1, next(name for name in names if name != chosen))]
    return table.frame, table.names, repairs


def _plain_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns a frame without lists in its cells, a row for each of their items, and with digits of ASCII."""
    if frame.columns.has_duplicates:  # which the caller refuses
        return frame
    text = [name for name in frame.columns if frame[name].dtype == object and frame[name].notna().any()]
    first = {name: frame[name].loc[frame[name].first_valid_index()] for name in text}
    if lists := [name for name, cell in first.items() if isinstance(cell, list | np.ndarray)]:
        frame = frame.explode(lists, ignore_index=True)
        frame[lists] = frame[lists].infer_objects()
        frame.index += 1
    for name, cell in first.items():
        if isinstance(cell, str) and with_ascii_digits(cell) != cell:
            frame[name] = frame[name].map(with_ascii_digits, na_action="ignore")
    return frame


def _with_index(frame: pd.DataFrame, time: Sequence[str]) -> pd.DataFrame:
    """Returns a copy with the index as columns, unless it counts the rows."""
    free = "time" if "time" not in frame.columns else "index"
    if isinstance(frame.index, pd.DatetimeIndex | pd.PeriodIndex) and frame.index.name is None:
        frame = frame.rename_axis(time[0] if len(time) == 1 and time[0] not in frame.columns else free)
    for name in [each for each in frame.index.names if each in frame.columns]:
        level = frame.index.get_level_values(name)
        if not isinstance(level, pd.DatetimeIndex | pd.PeriodIndex) and not level.equals(pd.Index(frame[name])):
            raise SeriesDataError(
                f"The index of the frame and a column have one name and other values; expected a name of its own for "
                f"each. Rename one, frame.rename_axis('other'). Received: {name!r}"
            )
        frame = frame.drop(columns=name)  # df.index = pd.to_datetime(df["date"]) leaves both
    counts_rows = frame.index.name is None and frame.index.nlevels == 1 and pd.api.types.is_integer_dtype(frame.index)
    if counts_rows and len(frame) > 1 and number_reader(frame.index.to_numpy(np.float64), named=False):
        frame, counts_rows = frame.rename_axis(free), False
    if isinstance(frame.columns, pd.CategoricalIndex | pd.DatetimeIndex | pd.PeriodIndex):
        frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    frame = frame.reset_index(drop=counts_rows)
    frame.index += 1
    return frame

"""Tables of every format, in files and in memory, hold the same."""

import io
import json
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipelines.series.calendar import COUNTED
from pipelines.series.regular import SeriesDataError
from pipelines.series.table_files import read_table
from pipelines.series.user_tables import TableConfiguration, read_tables
from tests.pipelines.series.written_tables import ARABIC, BODY, DAYS, HOURS, MONTHS, N, read


def test_files_that_declare_their_columns(tmp_path: Path) -> None:
    head = "% made by Weka\n@RELATION loads\n\n@ATTRIBUTE time DATE 'yyyy-MM-dd'\n@ATTRIBUTE x NUMERIC\n@DATA\n"
    (tmp_path / "loads.arff").write_text(head + BODY)
    (table,), _, _ = read_tables(TableConfiguration(path=str(tmp_path / "loads.arff")))
    np.testing.assert_array_equal(table.times, DAYS.as_unit("s").astype(np.int64))
    assert table.lines[0] == head.count("\n") + 1
    head = "# Monash\n@attribute series_name string\n@attribute start_timestamp date\n@frequency {}\n@data\n"
    for frequency, times in {"daily": DAYS, "hourly": HOURS, "monthly": MONTHS}.items():
        start = times[0].strftime("%Y-%m-%d %H-%M-%S")
        rows = [f"T{n}:{start}:?,{','.join(map(str, range(1, N - n)))}\n" for n in range(2)]
        (tmp_path / "loads.tsf").write_text(head.format(frequency) + "".join(rows))
        tables, names, _ = read_tables(TableConfiguration(path=str(tmp_path / "loads.tsf")))
        assert [each.name for each in tables] == ["T0", "T1"] and names == ("value",)
        np.testing.assert_array_equal(tables[0].times, times.as_unit("s").astype(np.int64))
        np.testing.assert_array_equal(tables[1].values[:, 0], [np.nan, *range(1, N - 1)])


@pytest.mark.parametrize(
    "kind", ["xlsx", "feather", "orc", "dta", "arrows", "jsonl", "csv.zip", "csv.xz", "csv.tar.gz", "tsv"]
)
def test_formats_hold_the_same(tmp_path: Path, kind: str) -> None:
    frame, path = pd.DataFrame({"time": HOURS, "x": np.arange(N) / 3}), tmp_path / f"loads.{kind}"
    write = {"xlsx": partial(frame.to_excel, index=False), "feather": frame.to_feather, "orc": frame.to_orc}
    write["dta"] = partial(frame.to_stata, write_index=False)
    if kind == "jsonl":
        frame.to_json(path, orient="records", lines=True, double_precision=15)
    elif kind == "arrows":
        arrow = pa.Table.from_pandas(frame)
        with pa.ipc.new_stream(str(path), arrow.schema) as stream:
            stream.write_table(arrow)
    elif kind == "tsv":
        path.write_bytes(frame.to_csv(index=False, sep="\t").encode("utf-16"))
    else:
        write.get(kind, partial(frame.to_csv, index=False))(path)
    (table,), _, _ = read_tables(TableConfiguration(path=str(path)))
    np.testing.assert_array_equal(table.times, HOURS.as_unit("s").astype(np.int64))
    np.testing.assert_allclose(table.values[:, 0], np.arange(N) / 3, rtol=1e-14)


@pytest.mark.parametrize(
    "frame",
    [
        pd.Series(np.arange(N) + 0.25, MONTHS, name="x"),
        pd.DataFrame({"x": np.arange(N) + 0.25}, MONTHS.to_period()),
        pd.DataFrame({"month": MONTHS.strftime("%Y-%m"), "x": np.arange(N) + 0.25}, MONTHS.rename("month")),
        pd.DataFrame({"month": MONTHS.strftime("%Y-%m"), "x": np.arange(N) + 0.25}).set_index("month", drop=False),
        {"month": [date(1962 + n // 12, 1 + n % 12, 1) for n in range(N)], "x": np.arange(N) + 0.25},
        [{"when": str(time), "x": number + 0.25} for number, time in enumerate(MONTHS)],
        pd.DataFrame({"time": [list(MONTHS)], "x": [np.arange(N) + 0.25]}),
        pd.DataFrame({"time": [f"{time:%Y-%m-%d}".translate(ARABIC) for time in MONTHS], "x": np.arange(N) + 0.25}),
        pa.table({"time": MONTHS, "x": np.arange(N) + 0.25}).to_reader(),
    ],
)
def test_frames_in_memory(frame: Any) -> None:
    table, _ = read(frame)
    np.testing.assert_array_equal(table.times, MONTHS.as_unit("s").astype(np.int64))
    np.testing.assert_array_equal(table.values[:, 0], np.arange(N) + 0.25)


@pytest.mark.parametrize("form", ["list", "index"])
def test_json_may_hold_the_table_beside_what_is_said_of_it(form: str) -> None:
    frame = pd.DataFrame({"time": DAYS.astype(str), "x": np.arange(N) + 0.25, "y": 1})
    inner = (frame.set_index("time") if form == "index" else frame).to_dict(form)
    found, _ = read(io.BytesIO(json.dumps({"place": "Bonn", "units": {"x": "kW", "y": ""}, "daily": inner}).encode()))
    np.testing.assert_array_equal(found.times, DAYS.as_unit("s").astype(np.int64))
    np.testing.assert_array_equal(found.values[:, 0], np.arange(N) + 0.25)


@pytest.mark.parametrize("form", ["records", "split", "index", "columns", "table"])
def test_json_of_any_form_is_read_from_a_file_or_an_open_one(form: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"time": DAYS, "x": np.arange(N) + 0.25})
    frame.to_json(tmp_path / "table.json", orient=form, date_format="iso")
    for table in (tmp_path / "table.json", io.BytesIO((tmp_path / "table.json").read_bytes())):
        found, _ = read(table)
        np.testing.assert_array_equal(found.times, DAYS.as_unit("s").astype(np.int64))
        np.testing.assert_array_equal(found.values, np.arange(N)[:, np.newaxis] + 0.25)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"time": "2024-01-01", "x": 1}', r"loads\.json is not JSON: .*Received: '\[\{"),
        ('{"time": 1, "x": 1}\n{"time": 2, "x"', r"is not JSON: .*line 2.*Received: '\{\"time\": 2"),
        ('{"x": [1], "x": [2]}', r"expected each name once.*Received: 'x' more than once"),
    ],
)
def test_json_that_is_damaged_or_names_something_twice_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "loads.json").write_text(text)
    with pytest.raises(SeriesDataError, match=message):
        read_table(tmp_path / "loads.json")


@pytest.mark.parametrize("kind", ["answer of Prometheus", "single sample", "export of VictoriaMetrics"])
def test_series_are_named_by_their_labels(kind: str) -> None:
    seconds = HOURS.as_unit("s").astype(np.int64).tolist()
    labels = {'up{job="a",zone="1"}': {"__name__": "up", "job": "a", "zone": "1"}, 'up{job="b"}': {"job": "b"}}
    labels['up{job="b"}'] |= {"__name__": "up"}
    values = {name: [place + number / 4 for number in range(N)] for place, name in enumerate(labels)}
    if kind == "answer of Prometheus":
        rows = [
            {"metric": each, "values": [[at, str(value)] for at, value in zip(seconds, values[name], strict=True)]}
            for name, each in labels.items()
        ]
        text = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": rows}, "infos": ["a"]})
    elif kind == "single sample":
        seconds = seconds[:1]
        values = {name: each[:1] for name, each in values.items()}
        rows = [{"metric": each, "value": [seconds[0], str(values[name][0])]} for name, each in labels.items()]
        text = json.dumps({"status": "success", "data": {"resultType": "vector", "result": rows}})
    else:
        times = [1000 * each for each in seconds]
        rows = [{"metric": each, "values": values[name], "timestamps": times} for name, each in labels.items()]
        text = "\n".join(map(json.dumps, rows))
    tables, columns, _ = read_tables(TableConfiguration(), io.BytesIO(text.encode()))
    assert [table.name for table in tables] == list(labels) and len(columns) == 1
    for table in tables:
        np.testing.assert_array_equal(table.times, seconds)
        np.testing.assert_array_equal(table.values[:, 0], values[table.name])


def test_files_with_the_ending_of_another_format_and_tables_inside_of_others(tmp_path: Path) -> None:
    """Programs save text as .xls, lines as .json, rows under a key, and notes on the first sheet."""
    frame = pd.DataFrame({"time": HOURS.astype(str), "load": np.arange(len(HOURS)) / 4})
    frame.to_csv(tmp_path / "text.xls", sep="\t", index=False)
    frame.to_parquet(tmp_path / "parquet.csv")
    frame.to_json(tmp_path / "lines.json", orient="records", lines=True)
    rows = {"status": "ok", "count": len(frame), "results": frame.to_dict("records")}
    (tmp_path / "answer.json").write_text(json.dumps(rows))
    with pd.ExcelWriter(tmp_path / "notes.xlsx") as book:
        pd.DataFrame({"About": ["Station 7", "of 2024"]}).to_excel(book, sheet_name="Notes", index=False)
        frame.to_excel(book, sheet_name="Data", index=False)
    for path in tmp_path.iterdir():
        found = read_table(path).frame
        assert found["time"].astype(str).tolist() == frame["time"].tolist(), path.name
        np.testing.assert_array_equal(found["load"].astype(float), frame["load"])
    (tmp_path / "page.xls").write_text(frame.to_html())
    with pytest.raises(SeriesDataError, match=r"page.xls is an HTML page"):
        read_table(tmp_path / "page.xls")
    (tmp_path / "cut.xlsx").write_bytes((tmp_path / "notes.xlsx").read_bytes()[:60] + b"\0" * 99)
    with pytest.raises(SeriesDataError, match=r"cut.xlsx cannot be (read|unpacked)"):
        read_table(tmp_path / "cut.xlsx")


@pytest.mark.parametrize("kind", ["parquet", "feather", "xlsx"])
def test_an_open_file_without_a_name_is_told_by_its_content(kind: str) -> None:
    file = io.BytesIO()
    frame = pd.DataFrame({"time": DAYS, "x": np.arange(N) + 0.25})
    {"parquet": frame.to_parquet, "feather": frame.to_feather, "xlsx": frame.to_excel}[kind](file)
    for content in (file.getvalue(), io.BytesIO(file.getvalue())):
        np.testing.assert_array_equal(read(content)[0].values[:, -1], np.arange(N) + 0.25)


def test_frames_of_polars() -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"time": DAYS.to_pydatetime().tolist(), "x": (np.arange(N) + 0.25).tolist()})
    for form in (frame, frame.lazy()):
        table, _ = read(form)
        np.testing.assert_array_equal(table.times, DAYS.as_unit("s").astype(np.int64))
        np.testing.assert_array_equal(table.values[:, 0], np.arange(N) + 0.25)
    assert read(frame["x"])[0].zone == COUNTED


def test_an_array_is_rows_in_their_order() -> None:
    values = np.arange(N) + 0.25
    assert read(values)[0].zone == COUNTED
    _, names, _ = read_tables(TableConfiguration(), np.stack([values**2, values**2], axis=1))
    assert names == ("column_1", "column_2")
    table, _ = read(np.array(list(zip(np.arange(N), values, strict=True)), dtype=[("time", int), ("x", float)]))
    np.testing.assert_array_equal(table.values[:, 0], values)

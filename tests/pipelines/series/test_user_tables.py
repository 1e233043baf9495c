"""The user's table: layouts that people have, and the error for each bad row."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.configuration import ConfigurationError
from pipelines.series.regular import Columns, Repair, SeriesDataError
from pipelines.series.sources import DataConfiguration, open_source
from pipelines.series.user_tables import TableConfiguration, choose_columns, read_tables

WriteTable = Callable[[Path, pd.DataFrame], Path]

ETT = """\
date,HUFL,HULL,MUFL,MULL,LUFL,LULL,OT
2016-07-01 00:00:00,5.827,2.009,1.599,0.462,4.203,1.34,30.531
2016-07-01 01:00:00,5.693,2.076,1.492,0.426,4.142,1.371,27.787
2016-07-01 02:00:00,5.157,1.741,1.279,0.355,3.777,1.218,27.787
"""
JENA = """\
"Date Time","p (mbar)","T (degC)","wv (m/s)"
01.01.2009 00:10:00,996.52,-8.02,1.03
01.01.2009 00:20:00,996.57,-8.41,-9999.00
13.01.2009 00:30:00,996.53,-8.51,0.19
"""
SEMICOLONS = "Zeit;Last;Wärme\n01.02.2024 00:00;1,5;20\n01.02.2024 01:00;2,5;21,25\n13.02.2024 02:00;;-1\n"


def configured(path: Path, **changes: Any) -> TableConfiguration:
    return TableConfiguration(path=str(path), **changes)


def text_file(folder: Path, text: str, name: str = "loads.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def seconds(*times: str) -> list[int]:
    return np.array(times, "datetime64[s]").astype(np.int64).tolist()


def test_ett_layout(tmp_path: Path) -> None:
    (table,), names, repairs = read_tables(configured(text_file(tmp_path, ETT, "ETTh1.csv")))
    assert (table.name, repairs) == ("ETTh1", [])
    assert names == ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
    assert table.times.tolist() == seconds("2016-07-01T00:00", "2016-07-01T01:00", "2016-07-01T02:00")
    np.testing.assert_array_equal(table.values[:, -1], [30.531, 27.787, 27.787])
    assert table.lines.tolist() == [2, 3, 4]


def test_jena_layout(tmp_path: Path) -> None:
    (table,), names, repairs = read_tables(configured(text_file(tmp_path, JENA)))
    assert names == ("p (mbar)", "T (degC)", "wv (m/s)")
    assert table.times.tolist() == seconds("2009-01-01T00:10", "2009-01-01T00:20", "2009-01-13T00:30")
    np.testing.assert_array_equal(table.values[:, 2], [1.03, np.nan, 0.19])
    assert repairs == [Repair("", "wv (m/s)", "-9999: taken as missing", 1, "line 3")]


def test_semicolons_decimal_commas_and_day_first(tmp_path: Path) -> None:
    (table,), names, _ = read_tables(configured(text_file(tmp_path, "\ufeff" + SEMICOLONS)))
    assert names == ("Last", "Wärme")
    np.testing.assert_array_equal(table.values, [[1.5, 20], [2.5, 21.25], [np.nan, -1]])
    assert table.times.tolist() == seconds("2024-02-01T00:00", "2024-02-01T01:00", "2024-02-13T02:00")


@pytest.mark.parametrize("name", ["loads.csv", "loads.csv.gz", "loads.parquet"])
def test_formats_agree(
    tmp_path: Path, make_frame: Callable[..., pd.DataFrame], write_table: WriteTable, name: str
) -> None:
    frame = make_frame(5)
    tables, names, repairs = read_tables(configured(write_table(tmp_path / name, frame), series="name"))
    assert [table.name for table in tables] == ["north", "south"]
    assert (names, repairs) == (("load", "heat", "holiday"), [])
    for table in tables:
        rows = frame[frame["name"] == table.name]
        np.testing.assert_allclose(table.values, rows[list(names)].to_numpy(float))
        assert table.times.tolist() == seconds(*(f"2024-01-01T0{hour}:00" for hour in range(5)))
    first_line = 1 if name.endswith("parquet") else 2
    assert tables[1].lines.tolist() == list(range(first_line + 5, first_line + 10))


def test_parquet_with_times_as_its_index(tmp_path: Path, make_frame: Callable[..., pd.DataFrame]) -> None:
    make_frame(3, ("north",)).drop(columns="name").set_index("time").to_parquet(tmp_path / "loads.parquet")
    (table,), names, _ = read_tables(configured(tmp_path / "loads.parquet"))
    assert names == ("load", "heat", "holiday")
    assert table.times.tolist() == seconds("2024-01-01T00", "2024-01-01T01", "2024-01-01T02")


@pytest.mark.parametrize(
    ("header", "rows", "options"),
    [
        ("when,x", ["2024-03-05T00:00:00Z,1", "2024-03-05T01:00:00Z,2"], {}),
        ("when,x", ["2024-03-05T01:00:00+01:00,1", "2024-03-05T02:00:00+01:00,2"], {}),
        ("x,stamp", ["1,2024/03/05 00:00", "2,2024/03/05 01:00"], {}),
        ("ds,x", ["1709596800,1", "1709600400,2"], {}),
        ("ds,x", ["1709596800000,1", "1709600400000,2"], {}),
        ("day,clock,x", ["05.03.2024,00:00,1", "05.03.2024,01:00,2"], {"time": ("day", "clock")}),
        ("Date;Time;x", ["5/3/2024;00:00:00;1", "05/03/2024;01:00:00;?", "13/03/2024;01:00:00;?"], {}),
        ("stamp,x", ["2024030500,1", "2024030501,2"], {"time": ("stamp",), "time_format": "%Y%m%d%H"}),
        ("Year,Month,Day,Hour,x", ["2024,3,5,0,1", "2024,3,5,1,2"], {"time": ("Year", "Month", "Day", "Hour")}),
        (
            "t,x",
            ["03/05/2024 12:00 AM,1", "03/05/2024 01:00 AM,2"],
            {"time_format": "%m/%d/%Y %I:%M %p", "time": ("t",)},
        ),
        ("t,x", ["2024-03-04 23:59:60,1", "2024-03-05 01:00:00,2"], {}),  # a leap second
        (",t,x", ["0,2024-03-05 00:00,1", "1,2024-03-05 01:00,2"], {}),
        ("t,x", ["2024-03-04 19:00,1", "2024-03-04 20:00,2"], {"timezone": "America/New_York"}),
        ("t,x", ["2024-03-04 18:00 CST,1", "2024-03-04 19:00 CST,2"], {"timezone": "America/Chicago"}),
        ("t,x", ["2024-03-05 08:00 CST,1", "2024-03-05 09:00 CST,2"], {"timezone": "Asia/Shanghai"}),
        ("t,x", ["2024-03-05 05:30 (IST),1", "2024-03-05 06:30 (IST),2"], {"timezone": "Asia/Kolkata"}),
        ("t,x", ["2024-03-05 01:00 MEZ,1", "2024-03-05 01:00 UTC,2"], {"timezone": "Asia/Tokyo"}),
    ],
)
def test_times_are_found_and_read(tmp_path: Path, header: str, rows: list[str], options: dict[str, Any]) -> None:
    path = text_file(tmp_path, "\n".join([header, *rows]) + "\n")
    (table,), names, _ = read_tables(configured(path, **options))
    assert table.times[:2].tolist() == seconds("2024-03-05T00:00", "2024-03-05T01:00")
    assert names == ("x",)


def test_what_is_left_out_is_named(tmp_path: Path) -> None:
    text = ",time,x,remark\n0,2024-01-01,1,fine\n\n1,2024-01-02,2,\n2,2024-01-03,3,cold\n"
    path = text_file(tmp_path, text)
    (table,), names, repairs = read_tables(configured(path))
    assert names == ("x",)
    assert table.lines.tolist() == [2, 4, 5]
    assert repairs[0] == Repair("", "", "empty lines of loads.csv: left out", 1, "line 3")
    assert {(repair.column, repair.what) for repair in repairs[1:]} == {
        ("Unnamed: 0", "column that counts the rows: left out"),
        ("remark", "column of text: left out"),
    }


def test_a_clock_that_is_set_back_shows_an_hour_twice(tmp_path: Path) -> None:
    """The night of 2024-10-27 in Berlin, for two series, and the one of 2024-03-31, whose hour 2 does not exist."""
    hours = ["01", "02", "02", "03"]
    lines = [f"2024-10-27 {hour}:00,{name},{n}" for n, hour in enumerate(hours) for name in ("a", "b")]
    path = text_file(tmp_path, "\n".join(["time,name,x", *lines]) + "\n")
    tables, _, _ = read_tables(configured(path, series="name", timezone="Europe/Berlin"))
    for table in tables:
        assert table.times.tolist() == seconds("2024-10-26T23", "2024-10-27T00", "2024-10-27T01", "2024-10-27T02")
    spring = text_file(tmp_path, "time,x\n2024-03-31 01:00,1\n2024-03-31 02:00,2\n2024-03-31 03:00,3\n")
    with pytest.raises(SeriesDataError, match=r"loads.csv, line 3.*Europe/Berlin was set forward.*02:00"):
        read_tables(configured(spring, timezone="Europe/Berlin"))


def test_times_with_several_offsets_are_instants(tmp_path: Path) -> None:
    text = "time,x\n2024-10-27T02:00:00+02:00,1\n2024-10-27T02:00:00+01:00,2\n"
    (table,), _, repairs = read_tables(configured(text_file(tmp_path, text)))
    assert table.times.tolist() == seconds("2024-10-27T00", "2024-10-27T01")
    what = "times in the zones +01:00, +02:00: converted to UTC; --data.timezone names the zone whose hours they follow"
    assert repairs == [Repair("", "time", what, 2)]


def test_an_abbreviation_of_several_zones_is_named_or_refused(tmp_path: Path) -> None:
    """Winter and summer time together tell more than one of them."""
    for written, named in (("CST", "CST (-06:00)"), ("BST", "BST (+01:00)"), ("MESZ", "CEST (+02:00)"), ("UTC", "")):
        lines = [f"2024-03-05 0{hour}:00 {written},{hour}" for hour in range(3)]
        _, _, repairs = read_tables(configured(text_file(tmp_path, "\n".join(["time,x", *lines]) + "\n")))
        what = f"times in {named}: read as such; --data.timezone names another zone"
        assert repairs == [Repair("", "time", what, 3)] * bool(named)
    lines = ["2024-10-27 01:00 IST,1", "2024-10-27 01:00 GMT,2"]
    (table,), _, _ = read_tables(configured(text_file(tmp_path, "\n".join(["time,x", *lines]) + "\n")))
    assert table.times.tolist() == seconds("2024-10-27T00", "2024-10-27T01"), "Ireland's"
    alone = text_file(tmp_path, "time,x\n2024-03-05 01:00 IST,1\n2024-03-05 02:00 IST,2\n")
    with pytest.raises(
        SeriesDataError, match=r"line 2.*'time': IST .*\+02:00 and \+05:30.*--data.timezone .*'2024-03-05 01:00 IST'"
    ):
        read_tables(configured(alone))


@pytest.mark.parametrize(
    ("frame", "settings", "message"),
    [
        ({"time": ["2024-01-01", "2024-01-02"], "x": [1.0, 2.0]}, {"sheet": "Data"}, "data frame has no sheets"),
        ({"x": [1.0, 2.0]}, {"timezone": "Asia/Tokyo"}, r"data\.timezone: the rows are steps .*'Asia/Tokyo'"),
        ({"x": [1.0, 2.0]}, {"time_format": "%Y"}, r"data\.time_format: the rows are steps .*'%Y'"),
        ({"step": [1, 2, 3], "x": [1.0, 2.0, 3.0]}, {"timezone": "Asia/Tokyo"}, r"data\.timezone: the rows are steps"),
        ({"place": ["a", "b"], "1960": [1, 2], "1961": [1, 2], "1962": [1, 2]}, {"time": "yr"}, "no column 'yr'"),
    ],
)
def test_a_setting_that_does_not_count_is_refused(
    frame: dict[str, list[object]], settings: dict[str, str], message: str
) -> None:
    with pytest.raises((ConfigurationError, SeriesDataError), match=message):
        read_tables(TableConfiguration(**settings), pd.DataFrame(frame))


def test_files_as_programs_leave_them(tmp_path: Path) -> None:
    """A table in several Parquet files, lines that became cells, and zero bytes where a logger had no power."""
    frame = pd.DataFrame({"time": ["2024-01-01", "2024-01-02", "2024-01-03"], "x": [1.5, 2.5, 4.0]})
    parts = {"plain": [frame[:2], frame[2:]], "place=a": [frame], "place=b": [frame]}
    for folder, tables in parts.items():
        of_one = tmp_path / ("parts" if "=" in folder else "") / folder
        of_one.mkdir(parents=True)
        (of_one / "_SUCCESS").touch()
        for number, table in enumerate(tables):
            table.to_parquet(of_one / f"part-{number}.snappy.parquet")
    text = frame.to_csv(index=False)
    lines = text_file(tmp_path, "".join(f'"{line}"\n' for line in text.splitlines()), "lines.csv")
    zeros = text_file(tmp_path, text + "\0" * 300, "zeros.csv")
    for path in (tmp_path / "plain", lines, zeros):
        (table,), names, _ = read_tables(configured(path))
        assert (table.values[:, 0].tolist(), names) == ([1.5, 2.5, 4.0], ("x",))
    tables, _, _ = read_tables(configured(tmp_path / "parts", series="place"))
    assert [(table.name, len(table.times)) for table in tables] == [("a", 3), ("b", 3)]
    with pytest.raises(SeriesDataError, match=r"dictionary of frames.*pd\.concat.*Received: \['a'\]"):
        read_tables(TableConfiguration(), {"a": frame})  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="Did you mean 'x'"):
        read_tables(TableConfiguration(targets="X"), frame)
    for name, head, what in (("a.sav", b"$FL2@(#) SPSS", "SPSS"), ("a.nc", b"CDF\1\0\0\0", "NetCDF")):
        (tmp_path / name).write_bytes(head + bytes(200))
        with pytest.raises(SeriesDataError, match=f"{name} is a .*{what}.*csv"):
            read_tables(configured(tmp_path / name))


def test_a_format_is_for_text() -> None:
    frame = pd.DataFrame({"time": pd.date_range("2024-01-01", periods=2, freq="h"), "x": [1.0, 2.0]})
    _, _, repairs = read_tables(TableConfiguration(time_format="%d/%m/%Y"), frame)
    assert repairs == [Repair("", "time", "times, and no text: --data.time_format %d/%m/%Y does not count", 2)]


BAD_ROWS = [
    ("2024-01-03 00:00,high,1", "line 4, column 'x': expected a number, or nothing .* Received: 'high'"),
    ("yesterday,3,1", "line 4, column 'time': the time cannot be read .*Received: 'yesterday'"),
    (",3,1", "line 4, column 'time': the time is missing"),
    ("2024-02-30 00:00,3,1", "line 4, column 'time': the time cannot be read .*Received: '2024-02-30 00:00'"),
    ("2024-01-03T00:00:00+02:00,3,1", "line 2, column 'time': times with and without a zone are mixed"),
    ("2024-01-03 00:00,3,1,7,8", "cannot be read.*line 4"),
]


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    path = text_file(tmp_path, "time,load, load\n2024-01-01,1,2\n2024-01-02,3,4\n")
    with pytest.raises(
        SeriesDataError, match=r"^[^:]*: several columns have one name.*Received: 'load' more than once"
    ):
        read_tables(configured(path))


@pytest.mark.parametrize(("row", "message"), BAD_ROWS)
@pytest.mark.parametrize("targets", [(), ("x",)])
def test_bad_rows_are_named(tmp_path: Path, row: str, message: str, targets: tuple[str, ...]) -> None:
    lines = ["time,x,y", "2024-01-01 00:00,1,1", "2024-01-02 00:00,2,1", row, "2024-01-05 00:00,2,1"]
    path = text_file(tmp_path, "\n".join(lines) + "\n")
    with pytest.raises(SeriesDataError, match=message) as caught:
        read_tables(configured(path, targets=targets))
    assert str(caught.value).startswith(str(path))
    assert "Received: " in str(caught.value) and " 0 more" not in str(caught.value)


@pytest.mark.parametrize("line", [2, 4])
def test_a_surplus_word_between_spaces_is_named(tmp_path: Path, line: int) -> None:
    lines = ["time x y", *(f"2024-01-0{day} {day} 3" for day in range(1, 6))]
    lines[line - 1] += " note"
    with pytest.raises(SeriesDataError, match=rf"Correct line {line}: .*Received: 4 values"):
        read_tables(configured(text_file(tmp_path, "\n".join(lines) + "\n")))


def test_a_target_of_text_is_refused(tmp_path: Path) -> None:
    path = text_file(tmp_path, "time,x\n2024-01-01,high\n2024-01-02,low\n")
    with pytest.raises(SeriesDataError, match=r"line 2, column 'x': .* 2 values are not.*Received: 'high'"):
        read_tables(configured(path, targets=("x",)))


def test_days_and_months_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    path = text_file(tmp_path, "time,x\n01/02/2024,1\n02/02/2024,1\n")
    with pytest.raises(SeriesDataError, match=r"%d/%m/%Y and %m/%d/%Y; expected one.*--data.time_format"):
        read_tables(configured(path))
    (table,), _, _ = read_tables(configured(path, time_format="%m/%d/%Y"))
    assert table.times.tolist() == seconds("2024-01-02", "2024-02-02")


def test_a_row_without_a_series_is_refused(tmp_path: Path) -> None:
    path = text_file(tmp_path, "time,name,x\n2024-01-01,a,1\n2024-01-02,,1\n")
    with pytest.raises(SeriesDataError, match=r"line 3: the row belongs to no series"):
        read_tables(configured(path, series="name"))


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"data.path: .*Received: no path"):
        read_tables(TableConfiguration())
    with pytest.raises(SeriesDataError, match=r"none.csv does not exist"):
        read_tables(configured(tmp_path / "none.csv"))
    for text in ("", "time,x\n"):
        with pytest.raises(SeriesDataError, match=r"(is empty|has no rows)"):
            read_tables(configured(text_file(tmp_path, text)))
    with pytest.raises(SeriesDataError, match="no recognisable column of times"):
        read_tables(configured(text_file(tmp_path, "a,b\nx,y\nz,w\n")))
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\r\n\0\0\0\rIHDR")
    with pytest.raises(SeriesDataError, match=r"picture.csv is a picture; expected text"):
        read_tables(configured(tmp_path / "picture.csv"))
    packed = gzip.compress(ETT.encode() * 50)
    (tmp_path / "cut.csv.gz").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "fake.parquet").write_bytes(b"PAR1 and nothing else")
    for name in ("cut.csv.gz", "fake.parquet"):
        with pytest.raises(SeriesDataError, match=rf"{name} cannot be (read|unpacked).*Received: .+"):
            read_tables(configured(tmp_path / name))


def test_columns_and_their_uses(tmp_path: Path) -> None:
    names = ("load", "heat", "wind", "holiday")
    chosen = choose_columns(TableConfiguration(targets=("load",), known=("holiday",), unused=("wind",)), names, ())
    assert chosen == Columns(("load",), ("heat",), ("holiday",))
    assert choose_columns(TableConfiguration(), names, ("heat",)) == Columns(("heat",), ("load", "wind", "holiday"))
    assert choose_columns(TableConfiguration(known=("holiday",)), names, ()).targets == ("load", "heat", "wind")
    for columns, received in (([f"c{number}" for number in range(9)], "c0, c1"), ([], "no column of numbers")):
        with pytest.raises(ConfigurationError, match=rf"data.targets: .*Received: none, of the columns .*{received}"):
            choose_columns(TableConfiguration(), tuple(columns), ())
    with pytest.raises(ConfigurationError, match=r"no column 'lode' in the data set.*Did you mean 'load'"):
        choose_columns(TableConfiguration(targets=("lode",)), names, ())
    for use in ("past", "unused", "series", "time"):  # the last three are no columns of numbers
        with pytest.raises(ConfigurationError, match=r"one use: .*Received: \['load'\]"):
            choose_columns(TableConfiguration(targets="load", **{use: ["load"]}), names[use != "past" :], ())
    path = text_file(tmp_path, ETT)
    assert TableConfiguration(path=path).path == str(path)
    with pytest.raises(ConfigurationError, match=r"no column 'OTT' in .*loads.csv.*Did you mean 'OT'"):
        read_tables(configured(path, targets=("OTT",)))


def shops(names: tuple[str, ...], cities: tuple[str, ...]) -> pd.DataFrame:
    """Three days of shops, each in one city and of one size."""
    days = pd.date_range("2024-01-01", periods=3).strftime("%Y-%m-%d")
    rows = [
        {"day": day, "shop": name, "city": city, "size": 10.0 * place, "note": f"{name} {day}", "sold": 5.0 + place}
        for place, (name, city) in enumerate(zip(names, cities, strict=True))
        for day in days
    ]
    return pd.DataFrame(rows)


def test_what_tells_series_apart_is_read_and_may_be_new_or_missing_later() -> None:
    configuration = DataConfiguration(source="table", targets=("sold",), series="shop")
    learned = open_source(configuration, table=shops(("a", "b", "c"), ("Rome", "Bonn", "Rome")))
    assert learned.columns.static == ("size", "city=Bonn", "city=Rome")
    assert set(learned.columns.past) == set(learned.columns.static)  # each note is another
    place = learned.columns.all.index("city=Rome")
    assert [series.values[:, place].tolist() for series in learned.series] == [[1, 1, 1], [0, 0, 0], [1, 1, 1]]
    later = open_source(configuration, learned.columns, learned.clock, shops(("d", "e"), ("Paris", "Bonn")))
    assert later.columns == learned.columns
    place = later.columns.all.index("city=Bonn")
    assert [series.values[:, place].tolist() for series in later.series] == [[0, 0, 0], [1, 1, 1]]
    assert any("(Paris): taken as none of them" in repair.what and repair.number == 3 for repair in later.repairs)
    without = shops(("a",), ("Rome",)).drop(columns=["city", "size"])
    missing = open_source(configuration, learned.columns, learned.clock, without)
    assert not missing.series[0].observed[:, 1:].any() and len(missing.repairs) >= 3
    weather = shops(("a",), ("Rome",)).assign(weather=["wet", "dry", "wet"])
    asked = open_source(configuration.replace(known=("weather",)), table=weather)
    assert asked.columns.known == ("weather=dry", "weather=wet")

"""Delimited text as programs write it: what stands around a table is left out, and its cells are read as meant."""

import io
import re

import numpy as np
import pandas as pd
import pytest

from pipelines.series.user_tables import TableConfiguration, read_tables
from tests.pipelines.series.written_tables import ARABIC, BODY, DAYS, HOURS, MONTHS, PLAIN, N, read, written

AROUND = {
    "comments": ("# made by a logger\n# station 7\n" + PLAIN, "lines of comments"),
    "a title": ("Station 7, of the town\n\n" + PLAIN, "lines of a title"),
    "a table of its place": ("latitude,longitude,height\n52.5,13.4,38\n\n" + PLAIN, "lines of a title"),
    "units": ("time,x\n,kW\n" + BODY, "lines of units"),
    "names in a comment": ("# made by a logger\n# time,x\n" + BODY, "lines of comments"),
    "several lines of names": ("Price,Close\nTicker,AAPL\nDate,\n" + BODY, "lines of units"),
    "facts of a statistical office": (
        "Title,x\nUnit,£ million\nSeries Start,2023-12-20\nRelease date,12-08-2024\nNo. Obs,48\nNotes,\n" + BODY,
        "lines of units",
    ),
    "sums and sources": (PLAIN + "Total,48\nSource: the town\n", "lines below the table"),
    "no names": (BODY, ""),
    "tabs": (PLAIN.replace(",", "\t"), ""),
    "spaces": (PLAIN.replace(",", "   "), ""),
    "its delimiter": ("sep=;\n" + PLAIN.replace(",", ";"), "lines of comments"),
    "its delimiter, as other programs state it": ('"SEP=;"\n' + PLAIN.replace(",", ";"), "lines of comments"),
    "its names again": (
        PLAIN.replace("\n2024-01-01", "\ntime,x\n2024-01-01"),
        "lines of <table> that repeat the names",
    ),
    "a table of Markdown": (
        "".join(
            f"| {line.replace(',', ' | ')} |\n" for line in [*PLAIN.splitlines()[:1], "--- , ---", *BODY.splitlines()]
        ),
        "lines of units",
    ),
    "digits of another script": (re.sub(r",.*", lambda cell: cell[0].translate(ARABIC), PLAIN), ""),
    **{f"delimiter {sign!r}": (PLAIN.replace(",", sign), "") for sign in "^~\x01"},
    "many notes": (PLAIN + "Notes\n" + "a word\n" * 8 + "Downloaded 2024-05-02 10:11\n", "lines below the table"),
    "a delimiter at the end": (PLAIN.replace("\n", ",\n"), ""),
}


@pytest.mark.parametrize("name", AROUND)
def test_what_stands_around_a_table_is_left_out_and_reported(name: str) -> None:
    text, reported = AROUND[name]
    table, repairs = read(text)
    np.testing.assert_array_equal(table.values[:, 0], np.arange(N) + 0.25)
    assert [repair.what.startswith(reported) for repair in repairs] == [True] * bool(reported)
    assert text.splitlines()[table.lines[3] - 1].lstrip("| ").startswith("2023-12-23")


NUMBERS = {
    "5.000,00;1.250,50;-3,25": [5000, 1250.5, -3.25],
    "5.000;1.250;3,5": [5000, 1250, 3.5],
    "$9.00;-$1.50;$1,250.25": [9, -1.5, 1250.25],
    "12 %;13%;0 %": [12, 13, 0],
    "1 250,5;2;3": [1250.5, 2, 3],
    "(5.5);6;-": [-5.5, 6, np.nan],
    "12.3 p;4.5;#N/A": [12.3, 4.5, np.nan],
    "21.5 °C;20 °C;n/a": [21.5, 20, np.nan],
    "yes;no;yes": [1, 0, 1],
    "\u22125;5;1e3": [-5, 5, 1000],
    "1.2M;850K;-3M": [1.2e6, 8.5e5, -3e6],
    "1,23,456;12,34,567;1,000": [123_456, 1_234_567, 1000],
    "2.5 mn;0.5 bn;1 mn": [2.5e6, 5e8, 1e6],
    "$(1,250.50);($2.25);$3.00": [-1250.5, -2.25, 3],
    "<0.5;2.5;<1": [0.5, 2.5, 1],
    "1.5k;850;3k": [1500, 850, 3000],
    "5 万;7;0.5 万": [5e4, 7, 5e3],
    "***;–5;kr 7": [np.nan, -5, 7],
    "R$ 1.250,50;\uff11\uff0c\uff15;unavailable": [1250.5, 1.5, np.nan],
    "1.5D+02;2.5D-01;3D0": [150, 0.25, 3],
    "900;950;980;1.000;1.250": [900, 950, 980, 1000, 1250],
    "-999;1.234;2.345": [-999, 1.234, 2.345],
    "1,100;1,125": [1.1, 1.125],
    "1.5×10^2;2.5 x 10^-1;3×10^0": [150, 0.25, 3],
}


@pytest.mark.parametrize("cells", NUMBERS)
def test_numbers_are_read_as_they_were_meant(cells: str) -> None:
    table, _ = read("time;x\n" + "\n".join(f"2024-01-0{n};{cell}" for n, cell in enumerate(cells.split(";"), 1)) + "\n")
    np.testing.assert_array_equal(table.values[:, 0], NUMBERS[cells])


@pytest.mark.parametrize("cells", ["5 kW;6 MW", "€5;£6", "3½;7", "a;7", "o;7"])
def test_units_fractions_and_letters_are_no_numbers(cells: str) -> None:
    rows = "".join(f"2024-01-0{n},{cell}\n" for n, cell in enumerate(cells.split(";"), 1))
    with pytest.raises(ValueError, match=rf"line 2, column 'x'.*Received: '{cells.split(';')[0]}'"):
        read("time,x\n" + rows, targets=("x",))


def test_tables_without_names_may_begin_with_a_date() -> None:
    _, names, _ = read_tables(
        TableConfiguration(),
        io.BytesIO("".join(f"{t.year};{t.month:02d};{n}.5;1\n" for n, t in enumerate(MONTHS)).encode()),
    )
    assert names == ("column_3", "column_4")
    table, _ = read(written(HOURS.strftime("%Y,%m,%d,%H")).partition("\n")[2])
    np.testing.assert_array_equal(table.times, HOURS.as_unit("s").astype(np.int64))
    np.testing.assert_array_equal(table.values, np.arange(N)[:, np.newaxis] + 0.25)
    table, _ = read(written([f"{t.year + (t.month - 1) / 12:.4f}" for t in MONTHS], ",x"))
    np.testing.assert_array_equal(table.times, MONTHS.as_unit("s").astype(np.int64))


def test_numbers_without_the_sign_of_others_are_counted() -> None:
    _, repairs = read("time,x\n2024-01-01,47%\n2024-01-02,0.5\n2024-01-03,12%\n")
    assert repairs[0].what == "signs and units (%): left out of the numbers; numbers without them: 1"


def test_names_that_are_written_again_may_lack_one() -> None:
    rows = [f"{n},{day:%Y-%m-%d},{n * n}" for n, day in enumerate(DAYS)]
    table, repairs = read("\n".join([",time,x", *rows[:30], ",time,x", *rows[30:]]))
    np.testing.assert_array_equal(table.values[:, -1], np.arange(N) ** 2)
    assert repairs[0].first == "line 32"


def test_legacy_text_is_read_and_reported() -> None:
    _, names, repairs = read_tables(TableConfiguration(), io.BytesIO(PLAIN.replace("x", "Wärme").encode("cp1252")))
    assert names == ("Wärme",) and repairs[0].what.endswith("read as Windows-1252")
    for name, encoding in {"Gęstość": "cp1250", "平均気温": "cp932", "Влажность": "cp1251"}.items():
        _, names, repairs = read_tables(TableConfiguration(), io.BytesIO(PLAIN.replace("x", name).encode(encoding)))
        assert names == (name,) and repairs[0].what.endswith(f"read as {encoding}")


def test_what_doubles_cannot_hold_is_reported() -> None:
    for table in (
        written(DAYS.strftime("%Y-%m-%d")).replace(".25", "0" * 16),
        pd.DataFrame({"x": 2**60 + np.arange(N)}),
    ):
        assert any("above 2^53" in repair.what for repair in read(table)[1])

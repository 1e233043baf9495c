"""Tables as other people have them: each holds the same values at the same times as a plain one."""

import io
import json
import re
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipelines.series.calendar import COUNTED, DAY, MONTH, future_times
from pipelines.series.cleaning import regularise
from pipelines.series.clocks import find_clock
from pipelines.series.regular import Columns, Repair, SeriesDataError, Table
from pipelines.series.sources import DataConfiguration, open_source
from pipelines.series.table_files import read_table
from pipelines.series.time_formats import is_like_time
from pipelines.series.user_tables import TableConfiguration, read_tables

N = 48
HOURS = pd.date_range("2024-01-30", periods=N, freq="h")  # over the end of a month
HOURS_OF_1990 = pd.date_range("1990-01-30", periods=N, freq="h")
DAYS = pd.date_range("2023-12-20", periods=N, freq="D")
MONTHS = pd.date_range("1962-01-01", periods=N, freq="MS")


DIGITS = str.maketrans("", "", "- :")
_ORDINALS = {1: "st", 2: "nd", 3: "rd"}
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def written(times: Iterable[Any], head: str = "time,x", delimiter: str = ",") -> str:
    return "\n".join([head, *(f"{time}{delimiter}{number}.25" for number, time in enumerate(times))]) + "\n"


def read(table: Any, **options: Any) -> tuple[Table, list[Repair]]:
    (found,), _, repairs = read_tables(
        TableConfiguration(**options), io.BytesIO(table.encode()) if isinstance(table, str) else table
    )
    return found, repairs


TIMES: dict[str, tuple[pd.DatetimeIndex, Callable[[], Iterable[Any]]]] = {
    "the days of Excel": (DAYS, lambda: (DAYS - pd.Timestamp("1899-12-30")).days),
    "the hours of Excel": (HOURS, lambda: (HOURS - pd.Timestamp("1899-12-30")) / pd.Timedelta("1D")),
    "microseconds": (HOURS, lambda: HOURS.as_unit("us").astype(np.int64)),
    "nanoseconds": (HOURS, lambda: HOURS.as_unit("ns").astype(np.int64)),
    "nanoseconds that could be ticks": (HOURS_OF_1990, lambda: HOURS_OF_1990.as_unit("ns").astype(np.int64)),
    "ticks of .NET": (HOURS, lambda: (HOURS - pd.Timestamp("1970")) // pd.Timedelta("100ns") + 719_162 * 864 * 10**9),
    "ticks of Windows": (HOURS, lambda: (HOURS.as_unit("s") - pd.Timestamp("1601").as_unit("s")).astype(int) * 10**7),
    "quarters": (pd.date_range("2001", periods=N, freq="QS"), lambda: pd.period_range("2001Q1", periods=N, freq="Q")),
    "quarters first": (
        pd.date_range("2001", periods=N, freq="QS"),
        lambda: [f"Q{1 + n % 4} {2001 + n // 4}" for n in range(N)],
    ),
    "years": (pd.date_range("1950", periods=N, freq="YS"), lambda: range(1950, 1950 + N)),
    "financial years": (pd.date_range("1950", periods=N, freq="YS"), lambda: [f"FY{1950 + n}" for n in range(N)]),
    "weeks": (pd.date_range("2005-01-03", periods=N, freq="7D"), lambda: [f"2005-W{n:02d}" for n in range(1, N + 1)]),
    "months and years of two digits": (MONTHS, lambda: MONTHS.strftime("%b-%y")),
    "years of two digits and months": (MONTHS, lambda: MONTHS.strftime("%y-%b")),
    "numbers of months and years of two digits": (MONTHS, lambda: MONTHS.strftime("%m/%y")),
    "names of months": (MONTHS, lambda: MONTHS.strftime("%B %Y")),
    "quarters of Gretl": (
        pd.date_range("2001", periods=N, freq="QS"),
        lambda: [f"{each.year}:{each.quarter}" for each in pd.period_range("2001Q1", periods=N, freq="Q")],
    ),
    "months of Gretl": (MONTHS, lambda: MONTHS.strftime("%Y:%m")),
    "months of statistics": (MONTHS, lambda: MONTHS.strftime("%YM%m")),
    "digits of a month": (MONTHS, lambda: MONTHS.strftime("%Y%m")),
    "years with a fraction": (MONTHS, lambda: np.round(MONTHS.year + (MONTHS.month - 0.5) / 12, 3)),
    "ends of a day": (HOURS, lambda: [_with_24(time) for time in HOURS]),
    "ends of a day in digits": (HOURS, lambda: [_with_24(t).translate(DIGITS) for t in HOURS]),
    "a place's zone": (HOURS, lambda: HOURS.tz_localize("UTC").tz_convert("Asia/Tokyo").strftime("%F %R Asia/Tokyo")),
    "day first": (DAYS, lambda: DAYS.strftime("%d.%m.%y")),
    "month first": (HOURS, lambda: HOURS.strftime("%-m/%-d/%Y %-I:%M %p")),
    "a date alone at midnight": (HOURS, lambda: [f"{t:%m/%d/%Y %H:%M}".replace(" 00:00", "") for t in HOURS]),
    "weekdays": (HOURS, lambda: HOURS.strftime("%a %d %b %Y %H:%M")),
    "the first of months, day first": (MONTHS, lambda: MONTHS.strftime("%d/%m/%Y")),
    "names of zones": (HOURS, lambda: (HOURS + pd.Timedelta("1h")).strftime("%Y-%m-%d %H:%M CET")),
    "of JavaScript": (
        HOURS,
        lambda: (HOURS + pd.Timedelta("330min")).strftime("%a %b %d %Y %H:%M:%S GMT+0530 (India Standard Time)"),
    ),
    "compact": (HOURS, lambda: HOURS.strftime("%Y%m%dT%H%M%SZ")),
    "decimal comma of seconds": (HOURS, lambda: HOURS.strftime('"%Y-%m-%d %H:%M:%S,000"')),
    "a.m. and p.m.": (HOURS, lambda: HOURS.strftime("%d/%m/%Y %I:%M %p").str.replace("M", ".M.").str.lower()),
    "am and pm without a space": (HOURS, lambda: HOURS.strftime("%m/%d/%y %I:%M%p").str.lower()),
    "a comma before the clock": (HOURS, lambda: HOURS.strftime('"%d/%m/%Y, %H:%M"')),
    "words beside the clock": (HOURS, lambda: HOURS.strftime("%d.%m.%Y um %H:%M Uhr")),
    "hours as h": (HOURS, lambda: HOURS.strftime("%d/%m/%Y %Hh%M")),
    "of the C library": (HOURS, lambda: HOURS.strftime("%a %b %d %H:%M:%S %Y")),
    "of a web server": (HOURS, lambda: HOURS.strftime("%d/%b/%Y:%H:%M:%S +0000")),
    "a name, day and year": (DAYS, lambda: DAYS.strftime("%b-%-d-%Y")),
    "file names": (HOURS, lambda: HOURS.strftime("%Y%m%d_%H%M")),
    "Japanese": (HOURS, lambda: HOURS.strftime("%Y年%m月%d日 %H時%M分")),
    "Hungarian": (HOURS, lambda: HOURS.strftime("%Y. %m. %d. %H:%M")),
    "days of the year": (DAYS, lambda: DAYS.strftime("%Y-%j")),
    "from and to": (HOURS, lambda: [f"{t:%d.%m.%Y %H:%M} - {t + pd.Timedelta('1h'):%d.%m.%Y %H:%M}" for t in HOURS]),
    "from and to of a day": (HOURS, lambda: [f"{t:%Y-%m-%d %H:%M}-{t + pd.Timedelta('1h'):%H:%M}" for t in HOURS]),
    "an offset with its zone's name": (HOURS, lambda: HOURS.strftime("%Y-%m-%dT%H:%M+00:00[Europe/London]")),
    "an offset behind UTC": (HOURS, lambda: (HOURS - pd.Timedelta("3h")).strftime("%Y-%m-%d %H:%M UTC-3")),
    **{
        form: (pd.date_range("1998", periods=N, freq="QS"), lambda form=form: _quarters(form))
        for form in (
            *(
                "{q}Q{y:%y}",
                "Q{q}-{y:%y}",
                "Q{q}'{y:%y}",
                "FY{y:%Y} Q{q}",
                "Q{q} FY{y:%y}",
                "T{q} {y:%Y}",
                "{y:%Y}-T{q}",
            ),
            *("{q}. Quartal {y:%Y}", "Quarter {q} {y:%Y}", "{y:%b}-{e:%b} {y:%Y}"),
            *(
                "{q}T{y:%Y}",
                "{q}º trimestre {y:%Y}",
                "{y:%Y}年第{q}季度",
                "{q} кв. {y:%Y}",
                "{y:%Y}K{q}",
                "{y:%Y}:Q{q}",
            ),
            *("{y:%Y}-0{q}", "{q}/{y:%Y}", "{y:%Y}QTR{q}"),
        )
    },
    "financial years of two digits": (
        pd.date_range("1970", periods=N, freq="YS"),
        lambda: [f"FY{n % 100:02d}" for n in range(70, 70 + N)],
    ),
    "financial years of two digits, both": (
        pd.date_range("1970", periods=N, freq="YS"),
        lambda: [f"FY{n % 100:02d}/{(n + 1) % 100:02d}" for n in range(70, 70 + N)],
    ),
    "ends of weeks": (DAYS, lambda: DAYS.strftime("Week ending %d %b %Y")),
    "beginnings of weeks": (DAYS, lambda: DAYS.strftime("w/c %d/%m/%Y")),
    "days of SAS": (DAYS, lambda: DAYS.strftime("%d%b%Y").str.upper()),
    "hours of SAS": (HOURS, lambda: HOURS.strftime("%d%b%Y:%H:%M:%S").str.upper()),
    "hours of Oracle": (HOURS, lambda: HOURS.strftime("%d-%b-%y %I.%M.%S.000000 %p").str.upper()),
    "hours of DB2": (HOURS, lambda: HOURS.strftime("%Y-%m-%d-%H.%M.%S.000000")),
    "ordinal days": (DAYS, lambda: [f"{t.day}{_ORDINALS.get(t.day % 30 % 20, 'th')} {t:%B %Y}" for t in DAYS]),
    "months in Chinese": (MONTHS, lambda: MONTHS.strftime("%Y年%-m月")),
    "half-years": (
        pd.date_range("1950", periods=N, freq="6MS"),
        lambda: [f"{1950 + n // 2}H{1 + n % 2}" for n in range(N)],
    ),
    "quarters in Roman numbers": (
        pd.date_range("2001", periods=N, freq="QS"),
        lambda: [f"{('I', 'II', 'III', 'IV')[n % 4]}/{2001 + n // 4}" for n in range(N)],
    ),
    "seasons of two years": (
        pd.date_range("1950", periods=N, freq="YS"),
        lambda: [f"{1950 + n}/{(1951 + n) % 100:02d}" for n in range(N)],
    ),
    **{
        f"weeks as {form}": (
            pd.date_range("2024-01-01", periods=N, freq="7D"),
            lambda form=form: [form.format(n) for n in range(1, N + 1)],
        )
        for form in ("2024KW{:02d}", "2024 week {}", "W{:02d}-24", "Wk {} 2024", "{}. semaine 2024", "2024년 {}주")
    },
    **{
        f"months as {form}": (MONTHS, lambda form=form: MONTHS.strftime(form))
        for form in ("%b%Y", "%Y%b", "%m-%Y", "%m.%Y", "%Y.%m", "%Y %m")
    },
    **{
        f"days as {form}": (DAYS, lambda form=form: DAYS.strftime(form))
        for form in (
            *("%d%m%Y", "%y%m%d", "%d.%m.%Y.", "%a %d/%m/%Y", "%Y-%m-%d (%A)", "%d %m %Y", "%Y%b%d", "%Y-%m-%d+01:00"),
            '"[%Y-%m-%d, %Y-%m-%d)"',
        )
    },
    **{
        f"hours as {form}": (HOURS, lambda form=form: HOURS.strftime(form))
        for form in (
            *("%Y-%m-%d %H:%M:%S +0000 UTC", "%H:%M %d/%m/%Y", "%Y%m%d %H:%M", "%Y-%m-%d-%H", "%Y/%m/%d-%H:%M:%S"),
            *("%m/%d/%Y - %H:%M", "%d-%m-%Y %Hu%M", "%Y-%jT%H:%M", "%b %d %Y %I:%M:%S:000%p"),
        )
    },
    "days of a year with a fraction": (
        DAYS,
        lambda: [f"{t.year + (t.dayofyear - 0.5) / (366 if t.is_leap_year else 365):.4f}" for t in DAYS],
    ),
    "days of Excel with a comma": (DAYS, lambda: [f'"{t},0"' for t in (DAYS - pd.Timestamp("1899-12-30")).days]),
    "Mondays of weeks": (
        pd.date_range("2005-01-03", periods=N, freq="7D"),
        lambda: [f"2005-W{n:02d}-1" for n in range(1, N + 1)],
    ),
    **{
        f"months in {language}": (
            MONTHS,
            lambda names=names: [f"{names.split()[t.month - 1]} {t.year}" for t in MONTHS],
        )
        for language, names in {
            "Dutch": "januari februari maart april mei juni juli augustus september oktober november december",
            "Portuguese": "jan fev mar abr mai jun jul ago set out nov dez",
            "Italian": "gen feb mar apr mag giu lug ago set ott nov dic",
            "Polish": "sty lut mar kwi maj cze lip sie wrz paź lis gru",
            "Russian": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
            "Norwegian": "jan feb mar apr mai jun jul aug sep okt nov des",
            "Hungarian": "január február március április május június július augusztus szeptember október november dec",
            "Ukrainian": "січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня",
            "Turkish": "Ocak Şubat Mart Nisan Mayıs Haziran Temmuz Ağustos Eylül Ekim Kasım Aralık",  # noqa: RUF001
        }.items()
    },
}


@pytest.mark.parametrize("words", ["set 12", "out 3", "LED 2", "lot 5", "12.5"])
def test_names_that_begin_as_a_month_are_no_times(words: str) -> None:
    assert not is_like_time(words)


def _quarters(form: str) -> list[str]:
    starts = pd.date_range("1998", periods=N, freq="QS")
    return [form.format(q=start.quarter, y=start, e=start + pd.DateOffset(months=2)) for start in starts]


def _with_24(time: pd.Timestamp) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time.hour else f"{time - pd.Timedelta('1D'):%Y-%m-%d} 24:00"


@pytest.mark.parametrize("form", TIMES)
def test_times_are_read_as_they_were_meant(form: str) -> None:
    meant, write = TIMES[form]
    table, _ = read(written(write()))
    np.testing.assert_array_equal(table.times, meant.as_unit("s").astype(np.int64))
    np.testing.assert_array_equal(table.values[:, 0], np.arange(N) + 0.25)


COUNTING: dict[str, Callable[[], Iterable[Any]]] = {
    "seconds,x": lambda: np.arange(N) / 2,
    "t,x": lambda: np.round(np.arange(N) * 0.01, 2),
    "mjd,x": lambda: 60_000 + np.arange(N),
    "JD,x": lambda: 2_460_000.5 + np.arange(N),
}


@pytest.mark.parametrize("head", COUNTING)
def test_a_column_that_only_counts_is_no_target(head: str) -> None:
    table, repairs = read(written(COUNTING[head](), head))
    assert table.zone == COUNTED
    np.testing.assert_array_equal(np.unique(np.diff(table.times)), [1])
    np.testing.assert_array_equal(table.values, np.arange(N)[:, np.newaxis] + 0.25)
    assert any("steps in their order" in repair.what for repair in repairs)


@pytest.mark.parametrize(
    "times",
    [
        lambda: [f"{(20 + n // 2) % 24:02d}:{n % 2 * 30:02d}" for n in range(N)],
        lambda: pd.to_timedelta(np.arange(N) * 30, unit="min").astype(str),
        lambda: pd.to_timedelta(np.arange(N) * 30, unit="min"),
    ],
    ids=["over midnight", "as text", "durations"],
)
def test_a_clock_without_a_date_counts_from_1970(times: Callable[[], Any]) -> None:
    frame = pd.DataFrame({"time": times(), "x": np.arange(N) + 0.25})
    table, repairs = read(frame)
    np.testing.assert_array_equal(np.unique(np.diff(table.times)), [1800])
    assert any("times without a date" in repair.what for repair in repairs)


def test_digits_of_years_and_weeks_are_mondays() -> None:
    mondays = pd.date_range("2019-12-30", periods=N, freq="7D")
    table, _ = read(written([f"{t.isocalendar()[0]}{t.isocalendar()[1]:02d}" for t in mondays], "yearweek,x"))
    np.testing.assert_array_equal(table.times, mondays.as_unit("s").astype(np.int64))


PARTS = {
    "year and quarter": (pd.date_range("2001", periods=N, freq="QS"), "year,quarter", "{0.year}.0,{0.quarter}.0"),
    "year and Q": (pd.date_range("2001", periods=N, freq="QS"), "year,quarter", "{0.year},Q{0.quarter}"),
    "year, number and name of the month": (MONTHS, "year,month", "{0.year},{0:%m}-{0:%B}"),
    "year and month": (MONTHS, "Year,Month", "{0.year},{0.month}"),
    "year and name of the month": (MONTHS, "Year,Month", "{0.year},{0:%B}"),
    "year and day": (pd.date_range("2023-02-03", periods=N), "year,doy", "{0.year},{0.dayofyear}"),
    "date and hour": (HOURS, "date,hour", "{0:%d/%m/%Y},{0.hour}"),
    "date and hour from 1": (HOURS, "date,Hour Ending", "{0:%Y-%m-%d},{1}"),
    "date and period": (
        pd.date_range("2024-01-30", periods=2 * N, freq="30min"),
        "SETTLEMENT_DATE,SETTLEMENT_PERIOD",
        "{0:%d-%b-%Y},{2}",
    ),
    "year and W": (pd.date_range("2024", periods=N, freq="7D"), "année,semaine", "{0.year},W{0.week:02d}"),
    "date and clock with points": (HOURS, "Date,Time", "{0:%d/%m/%Y},{0:%H.%M.%S}"),
    "digits of both with seconds": (HOURS, "<DATE>,<TIME>", "{0:%Y%m%d},{0:%H%M%S}"),
    "date and clock": (HOURS, "day,clock", "{0:%d.%m.%Y},{0:%H:%M}"),
    "digits of both": (HOURS, "date,time", "{0:%Y%m%d},{0:%H%M}"),
    "date and name of the hour": (HOURS, "date,hour", "{0:%Y-%m-%d},HE{1:02d}"),
    "date and hour from to": (HOURS, "date,hour", "{0:%Y-%m-%d},{0:%H}-{1:02d}"),
    "date and h": (HOURS, "date,hour", "{0:%Y-%m-%d},{0.hour}h"),
    "date and hour of a.m. and p.m.": (HOURS, "date,hour", "{0:%Y-%m-%d},{0:%I %p}"),
}


@pytest.mark.parametrize("name", PARTS)
def test_columns_that_give_the_time_together_are_found(name: str) -> None:
    meant, head, form = PARTS[name]
    rows = [form.format(time, time.hour + 1, 1 + 2 * time.hour + time.minute // 30) for time in meant]
    table, _ = read(written(rows, head + ",x"))
    np.testing.assert_array_equal(table.times, meant.as_unit("s").astype(np.int64))
    assert table.values.shape[1] == 1


PLAIN = written(DAYS.strftime("%Y-%m-%d"))
BODY = PLAIN.partition("\n")[2]
ARABIC = {48 + digit: 0x660 + digit for digit in range(10)}
AROUND = {
    "comments": ("# made by a logger\n# station 7\n" + PLAIN, "lines of comments"),
    "a title": ("Station 7, of the town\n\n" + PLAIN, "lines of a title"),
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
    "1.5×10^2;2.5 x 10^-1;3×10^0": [150, 0.25, 3],
}


@pytest.mark.parametrize("cells", NUMBERS)
def test_numbers_are_read_as_they_were_meant(cells: str) -> None:
    table, _ = read("time;x\n" + "\n".join(f"2024-01-0{n};{cell}" for n, cell in enumerate(cells.split(";"), 1)) + "\n")
    np.testing.assert_array_equal(table.values[:, 0], NUMBERS[cells])


@pytest.mark.parametrize("cells", ["5 kW;6 MW", "3½;7", "a;7", "o;7"])
def test_units_fractions_and_letters_are_no_numbers(cells: str) -> None:
    rows = "".join(f"2024-01-0{n},{cell}\n" for n, cell in enumerate(cells.split(";"), 1))
    with pytest.raises(ValueError, match=rf"line 2, column 'x'.*Received: '{cells.split(';')[0]}'"):
        read("time,x\n" + rows, targets=("x",))


def wide(columns: dict[str, Any]) -> str:
    return pd.DataFrame(columns).to_csv(index=False)


def test_wide_tables_become_rows() -> None:
    values = np.arange(N).reshape(-1, 12)
    months = wide({"Year": range(1962, 1966)} | {f"{time:%b}": values[:, time.month - 1] for time in MONTHS[:12]})
    table, _ = read(months)
    np.testing.assert_array_equal(table.times, MONTHS.as_unit("s").astype(np.int64))
    np.testing.assert_array_equal(table.values[:, 0], np.arange(N))
    values = np.arange(N).reshape(2, 24)
    hours = wide({"Date": ["2024-01-30", "2024-01-31"]} | {f"H{hour + 1}": values[:, hour] for hour in range(24)})
    table, _ = read(hours)
    np.testing.assert_array_equal(table.times, HOURS.as_unit("s").astype(np.int64))
    np.testing.assert_array_equal(table.values[:, 0], np.arange(N))
    years = "Country,Code,1960,1961,1962\nAruba,ABW,1,2,3\nChad,TCD,4,..,6\n"
    tables, names, _ = read_tables(TableConfiguration(), io.BytesIO(years.encode()))
    assert names == ("value",) and [each.name for each in tables] == ["Aruba", "Chad"]
    np.testing.assert_array_equal(tables[1].values[:, 0], [4, np.nan, 6])


def parts_of_years(head: str, form: str, counts: int) -> str:
    years = range(2015, 2021)
    rows = [",".join([f"{year}", *(f"{year}.{n:02d}" for n in range(1, counts + 1))]) for year in years]
    return "\n".join([",".join([head, *(form.format(n) for n in range(1, counts + 1))]), *rows]) + "\n"


def test_quarters_weeks_and_years_may_be_columns() -> None:
    for form, counts, times in (
        ("Q{}", 4, pd.date_range("2015", "2020-12-31", freq="QS")),
        ("W{:02d}", 52, None),
    ):
        table, _ = read(parts_of_years("year", form, counts))
        expected = [float(f"{year}.{n:02d}") for year in range(2015, 2021) for n in range(1, counts + 1)]
        np.testing.assert_array_equal(table.values[:, 0], expected)
        if times is not None:
            np.testing.assert_array_equal(table.times, times.as_unit("s").astype(np.int64))
        else:
            assert (table.times % (7 * DAY) == 4 * DAY).all()  # Mondays
    head = ",".join(["month", *map(str, range(1962, 1966))])
    rows = [f"{t:%B}," + ",".join(str(12 * year + t.month - 1) for year in range(4)) for t in MONTHS[:12]]
    table, _ = read("\n".join([head, *rows]) + "\n")
    np.testing.assert_array_equal(table.times, MONTHS.as_unit("s").astype(np.int64))
    np.testing.assert_array_equal(table.values[:, 0], np.arange(N))
    days = [[f"{t:%Y-%m}", *(n if n <= t.days_in_month else "" for n in range(1, 32))] for t in MONTHS]
    table, _ = read(wide(dict(zip(["month", *map(str, range(1, 32))], zip(*days, strict=True), strict=True))))
    np.testing.assert_array_equal(np.unique(np.diff(table.times)), [DAY])
    assert table.values[:, 0].tolist() == [time.day for time in pd.to_datetime(table.times, unit="s")]


@pytest.mark.parametrize("head", ["id,item,d_{}", "V1,V{}"])
def test_columns_that_only_count_are_steps(head: str) -> None:
    first, *others = head.split(",")
    names = [first, *others[:-1], *(others[-1].format(n) for n in range(2, N + 2))]
    rows = "".join(f"{name}," * (len(others)) + ",".join(map(str, range(N))) + "\n" for name in "ab")
    tables, names, _ = read_tables(TableConfiguration(), io.BytesIO((",".join(names) + "\n" + rows).encode()))
    assert [table.name for table in tables] == ["a", "b"] and names == ("value",)
    for table in tables:
        assert table.zone == COUNTED
        np.testing.assert_array_equal(table.values[:, 0], np.arange(N))


def test_cells_that_were_merged_are_those_above() -> None:
    months = [f"{t.year if t.month == 1 else ''},{t:%b}" for t in MONTHS]
    table, repairs = read(written(months, "year,month,x"))
    np.testing.assert_array_equal(table.times, MONTHS.as_unit("s").astype(np.int64))
    assert repairs[0].what.startswith("empty cells below") and repairs[0].number == N - N // 12
    rows = [f"{'' if n % 24 else 'ab'[n // 24]},{DAYS[n % 24]:%Y-%m-%d}" for n in range(N)]
    tables, _, _ = read_tables(TableConfiguration(series="region"), io.BytesIO(written(rows, "region,t,x").encode()))
    assert [(table.name, len(table.times)) for table in tables] == [("a", 24), ("b", 24)]
    _, names, _ = read_tables(
        TableConfiguration(), io.BytesIO((",N,,S,\nday,a,b,a,b\n" + BODY.replace(",", ",1,2,3,")).encode())
    )
    assert names == ("N a", "N b", "S a", "S b")


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


def test_columns_that_count_the_rows_or_never_change_are_left_out() -> None:
    frame = pd.DataFrame({"No": range(1, N + 1), "station": 44, "time": DAYS, "x": np.arange(N) ** 2})
    source = open_source(DataConfiguration(source="table"), table=frame)
    assert source.columns.targets == ("x",)
    assert [(repair.column, repair.what.split(":")[0]) for repair in source.repairs] == [
        ("No", "column that counts the rows"),
        ("station", "column that never changes"),
    ]


def test_columns_of_words_for_missing_values_are_left_out() -> None:
    rest = {"state": ["unknown"] * N, "status": ["ok", *["error"] * (N - 1)]}
    _, names, repairs = read_tables(TableConfiguration(), pd.DataFrame({"time": DAYS, "x": np.arange(N)} | rest))
    assert names == ("x",)
    assert [repair.what for repair in repairs] == ["column without a value: left out", "column of text: left out"]


def test_columns_that_only_tell_series_apart_are_no_targets() -> None:
    rows = [(day, code, place, n**2) for place, code in ((7, "a"), (9, "b")) for n, day in enumerate(DAYS)]
    frame = pd.DataFrame(rows, columns=["time", "code", "place", "x"]).assign(name=lambda each: each["code"] * 2)
    columns = open_source(DataConfiguration(source="table", series=("name",)), table=frame).columns
    assert columns.targets == ("x",)
    assert set(columns.static) == {"place", "code=a", "code=b"}


def test_years_and_quarters_beside_months_are_left_out() -> None:
    longer = ["2001", "2002", "2001 Q1", "2001 Q2"]
    table, (repair,) = read(written([*longer, *MONTHS.strftime("%Y %b")], "Title,x"))
    np.testing.assert_array_equal(table.times, MONTHS.as_unit("s").astype(np.int64))
    assert (repair.number, repair.first) == (4, "line 2")


def test_tables_without_names_may_begin_with_a_date() -> None:
    _, names, _ = read_tables(
        TableConfiguration(),
        io.BytesIO("".join(f"{t.year};{t.month:02d};{n}.5;1\n" for n, t in enumerate(MONTHS)).encode()),
    )
    assert names == ("column_3", "column_4")
    table, _ = read(written([f"{t.year + (t.month - 1) / 12:.4f}" for t in MONTHS], ",x"))
    np.testing.assert_array_equal(table.times, MONTHS.as_unit("s").astype(np.int64))


def test_a_series_may_lack_one_of_its_names() -> None:
    frame = pd.DataFrame(
        {"state": [None] * N + ["x"] * N, "country": ["DE"] * N + ["FR"] * N, "time": [*DAYS] * 2, "y": 1}
    )
    tables, _, _ = read_tables(TableConfiguration(series=("state", "country")), frame)
    assert [table.name for table in tables] == ["DE", "x FR"]


def test_dates_of_two_readings_are_those_in_order() -> None:
    mondays = pd.date_range("2015-01-01", periods=12, freq="WOM-1MON")
    table, repairs = read(written(mondays.strftime("%m/%d/%Y")))
    np.testing.assert_array_equal(table.times, mondays.as_unit("s").astype(np.int64))
    assert any("in order" in repair.what for repair in repairs)


def test_each_column_may_be_a_series() -> None:
    text = wide({"time": DAYS, "holiday": 0} | {f"s{number}": number for number in range(12)})
    tables, names, _ = read_tables(
        TableConfiguration(column_series=True, known=("holiday",)), io.BytesIO(text.encode())
    )
    assert names == ("value", "holiday") and len(tables) == 12
    assert {each.name: each.values[0].tolist() for each in tables}["s7"] == [7, 0]


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


def test_legacy_text_is_read_and_reported() -> None:
    _, names, repairs = read_tables(TableConfiguration(), io.BytesIO(PLAIN.replace("x", "Wärme").encode("cp1252")))
    assert names == ("Wärme",) and repairs[0].what.endswith("read as Windows-1252")
    for name, encoding in {"Gęstość": "cp1250", "平均気温": "cp932", "Влажность": "cp1251"}.items():
        _, names, repairs = read_tables(TableConfiguration(), io.BytesIO(PLAIN.replace("x", name).encode(encoding)))
        assert names == (name,) and repairs[0].what.endswith(f"read as {encoding}")


def test_rows_without_times_are_counted() -> None:
    for text in (
        "x,y\n5,1\n3,2\n4,9\n",
        "index,x\n7,5\n8,3\n9,4\n",
        written(["2024-01-01 00:00:00.00", "2024-01-01 00:00:00.02"]),
    ):
        table, repairs = read(text)
        assert table.zone == COUNTED and (np.diff(table.times) == 1).all()
        assert "steps in their order" in repairs[-1].what


def test_whole_numbers_that_name_series_stay_whole() -> None:
    rows = "".join(f"{time},{name},1\n" for name in (1, 20) for time in DAYS)
    tables, _, _ = read_tables(TableConfiguration(series="id"), io.BytesIO(f"time,id,x\n{rows}\n".encode()))
    assert [each.name for each in tables] == ["1", "20"]
    frame = pd.DataFrame({"time": DAYS, "id": [1.0] * N, "x": 1})
    assert read(frame, series="id")[0].name == "1"


def test_days_of_a_zone_are_those_of_its_calendar() -> None:
    days = pd.date_range("2024-03-20", periods=20, freq="D", tz="Europe/Berlin")
    for times in (days, [f"{day:%Y-%m-%dT%H:%M:%S%z}" for day in days]):
        table, _ = read(pd.DataFrame({"time": times, "x": 1.0}))
        assert (table.zone, set(np.diff(table.times))) == ("", {DAY})


@pytest.mark.parametrize("offset", ["+05:30", "-03:00"])
def test_days_with_one_offset_are_those_of_their_own_calendar(offset: str) -> None:
    for times in (DAYS.strftime(f"%Y-%m-%dT%H:%M:%S{offset}"), DAYS.strftime(f"%d.%m.%Y %H:%M {offset}")):
        table, _ = read(written(times))
        assert table.zone == ""
        np.testing.assert_array_equal(table.times, DAYS.as_unit("s").astype(np.int64))
    assert read(pd.Series(np.arange(N), DAYS.tz_localize(offset)))[0].times[0] == table.times[0]


@pytest.mark.parametrize(
    ("offset", "zone"), [("+02:00", "Etc/GMT-2"), ("-05:00", "Etc/GMT+5"), ("+05:30", "UTC"), ("Z", "UTC")]
)
def test_hours_keep_their_offset(offset: str, zone: str) -> None:
    table, _ = read(written(HOURS.strftime(f"%Y-%m-%dT%H:%M:%S{offset}")))
    assert table.zone == zone
    instants = pd.to_datetime([f"{time}{offset}" for time in HOURS], utc=True)
    np.testing.assert_array_equal(table.times, instants.as_unit("s").astype(np.int64))


@pytest.mark.parametrize("frequency", ["h", "D"])
def test_seconds_since_1970_are_instants_in_any_zone(frequency: str) -> None:
    instants = pd.date_range(
        "2024-03-29", periods=N * 2, freq=frequency, tz="Europe/Berlin"
    )  # the clock is set forward
    epoch, named = (
        read(pd.DataFrame({"time": times, "x": np.arange(2.0 * N)}), timezone="Europe/Berlin")[0]
        for times in (instants.as_unit("s").astype(np.int64), instants)
    )
    np.testing.assert_array_equal(epoch.times, named.times)
    assert epoch.zone == named.zone


def test_days_of_a_place_in_utc_are_refused_with_its_zone_as_remedy() -> None:
    days = pd.date_range("2024-03-20", periods=N, freq="D", tz="Europe/Berlin").tz_convert("UTC")
    with pytest.raises(SeriesDataError, match=r"--data\.timezone Europe.*2024-03-19 23:00:00 UTC"):
        open_source(DataConfiguration(source="table", calendar="auto"), table=pd.Series(np.arange(N), days))


@pytest.mark.parametrize("head", ["date,sunrise,x", "date,hour,sunrise,x", "date,city,sunrise,x"])
def test_a_clock_that_is_not_when_the_row_was_measured_is_no_time(head: str) -> None:
    times = HOURS if "hour" in head else DAYS
    cells = {"hour": "{0:%H}", "city": "{2}", "sunrise": "08:{1:02d}", "date": "{0:%Y-%m-%d}"}
    form = ",".join(cells[name] for name in head.split(",")[:-1])
    cities = ("Rome", "Oslo") if "city" in head else ("",)
    rows = [form.format(time, number, city) for city in cities for number, time in enumerate(times)]
    tables, _, repairs = read_tables(
        TableConfiguration(series="city" if "city" in head else ""), io.BytesIO(written(rows, head).encode())
    )
    for table in tables:
        np.testing.assert_array_equal(table.times, times.as_unit("s").astype(np.int64))
    assert [each.column for each in repairs] == ["sunrise"]


def test_durations_are_seconds_in_whatever_unit_they_are_kept() -> None:
    for unit in ("s", "us", "ns"):
        durations = pd.to_timedelta(np.arange(N), unit="h").as_unit(unit)
        table, (repair,) = read(pd.DataFrame({"time": DAYS, "x": durations}))
        np.testing.assert_array_equal(table.values[:, 0], np.arange(N) * 3600.0)
        assert repair.what == "durations: read as seconds"


def test_an_empty_hour_that_a_clock_never_showed_is_left_out() -> None:
    text = "time,x\n2024-03-31 01:00,1\n2024-03-31 02:00,\n2024-03-31 03:00,3\n"
    table, (repair,) = read(text, timezone="Europe/Berlin")
    assert np.diff(table.times).tolist() == [3600] and repair.number == 1


def clock_of(times: pd.DatetimeIndex | list[pd.Timestamp], zone: str = "") -> Any:
    seconds = pd.DatetimeIndex(times).as_unit("s").astype(np.int64).to_numpy()
    return find_clock([Table("a", seconds, np.zeros((len(times), 1)), np.arange(len(times)), "a.csv", zone)], "auto")[0]


def test_clocks_are_found() -> None:
    assert clock_of(HOURS)[:2] == (3600, "clock")
    assert clock_of(DAYS)[:2] == (DAY, "clock")
    assert clock_of(pd.bdate_range("2024-01-01", periods=60))[:2] == (DAY, "business")
    assert clock_of(pd.date_range("2020-01-31", periods=30, freq="ME"))[:2] == (MONTH, "month")
    assert clock_of(pd.date_range("1950", periods=30, freq="YS"))[:2] == (12 * MONTH, "month")
    assert clock_of(pd.date_range("2020-01-01", periods=30, freq="7D"))[:2] == (7 * DAY, "clock")
    trading = [
        time
        for time in pd.date_range("2024-01-01", periods=40 * 96, freq="15min")
        if time.weekday() < 5 and "09:30" <= f"{time:%H:%M}" <= "15:45"
    ]
    found = clock_of(trading)
    assert found[:2] == (900, "business")
    assert found.slots == tuple(day * DAY + 9 * 3600 + 1800 + 900 * n for day in range(5) for n in range(26))
    hours, days = (pd.DatetimeIndex(each).as_unit("s").astype(np.int64) for each in (HOURS, DAYS))
    both = [
        Table(each, seconds.to_numpy(), np.zeros((N, 1)), np.arange(N), "a.csv")
        for each, seconds in {"a": hours, "b": days}.items()
    ]
    assert find_clock(both, "auto")[0][:2] == (3600, "clock")  # and not the midnights of working days
    late = [time + timedelta(seconds=(7 * n) % 13) for n, time in enumerate(HOURS)]
    assert clock_of(late)[:2] == (3600, "clock")


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
    np.testing.assert_array_equal(read(io.BytesIO(file.getvalue()))[0].values[:, -1], np.arange(N) + 0.25)


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


def test_several_columns_name_series_together() -> None:
    rows = [(day, store, item, 0.25) for store in (1, 2) for item in ("a", "b") for day in DAYS]
    frame = pd.DataFrame(rows, columns=["time", "store", "item", "sold"])
    with pytest.raises(
        SeriesDataError, match=r"the columns 'store' and 'item' tell apart.*--data\.series 'store' 'item'"
    ):
        read_tables(TableConfiguration(), frame)
    tables, names, _ = read_tables(TableConfiguration(series=("store", "item")), frame)
    assert [table.name for table in tables] == ["1 a", "1 b", "2 a", "2 b"]
    assert names == ("sold",)


def test_what_doubles_cannot_hold_is_reported() -> None:
    for table in (
        written(DAYS.strftime("%Y-%m-%d")).replace(".25", "0" * 16),
        pd.DataFrame({"x": 2**60 + np.arange(N)}),
    ):
        assert any("above 2^53" in repair.what for repair in read(table)[1])


@pytest.mark.parametrize("days", [(6, 0, 1, 2, 3), (0, 1, 2, 3, 4, 5), (1, 2, 3, 4, 5, 6)])
def test_working_days_of_any_week_are_no_gaps(days: tuple[int, ...]) -> None:
    dates = pd.date_range("2023-01-01", periods=200)
    worked = dates[dates.day_of_week.isin(days)]
    clock = clock_of(worked[:100])
    assert clock[:2] == (DAY, "business")
    ahead = future_times(worked[99:100].as_unit("s").astype(np.int64), 20, *clock)[0]
    np.testing.assert_array_equal(ahead, worked[100:120].as_unit("s").astype(np.int64))


@pytest.mark.parametrize("frequency", ["BME", "BMS", "BQE", "WOM-3FRI", pd.offsets.LastWeekOfMonth(weekday=4)])
def test_the_last_or_first_working_days_are_months(frequency: Any) -> None:
    assert clock_of(pd.date_range("2010-01-01", periods=60, freq=frequency)).calendar == "month"


def parts_of_months(days: tuple[int, ...]) -> list[pd.Timestamp]:
    months = pd.date_range("2023-03-01", periods=30, freq="MS")
    return [month + pd.Timedelta(days=min(day, month.days_in_month) - 1) for month in months for day in days]


@pytest.mark.parametrize(
    "times",
    [
        *map(parts_of_months, [(1, 15), (1, 16), (15, 31), (15, 30), (1, 11, 21), (10, 20, 31)]),
        [time for time in pd.date_range("2023-01-02", periods=200) if time.weekday() in (0, 2, 4)],
    ],
)
def test_parts_of_months_and_days_of_weeks_are_steps(times: list[pd.Timestamp]) -> None:
    """Without a gap, and going on as they came; a row that lacks is added."""
    clock = clock_of(times[:36])
    seconds = pd.DatetimeIndex(times).as_unit("s").astype(np.int64).to_numpy()
    np.testing.assert_array_equal(future_times(seconds[35:36], 24, *clock)[0], seconds[36:60])
    if clock.calendar == "month":
        rows = Table("a", np.delete(seconds, 20), np.ones((len(seconds) - 1, 1)), np.arange(1, len(seconds)), "a.csv")
        (series,), _, _ = regularise([rows], Columns(("x",)), *clock[1::-1], slots=clock.slots)
        np.testing.assert_array_equal(series.times, seconds)
        assert np.flatnonzero(~series.observed).tolist() == [20]


@pytest.mark.parametrize(("first", "weeks"), [("2015-02-28", (4, 5, 4)), ("2015-02-01", (4, 4, 5))])
def test_the_periods_of_retailers_are_months(first: str, weeks: tuple[int, ...]) -> None:
    days = np.cumsum([0, *(7 * weeks[n % 3] for n in range(N - 1))])
    frame = pd.DataFrame({"time": pd.Timestamp(first) + pd.to_timedelta(days, unit="D"), "x": np.arange(N) + 0.25})
    source = open_source(DataConfiguration(source="table", calendar="auto"), table=frame)
    assert source.clock[:2] == (MONTH, "month")
    expected = pd.date_range("2015-02-01", periods=N, freq="MS").as_unit("s").astype(np.int64)
    np.testing.assert_array_equal(source.series[0].times, expected)
    np.testing.assert_array_equal(source.series[0].values[:, 0], np.arange(N) + 0.25)
    assert any("four and five weeks" in repair.what for repair in source.repairs)

"""Times as other people write them: each is read as it was meant."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.series.time_formats import is_like_time
from tests.pipelines.series.written_tables import DAYS, HOURS, MONTHS, N, read, written

HOURS_OF_1990 = pd.date_range("1990-01-30", periods=N, freq="h")
DIGITS = str.maketrans("", "", "- :")
_ORDINALS = {1: "st", 2: "nd", 3: "rd"}
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


def test_digits_of_years_and_weeks_are_mondays() -> None:
    mondays = pd.date_range("2019-12-30", periods=N, freq="7D")
    table, _ = read(written([f"{t.isocalendar()[0]}{t.isocalendar()[1]:02d}" for t in mondays], "yearweek,x"))
    np.testing.assert_array_equal(table.times, mondays.as_unit("s").astype(np.int64))


def test_dates_of_two_readings_are_those_in_order() -> None:
    mondays = pd.date_range("2015-01-01", periods=12, freq="WOM-1MON")
    table, repairs = read(written(mondays.strftime("%m/%d/%Y")))
    np.testing.assert_array_equal(table.times, mondays.as_unit("s").astype(np.int64))
    assert any("in order" in repair.what for repair in repairs)

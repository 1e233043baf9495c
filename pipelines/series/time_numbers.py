"""Numbers as times: years, dates in digits, what has passed since 1970, and the days of Excel."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

YEARS = range(1500, 2201)


def number_reader(numbers: np.ndarray, named: bool = True) -> tuple[str, Callable[[np.ndarray], np.ndarray]] | None:
    """Returns what numbers are as times, and a function that turns them into datetime64; None if they are no times.

    Example:
        >>> number_reader(np.array([44197.0, 44197.5]))[0]
        'days since 1900, as Excel counts'
        >>> number_reader(np.array([3.0, 4.0])) is None
        True
    """
    low, high = float(numbers.min()), float(numbers.max())
    whole = bool((numbers == np.floor(numbers)).all())
    if low >= YEARS[0] and high <= YEARS[-1]:
        if whole:
            return "years", lambda values: (values.astype(int) - 1970).astype("datetime64[Y]").astype("datetime64[s]")
        return ("years with a fraction", _from_decimal_years) if named else None
    if whole:
        if named and digits_of_weeks(numbers):
            return "digits of years and weeks", _weeks
        for digits, form in (
            (6, "%Y%m"),
            (7, "%Y%j"),
            (8, "%Y%m%d"),
            (10, "%Y%m%d%H"),
            (12, "%Y%m%d%H%M"),
            (14, "%Y%m%d%H%M%S"),
        ):
            if (
                (named or digits != 7)
                and YEARS[0] * 10.0 ** (digits - 4) <= low
                and high < (YEARS[-1] + 1) * 10.0 ** (digits - 4)
            ):
                text = pd.Series(numbers.astype(np.int64).astype(str))
                if pd.to_datetime(text, format=form, errors="coerce").notna().all():
                    return f"digits of {form}", partial(_digits, form)
    for unit, scale in (("s", 1e0), ("ms", 1e3), ("us", 1e6), ("ns", 1e9)):
        if 1e8 * scale <= low and high < 1e10 * scale:
            return f"{unit} since 1970", partial(_since_1970, int(1e9 / scale))
    if named and low >= 20_000 and high < 80_000:
        return "days since 1900, as Excel counts", _from_excel
    return None


def _since_1970(nanoseconds: int, numbers: np.ndarray) -> np.ndarray:
    return (numbers * nanoseconds).round().astype(np.int64).view("datetime64[ns]")


def digits_of_weeks(numbers: np.ndarray) -> bool:
    """Returns whether numbers are years and weeks, such as 202453: no month has so high a number."""
    weeks = numbers % 100
    years = (numbers >= 100 * YEARS[0]) & (numbers < 100 * YEARS[-1])
    return bool(years.all() and weeks.min() >= 1 and 12 < weeks.max() <= 53)


def _weeks(numbers: np.ndarray) -> np.ndarray:
    text = pd.Series(numbers.astype(np.int64).astype(str))
    return pd.to_datetime(text.str[:4] + "-" + text.str[4:] + "-1", format="%G-%V-%u").to_numpy()


def _digits(form: str, numbers: np.ndarray) -> np.ndarray:
    return pd.to_datetime(pd.Series(numbers.astype(np.int64).astype(str)), format=form).to_numpy()


def _from_excel(days: np.ndarray) -> np.ndarray:
    seconds = np.round((days - 25_569) * 86_400, 1)  # from 30 December 1899; a day has more digits than a float
    return np.round(seconds).astype(np.int64).view("datetime64[s]")


def _from_decimal_years(years: np.ndarray) -> np.ndarray:
    """Months, where all fractions are those of months, at their start or middle; else days and seconds."""
    whole = np.floor(years).astype(int)
    for offset in (0.0, 0.5):
        months = (years - whole) * 12 - offset
        if (np.abs(months - np.round(months)) < 0.15).all():
            return (12 * (whole - 1970) + np.round(months).astype(int)).astype("datetime64[M]").astype("datetime64[s]")
    starts = (whole - 1970).astype("datetime64[Y]").astype("datetime64[s]").astype(np.int64)
    ends = (whole - 1969).astype("datetime64[Y]").astype("datetime64[s]").astype(np.int64)
    return np.round(starts + (years - whole) * (ends - starts)).astype(np.int64).view("datetime64[s]")

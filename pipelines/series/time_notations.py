"""How people write times: words, signs, names of months, and numbers, brought into forms that formats are told from."""

import re
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

LETTERS = r"([^\W\d_]{3,12})"
YEARS_AHEAD = 20  # a year of two digits further on belongs to the century before
DURATION = re.compile(r"(?:(\d+) days?,? )?(\d+):(\d\d)(?::(\d\d(?:\.\d+)?))?")
"""Days, hours, minutes and seconds, or a clock without a date."""
SAMPLED = 200  # rows that tell which of the notations a column uses
MONTHS = tuple(
    names.split()
    for names in (
        "january januar januari janvier janeiro enero gennaio styczeń stycznia leden ledna ocak tammikuuta январь "
        "января jänner január ianuarie gener ιανουάριος ιανουαρίου січень січня януари janvāris",
        "february februar februari février fevrier fevereiro febrero febbraio luty lutego únor února şubat "
        "helmikuuta февраль февраля február febrer februarie φεβρουάριος φεβρουαρίου лютий лютого февруари februāris",
        "march märz maerz mars maart marts marzo mrz março marco marzec marca březen března mart maaliskuuta март "
        "марта március martie maret marec μάρτιος μαρτίου березень березня",
        "april avril abril aprile kwiecień kwietnia duben dubna nisan huhtikuuta апрель апреля április aprilie "
        "април απρίλιος απριλίου квітень квітня aprīlis",
        "may mai maj mei mayo maio maggio maja květen května mayıs toukokuuta май мая május maig μάιος μαΐου "  # noqa: RUF001
        "травень травня maijs",
        "june juni juin junio junho giugno czerwiec czerwca červen června haziran kesäkuuta июнь июня június "
        "iunie juny junij ιούνιος ιουνίου червень червня юни jūnijs",
        "july juli juillet julio julho luglio lipiec lipca červenec července temmuz heinäkuuta июль июля július "
        "iulie juliol julij ιούλιος ιουλίου липень липня юли jūlijs",
        "august augusti augustus août aout agosto sierpień sierpnia srpen srpna ağustos elokuuta август августа "
        "augusztus agustus agost avgust αύγουστος αυγούστου серпень серпня",
        "september septembre septiembre setembro settembre sept wrzesień września září eylül syyskuuta сентябрь "
        "сентября szeptember setembre septembrie σεπτέμβριος σεπτεμβρίου вересень вересня септември septembris",
        "october oktober octobre octubre outubro ottobre październik października říjen října ekim lokakuuta "
        "октябрь октября október octombrie οκτώβριος οκτωβρίου жовтень жовтня октомври oktobris",
        "november novembre noviembre novembro listopad listopadu listopada kasım marraskuuta ноябрь ноября "  # noqa: RUF001
        "noiembrie νοέμβριος νοεμβρίου листопад листопада ноември novembris",
        "december dezember décembre decembre diciembre dezembro dicembre grudzień grudnia prosinec prosince "
        "aralık joulukuuta декабрь декабря desember desembre decembrie δεκέμβριος δεκεμβρίου грудень грудня "  # noqa: RUF001
        "декември decembris",
    )
)
"""Names of each month; the first three letters or more of one stand for it, and the shortest name wins."""

_BEFORE = r"^(?:week|month|quarter|year|period) (?:ending|ended|commencing|beginning|of):? |^(?:w/[ce]|w\.[ce]\.?) ?"
_WEEKDAYS = "mon|tues?|wed|wednes|thu|thurs?|fri|sat|satur|sun"
NOTATIONS = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (_BEFORE, ""),
        (r"^(\d\d?)(?:st|nd|rd|th)\s+(?:of\s+)?", r"\1 "),
        (r"^(\d\d?)([a-z]{3})(\d{4}|\d\d)(?::(?=\d\d:)|$)", r"\1-\2-\3 "),  # of SAS
        (r"(?<=\d) (\d\d?)\.(\d\d)\.(\d\d)(\.\d+)? ([ap]m)$", r" \1:\2:\3\4 \5"),  # of Oracle
        (r"^(\d{4}-\d\d-\d\d)-(\d\d)\.(\d\d)\.(\d\d)(?=\.\d|$)", r"\1 \2:\3:\4"),  # of DB2
        (rf"^(?:(?:{_WEEKDAYS})(?:day)?|mo|di|mi|do|fr|sa|so)\.?,?\s+", ""),
        (rf",?\s+\(?(?:{_WEEKDAYS})(?:day)?\.?\)?$", ""),
        (r"^[\[(](.+?),\s.+[\])]$", r"\1"),  # an interval of pandas
        (r"^(\d\d?:\d\d(?::\d\d(?:\.\d+)?)?),?\s+(\d+[-/.]\d+[-/.]\d+)$", r"\2 \1"),  # the clock first
        (r"^(\d\d?\.\d\d?\.\d{4})\.(?=\s|$)", r"\1"),
        (r"^(\d{4}),? (\d\d?),? (\d\d?)(?=\s|$)", r"\1-\2-\3"),
        (r"^(\d\d?) (\d\d?) (\d{4})(?=\s|$)", r"\1/\2/\3"),
        (r"^(\d{4}-\d{3}|\d+[-/.]\d+[-/.]\d+|\d{8})\s*[-:;|@,]\s*(?=\d\d?:\d\d)", r"\1 "),
        (r"^(\d{4}-\d\d-\d\d)[-:](\d\d)$", r"\1 \2"),
        (r"^(\d{4}-\d\d-\d\d)(?:Z|[+-]\d\d:\d\d)$", r"\1"),  # a day of XML
        (r"(\s[+-]\d{4}) (?:[A-Z]{3,4}|[+-]\d\d)$", r"\1"),  # of Go
        (r"(:\d\d):(\d{3})(?=[ap]m$)", r"\1.\2 "),  # of SQL Server
        (r"(\d) ?(?:GMT|UTC)([+-]\d{4})(?: \(.*\))?$", r"\1 \2"),  # of JavaScript
        (r"\[[\w/+-]+\]$", ""),  # the zone's name behind its offset
        # From … to …: when a step begins.
        (r"^(.*\d:\d\d(?::\d\d)?)\s+(?:[-–—]|to|bis)\s+.*\d:\d\d.*$", r"\1"),
        (r"^(\d+[-/.]\d+[-/.]\d+(?:[T ][\d:]+)?)\s*(?:[/–—]| - |to|bis)\s*\d+[-/.]\d+[-/.]\d+(?:[T ][\d:]+)?$", r"\1"),
        (r"^(\d{4})\s*[年년]\s*(\d\d?)\s*[月월]\s*(\d\d?)\s*[日일]", r"\1-\2-\3"),
        (r"(\d\d?)\s*[時时點点시]\s*(\d\d?)\s*[分분]", r" \1:\2"),
        (r"(\d\d?)\s*[時时點点시]", r" \1:00"),
        (r"^(\d{4})\. ?(\d\d?)\. ?(\d\d?)\.,?\s*", r"\1-\2-\3 "),
        (r"^(\d\d?\D\w{3}\D\d{4}):(\d)", r"\1 \2"),  # 25/Mar/2024:13:00
        (r"^(\w{3})\s+(\d\d?)\s+(\d\d?:\d\d(?::\d\d)?)\s+(?:[A-Z]+ )?(\d{4})$", r"\1 \2 \4 \3"),  # of the C library
        (r"(?<=\d),?\s+(?:at|um|à|a las|às|kl\.?|klo)\s+(?=\d)", " "),
        (r"(?<=\d)\s*(?:uhr|hrs?|h)\.?$", ""),
        (r"(?<=\d)\s*[hu]\s*(?=\d\d\b)", ":"),  # 13h05, 13u05
        (r"\s*\b([ap])\.?\s?m\.?$", r" \1m"),
        (r"(?<=\d)([ap]m)$", r" \1"),
        (r"_", " "),
        (r"^(\d{8})[-:](?=\d{2,6}Z?$)", r"\1 "),
        (r"(?<=\d)[,T\s]+(?=\d\d?:)", " "),
        (r"^(\d{4})(\d\d)(\d\d) (?=\d\d?:)", r"\1-\2-\3 "),
        (r"(?<=\d)[T ](?=\d)", " "),
        (r"(:\d\d),(\d)", r"\1.\2"),
        (r"^(\d{4})(\d\d)(\d\d) ?(\d\d)(\d\d)(\d\d)?Z$", r"\1-\2-\3 \4:\5:\6Z"),
        (r":Z", ":00Z"),
        (r"(:\d\d.*?)\s*\b(?:UTC|GMT)([+-])(\d)(?=:|$)", r"\1\g<2>0\3"),
        (r"(:\d\d.*?)\s*\b(?:UTC|GMT)(?=[+-]\d\d)", r"\1"),
        (r"(:\d\d(?:\.\d+)?)\s*([+-]\d\d)$", r"\1\2:00"),
    )
)
"""What stands in a time, and what takes its place, in this order."""
_SHORT_RANGE = r"\d:\d\d\s*[-–](\d\d:\d\d)$"  # 13:00-14:00, which looks like an offset
MOST_OFFSETS = 4  # of one place


def without_words(text: str) -> str:
    """Returns one time without the words and signs that say nothing.

    Example:
        >>> without_words("Wed 20/12/2023 at 13h05")
        '20/12/2023 13:05'
    """
    for pattern, replacement in NOTATIONS:
        text = pattern.sub(replacement, text)
    return text.strip()


def plain(text: pd.Series) -> pd.Series:
    """Returns times without words and signs that say nothing, in order of year, month and day where they have names.

    Example:
        >>> written = ["Mon, 25 Mar 2024 at 1:05 p.m.", "2024年3月25日 13時05分", "25/Mar/2024:13:05:00 +0000"]
        >>> [plain(pd.Series([each]))[0] for each in written]
        ['2024-03-25 1:05 pm', '2024-3-25 13:05', '2024-03-25 13:05:00 +0000']
    """
    sample = text.iloc[:: max(len(text) // SAMPLED, 1)]
    ends = sample.str.extract(_SHORT_RANGE, expand=False)
    if ends.nunique() > MOST_OFFSETS:
        text = text.str.replace(r"\s*[-–]\s*\d\d:\d\d$", "", regex=True)
    for pattern, replacement in NOTATIONS:
        if any(map(pattern.search, sample)):
            text = text.str.replace(pattern, replacement, regex=True)
            sample = sample.str.replace(pattern, replacement, regex=True)
    return with_month_numbers(text.str.strip())


def with_month_numbers(text: pd.Series) -> pd.Series:
    """Returns dates with names of months as year-month-day, others as they are."""
    day_first = text.str.extract(rf"^(\d\d?)\.?[-/ ]*{LETTERS}\.?[-/, ]+(\d{{4}}|\d\d)\b(.*)$")
    month_first = text.str.extract(rf"^{LETTERS}\.?[-/ ]+(\d\d?)(?:st|nd|rd|th)?[-/, ]+(\d{{4}})\b(.*)$")
    year_first = text.str.extract(rf"^(\d{{4}})[-/ ]?{LETTERS}[-/ ]?(\d\d?)\b(.*)$")
    for parts, (day, month, year) in ((day_first, (0, 1, 2)), (month_first, (1, 0, 2)), (year_first, (2, 1, 0))):
        if parts.notna().all(axis=None):
            months = parts[month].map(month_number)
            if months.all():
                date = full_years(parts[year]).astype(str) + "-" + months.astype(str).str.zfill(2)
                return (
                    date + "-" + parts[day].str.zfill(2) + parts[3].str.replace(r"^,?\s*", " ", regex=True).str.rstrip()
                )
    return text


def month_number(name: str) -> int:
    """Returns the number of a month from its name or the first letters of it, 0 if it is none.

    Example:
        >>> [month_number(name) for name in ("Jan", "Dezember", "sept", "Marina")]
        [1, 12, 9, 0]
    """
    plain = name.lower()
    found = (number for number, names in enumerate(MONTHS, 1) if any(each.startswith(plain) for each in names))
    return next(found, 0) if len(plain) >= 3 else 0


def full_years(written: pd.Series) -> pd.Series:
    """Returns years of four digits; of two, those that do not lie far ahead."""
    years = written.astype(int)
    if written.str.len().max() > 2:
        return years
    this = pd.Timestamp.now().year
    return years + np.where(2000 + years > this + YEARS_AHEAD, 1900, 2000)


YEARS = range(1500, 2201)
_MIDNIGHT = re.compile(r"(?<!\d)(\d{8})24(?=(?:00){0,2}$)")  # at the end of a day


TICKS = {"the year 1, as .NET counts": 621_355_968_000_000_000, "1601, as Windows counts": 116_444_736_000_000_000}
"""What 1970 is in ticks, by where they begin."""
TICKS_A_DAY = 864 * 10**9  # of 100 nanoseconds


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
        months = np.diff(numbers) * 12
        evenly = len(months) > 2 and bool((np.abs(months - np.round(months)) < 0.02).all() and months.min() > 0.5)
        return ("years with a fraction", _from_decimal_years) if named or evenly else None
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
                text = pd.Series(numbers.astype(np.int64).astype(str)).str.replace(_MIDNIGHT, r"\g<1>00", regex=True)
                if pd.to_datetime(text, format=form, errors="coerce").notna().all():
                    return f"digits of {form}", partial(_digits, form)
        if named and low >= 100_101 and high < 32e6:  # more than the days of Excel
            text = pd.Series(numbers.astype(np.int64).astype(str)).str.zfill(6 if high < 1e6 else 8)
            forms = ("%y%m%d",) if high < 1e6 else ("%d%m%Y", "%m%d%Y")
            fitting = [form for form in forms if pd.to_datetime(text, format=form, errors="coerce").notna().all()]
            if len(fitting) == 1:
                return f"digits of {fitting[0]}", partial(_digits, fitting[0])
    for since, epoch in TICKS.items():
        if whole and epoch <= low and high < epoch + 130 * 365 * TICKS_A_DAY and not _are_minutes(numbers):
            return f"ticks since {since}", partial(_from_ticks, epoch)
    for unit, scale in (("s", 1e0), ("ms", 1e3), ("us", 1e6), ("ns", 1e9)):
        if 1e8 * scale <= low and high < 1e10 * scale:
            return f"{unit} since 1970", partial(_since_1970, int(1e9 / scale))
    if named and low >= 20_000 and high < 80_000:
        return "days since 1900, as Excel counts", _from_excel
    return None


def _since_1970(nanoseconds: int, numbers: np.ndarray) -> np.ndarray:
    return (numbers * nanoseconds).round().astype(np.int64).view("datetime64[ns]")


def _are_minutes(nanoseconds: np.ndarray) -> bool:
    """Whether numbers that may be ticks are nanoseconds, of 1974 or 1990: all are whole minutes of those."""
    return len(nanoseconds) > 2 and bool((nanoseconds % 6e10 == 0).all())


def _from_ticks(epoch: int, numbers: np.ndarray) -> np.ndarray:
    return ((numbers.astype(np.int64) - epoch) * 100).view("datetime64[ns]")


def digits_of_weeks(numbers: np.ndarray) -> bool:
    """Returns whether numbers are years and weeks, such as 202453: no month has so high a number."""
    weeks = numbers % 100
    years = (numbers >= 100 * YEARS[0]) & (numbers < 100 * YEARS[-1])
    return bool(years.all() and weeks.min() >= 1 and 12 < weeks.max() <= 53)


def _weeks(numbers: np.ndarray) -> np.ndarray:
    text = pd.Series(numbers.astype(np.int64).astype(str))
    return pd.to_datetime(text.str[:4] + "-" + text.str[4:] + "-1", format="%G-%V-%u").to_numpy()


def _digits(form: str, numbers: np.ndarray) -> np.ndarray:
    width = len(pd.Timestamp(0).strftime(form))
    text = pd.Series(numbers.astype(np.int64).astype(str)).str.zfill(width)
    late = text.str.match(_MIDNIGHT)
    moments = pd.to_datetime(text.str.replace(_MIDNIGHT, r"\g<1>00", regex=True), format=form)
    return (moments + pd.to_timedelta(late.astype(int), unit="D")).to_numpy()


def _from_excel(days: np.ndarray) -> np.ndarray:
    seconds = np.round((days - 25_569) * 86_400, 1)  # from 30 December 1899; a day has more digits than a float
    return np.round(seconds).astype(np.int64).view("datetime64[s]")


def _from_decimal_years(years: np.ndarray) -> np.ndarray:
    """Months, where all fractions are those of months, at their start or middle; else days, or seconds."""
    whole = np.floor(years).astype(int)
    for offset in (0.0, 0.5):
        months = (years - whole) * 12 - offset
        if (np.abs(months - np.round(months)) < 0.15).all():
            return (12 * (whole - 1970) + np.round(months).astype(int)).astype("datetime64[M]").astype("datetime64[s]")
    starts = (whole - 1970).astype("datetime64[Y]").astype("datetime64[s]").astype(np.int64)
    ends = (whole - 1969).astype("datetime64[Y]").astype("datetime64[s]").astype(np.int64)
    seconds = np.round(starts + (years - whole) * (ends - starts)).astype(np.int64)
    if len(seconds) > 1 and np.median(np.abs(np.diff(seconds))) > 80_000:  # four digits tell days to an hour
        seconds = (seconds + 3600) // 86_400 * 86_400
    return seconds.view("datetime64[s]")

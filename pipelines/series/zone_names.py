"""Abbreviations of time zones behind times, such as CET: read where it is certain what they stand for."""

from collections import Counter
from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pandas as pd

from pipelines.series.regular import Repair, SeriesDataError

OTHER_NAMES = {"Z": "UTC", "MEZ": "CET", "MESZ": "CEST"}
CERTAIN = 0.75  # share of the zones of an abbreviation with one offset
_BEHIND = r"\s*\(?\b([A-Z]{1,5})\)?$"
_NO_PLACES = ("Etc/", "posix/", "right/")
SEASONS = (datetime(2024, 1, 1), datetime(2024, 7, 1))


def with_offsets(text: pd.Series, timezone: str, path: Path) -> tuple[pd.Series, list[Repair]]:
    """Returns times with offsets, such as +01:00, in place of abbreviations; others as they are.

    Args:
        text: the times.
        timezone: whose abbreviations count, where it has them; else those of most zones.
        path: their file, for messages.

    Raises:
        SeriesDataError: zones with other offsets share an abbreviation, such as IST.

    Example:
        >>> text = pd.Series(["2024-01-31 15:00 CET", "2024-01-31 16:00 CET"])
        >>> with_offsets(text, "", Path("a.csv"))[0].tolist()
        ['2024-01-31 15:00+01:00', '2024-01-31 16:00+01:00']
    """
    names = text.str.extract(rf":\d\d.*?{_BEHIND}", expand=False)
    names = names.map(lambda name: OTHER_NAMES.get(name, name), na_action="ignore")
    found = set(names.dropna())
    if not found:
        return text, []
    known = _abbreviations()
    if not found <= {name for each in known.values() for name in each}:
        return text, []
    if timezone in known and found <= known[timezone].keys():
        zones = [known[timezone]]
    else:  # CST beside CDT is no time of China
        zones = [each for each in known.values() if found <= each.keys()] or list(known.values())
    offsets = {}
    for name in sorted(found):
        counts = Counter(each[name] for each in zones if name in each)
        offset, most = counts.most_common(1)[0]
        if most < CERTAIN * counts.total():
            row = int(np.argmax(names == name))
            raise SeriesDataError(
                f"{path}, line {text.index[row]}, column {str(text.name)!r}: {name} is the abbreviation of several "
                f"time zones, {' and '.join(sorted(counts))}; expected to be told which. Name its place, such as "
                f"--data.timezone America/Chicago or Asia/Kolkata. Received: {text.iloc[row]!r}"
            )
        offsets[name] = offset
    repairs = []
    if named := {name: offset for name, offset in offsets.items() if name not in ("UTC", "GMT")}:
        what = f"times in {', '.join(f'{name} ({offset})' for name, offset in named.items())}: read as such"
        what += "" if timezone else "; --data.timezone names another zone"
        repairs.append(Repair("", str(text.name), what, int(names.isin(list(named)).sum())))
    stripped = text.where(names.isna(), text.str.replace(_BEHIND, "", regex=True))
    return stripped + names.map(offsets).fillna(""), repairs


@cache
def _abbreviations() -> dict[str, dict[str, str]]:
    """Returns of each place the abbreviations of its zone and their offsets."""
    known: dict[str, dict[str, str]] = {"UTC": {"UTC": "+00:00"}}
    for place in available_timezones():
        if "/" in place and not place.startswith(_NO_PLACES):
            times = [each.replace(tzinfo=ZoneInfo(place)) for each in SEASONS]
            known[place] = {f"{time:%Z}": time.isoformat()[-6:] for time in times if f"{time:%Z}".isalpha()}
    return known

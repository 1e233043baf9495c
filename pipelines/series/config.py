"""Presets of the series pipeline, and what of its data a forecaster is built from."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from pipelines.commands import TrainingCommand
from pipelines.preparation import description_of
from pipelines.runs import Run
from pipelines.series.calendar import Calendar, Clock
from pipelines.series.data import Sets, with_validation
from pipelines.series.network import FROM_TABLE, FromOne, NetworkConfiguration
from pipelines.series.regular import Columns
from pipelines.series.sources import DataConfiguration
from pipelines.training import TrainingConfiguration

OLD_DESCRIPTION = "series.json"  # of runs of 0.1


class SeriesConfiguration(TrainingCommand):
    """Everything that a training of the series pipeline depends on."""

    data: DataConfiguration = DataConfiguration()
    network: NetworkConfiguration = NetworkConfiguration()
    training: TrainingConfiguration = TrainingConfiguration()
    steps_per_epoch: FromOne = Field(50, description="batches between two validations; -1: from the table")
    reported: str = Field("", description="series that the evaluation reports; default: all")

    def learned(self, sets: Sets) -> Sets:
        """Returns the series as a training divides them: with `fold_days` it learns from the validation period too."""
        return with_validation(sets) if self.network.fold_days else sets


_WEATHER = SeriesConfiguration(
    # Other columns of the other airports are learned by heart.
    data=DataConfiguration(neighbours=True, past=("dew_point", "pressure", "wind_east", "wind_north")),
    network=NetworkConfiguration(
        units=48,
        members=4,
        lags=(1, 2, 3, 24),
        skip=True,
        dropout=0.3,
        recurrent_dropout=0.2,
        fold_days=14,
        adaptation_rate=0.01,
    ),
    training=TrainingConfiguration(epochs=9, learning_rate=3e-3, weight_decay=1e-2, weight_average_decay=0.99),
    reported="JFK",
)
_STOCK = _WEATHER.replace(
    data={
        "source": "daily_stocks",
        "neighbours": False,
        "past": (),
        "calendar": "business",
        "log_returns": True,
        "horizon": 5,
        "window": 120,
        "warm_up": 40,
    },
    network={
        "units": 16,
        "distribution": "student_t",
        "relative": False,
        "lags": (1,),
        "season": (),
        "cycles": ("week",),
        "volatility_decay": 0.94,
        "skip": False,
        "fold_days": 0,  # the last 300 days saw calm and unrest
        "adaptation_rate": 0.0,
    },
    training={"epochs": 5},
    reported="",
)
_OWN = _WEATHER.replace(
    data={
        "source": "table",
        "neighbours": False,
        "past": (),
        "calendar": "auto",
        "horizon": FROM_TABLE,
        "window": FROM_TABLE,
        "warm_up": FROM_TABLE,
        "batch_size": FROM_TABLE,
    },
    network={
        "members": 1,
        "fold_days": 0,
        "units": FROM_TABLE,
        "lags": (FROM_TABLE,),
        "season": (FROM_TABLE,),
        "cycles": ("auto",),
        "center": True,
        "bounded": True,
        "distribution": "auto",
        "whole": ("auto",),
        "log_scale": ("auto",),
        "adaptation_rate": FROM_TABLE,
    },
    steps_per_epoch=FROM_TABLE,
    reported="",
)

PRESETS = {"weather": _WEATHER, "stock": _STOCK, "own": _OWN}
"""Named configurations, the default first.

- `weather`: the temperature of the next day at three airports, hour by hour; 10 minutes on two busy CPU cores.
- `stock`: the log returns over the next five trading days of five stocks; a few minutes.
- `own`: one network for a table of your own, `--data.path measurements.csv --data.targets load`; what is not given
  follows from the table.
"""


class Description(NamedTuple):
    """What a forecaster was trained on: the `names` of the series, their `columns`, `clock`, and `offsets`."""

    names: tuple[str, ...]
    columns: Columns
    clock: Clock
    offsets: Mapping[str, Sequence[float]] = {}

    @property
    def known_offsets(self) -> dict[str, Sequence[float]]:
        """What is taken away from the targets of each series that was learned."""
        known = dict(self.offsets) | {name: self.offsets.get(name, (0.0,)) for name in self.names}
        return known | ({"": known[self.names[0]]} if len(self.names) == 1 else {})  # whatever its file is called

    @classmethod
    def of(cls, sets: Sets, others: Mapping[str, Sequence[float]] | None = None) -> "Description":
        """Describes what is learned from; `others` is what is taken away from series that are not."""
        offsets = {each.name: np.atleast_1d(each.offset).tolist() for each in sets.series if np.any(each.offset)}
        offsets |= {name: list(each) for name, each in (others or {}).items()}
        return cls(tuple(each.name for each in sets.series), sets.columns, sets.clock, offsets)

    def to_json(self) -> dict[str, Any]:
        """Returns the arguments of `build`, as JSON has them."""
        columns = self.columns._asdict()
        if not self.columns.static:  # as runs wrote them that knew none
            del columns["static"]
        offsets = {"offsets": self.offsets} if self.offsets else {}
        return {"names": self.names, "columns": columns, **self.clock._asdict(), **offsets}

    @classmethod
    def from_json(
        cls,
        configuration: SeriesConfiguration,
        names: Sequence[str],
        columns: Mapping[str, Sequence[str]],
        step_seconds: int,
        calendar: Calendar | None = None,
        zone: str = "",
        slots: Sequence[int] = (),
        offsets: Mapping[str, Sequence[float]] = {},
    ) -> "Description":
        """The inverse of `to_json`; before 0.2 the clock was its step alone, and days were those of UTC."""
        if calendar is None:
            assert configuration.data.calendar != "auto"  # which 0.1 did not have
            calendar = configuration.data.calendar
        clock = Clock(step_seconds, calendar, zone, tuple(slots))
        return cls(tuple(names), Columns(**{kind: tuple(each) for kind, each in columns.items()}), clock, offsets)

    @classmethod
    def of_run(cls, run: Run) -> "Description":
        """Reads what a run's forecaster was built from."""
        return cls.from_json(run.read_configuration(SeriesConfiguration), **description_of(run, OLD_DESCRIPTION))

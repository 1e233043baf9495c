"""Presets of the series pipeline."""

from pydantic import Field

from pipelines.commands import TrainingCommand
from pipelines.series.network import FROM_TABLE, FromOne, NetworkConfiguration
from pipelines.series.sources import DataConfiguration
from pipelines.training import TrainingConfiguration


class SeriesConfiguration(TrainingCommand):
    """Everything that a training of the series pipeline depends on."""

    data: DataConfiguration = DataConfiguration()
    network: NetworkConfiguration = NetworkConfiguration()
    training: TrainingConfiguration = TrainingConfiguration()
    steps_per_epoch: FromOne = Field(50, description="batches between two validations; -1: from the table")
    reported: str = Field("", description="series that the evaluation reports; default: all")


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

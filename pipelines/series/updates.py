"""A training that goes on from an earlier run with more rows: the same settings, and no test on what was learned."""

from typing import Any

from pipelines.runs import Run
from pipelines.series.config import SeriesConfiguration
from pipelines.series.data import Sets
from pipelines.series.model import load_model
from pipelines.series.network import FROM_TABLE
from pipelines.series.regular import SeriesDataError, time_text
from pipelines.series.user_tables import TableConfiguration

READING = tuple(name for name in TableConfiguration.model_fields if name not in ("path", "sheet"))
SPLIT = ("split", "validation_fraction", "test_fraction")


def as_before(configuration: SeriesConfiguration) -> SeriesConfiguration:
    """Returns a configuration in which what nobody set is as in the run to start from, and prints it.

    So it is where a table follows another one: neither names its columns. Whoever names `--data.targets` starts from
    the weights alone, and the other settings follow from the new table.
    """
    if configuration.initialise is None or configuration.data.source != "table" or configuration.data.targets:
        return configuration
    run = Run.open(configuration.initialise)
    if run.pipeline != "series":  # which is refused later
        return configuration
    earlier = run.read_configuration(SeriesConfiguration)
    if earlier.data.source != "table":
        return configuration
    changes: dict[str, Any] = {}
    if configuration.steps_per_epoch == FROM_TABLE:
        changes["steps_per_epoch"] = earlier.steps_per_epoch
    for part in ("data", "network"):
        here, there = getattr(configuration, part), getattr(earlier, part)
        fields = type(here).model_fields
        settings = {name: getattr(there, name) for name in fields if _is_open(getattr(here, name))}
        if part == "data":
            plain = {name: fields[name].get_default(call_default_factory=True) for name in (*READING, *SPLIT)}
            settings |= {name: getattr(there, name) for name in plain if getattr(here, name) == plain[name]}
        changes[part] = {name: value for name, value in settings.items() if value != getattr(here, name)}
    shown = " ".join(
        f"--{part}.{name} {' '.join(map(str, value)) if isinstance(value, tuple) else value}"
        for part in ("data", "network")
        for name, value in changes[part].items()
        if value != ()
    )
    print(f"As in the run to start from: {shown}")
    return configuration.replace(**changes)


def refuse_learned(sets: Sets, configuration: SeriesConfiguration) -> None:
    """Refuses a validation or test period from which the run to start from has learned already.

    Raises:
        SeriesDataError: it has, so that the evaluation would look too good.
    """
    if configuration.initialise is None or Run.open(configuration.initialise).pipeline != "series":
        return
    earlier = load_model(Run.open(configuration.initialise))
    until = earlier.learned_until.numpy()
    for series, train_end in zip(sets.series, sets.train_end, strict=True):
        number = earlier.number_of(series.name)
        if number < len(earlier.names) and train_end < len(series.times) and until[number] >= series.times[train_end]:
            raise SeriesDataError(
                f"The run to start from learned from the series {series.name!r} until {time_text(until[number])}, and "
                f"the validation and the test would begin at {time_text(series.times[train_end])}, within what it has "
                "learned: they would look too good. Give more rows, or begin the test later, --data.held_out. "
                f"Received: {len(series.times)} steps until {time_text(series.times[-1])}"
            )


def _is_open(value: Any) -> bool:
    """Whether a setting waits for the table."""
    return any(each in (FROM_TABLE, "auto") for each in (value if isinstance(value, tuple) else (value,)))

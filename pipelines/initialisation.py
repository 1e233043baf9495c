"""Starting from the weights of an earlier run: what fits is taken, what does not is named."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import h5py
import keras
import numpy as np

from pipelines.checkpoints import Variable, trained_weights
from pipelines.run_files import RunError
from pipelines.runs import Run

Correspondence: TypeAlias = Mapping[str, tuple[Sequence[str], Sequence[str]]]
Rebuild: TypeAlias = Callable[[str, Sequence[str]], keras.Model]
INVENTED = "\ufffd\ufffd"
"""A name that no list holds, by which a network is made one row larger."""

Rows: TypeAlias = tuple[np.ndarray, np.ndarray]  # the numbers of equal rows there and here


def initialise(
    model: keras.Model, run: Run, correspondence: Correspondence | None = None, rebuild: Rebuild | None = None
) -> str:
    """Gives a model the weights of an earlier run that fit, and returns a report of what was taken.

    Statistics of the data, such as means and deviations, stay those of the new data: they are no trainable weights. A
    weight fits if one of the same place in the network has the same shape. Where the names that an axis stands for
    differ (an alphabet, classes), rows of equal names are taken; the others keep their new values. An axis stands for
    a list of names if its length changes with that of the list, which is tried out on a network built for that.

    Args:
        model: A built model.
        run: The earlier run.
        correspondence: Names there and here, by what they are, such as `{"classes": (["a", "b"], ["b", "c"])}`. Rows
            without a name, such as the CTC blank, come first.
        rebuild: `rebuild(key, names)` returns a model that differs from this one in one of these lists.

    Raises:
        RunError: The run was not trained to its end, its weights are damaged, or none of them fits.
    """
    arrays = _read(run)
    every, trainable = _variables_by_place(model), {id(variable) for variable in model.trainable_variables}
    variables = {place: variable for place, variable in every.items() if id(variable) in trainable}
    named = _axes_by_name(variables, correspondence or {}, rebuild) if rebuild else {}
    refused = []
    for place, variable in variables.items():
        there = arrays.get(place)
        if there is None:
            refused.append(f"{_name(model, variable)}, which is not there")
        elif not _take(variable, there, named.get(place, {})):
            shape = tuple(variable.shape)
            refused.append(f"{_name(model, variable)}, {there.shape} there and {shape} here")
    taken = len(variables) - len(refused)
    if not taken:
        raise RunError(
            "None of the weights of the run to start from fits this network. Expected a run of the same task and a "
            f"similar configuration. Give another one, or none. Received: {str(run.folder)!r}"
        )
    report = f"Took {taken} of {len(variables)} weights from {run.folder}"
    report += f"; not: {'; '.join(refused)}." if refused else "."
    for key in sorted({key for keys in named.values() for each in keys.values() for key in each}):
        before, now = (correspondence or {})[key]
        report += f" By name: {len({*before} & {*now})} of {len(now)} {key}."
    if unused := sorted({place.partition("/vars/")[0] for place in arrays.keys() - every.keys()}):
        report += f" Unused there: {', '.join(unused)}."
    return report


def _read(run: Run) -> dict[str, np.ndarray]:
    """Returns the weights of a run by their place in its file."""
    path = trained_weights(run)
    try:
        return _arrays(path)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise RunError(
            "The weights of the run to start from are damaged. Expected a file that a training wrote. Train that run "
            f"again, or give another one. Received: {str(path)!r} ({error})"
        ) from error


def _arrays(path: Path) -> dict[str, np.ndarray]:
    arrays = {}

    def read(place: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[place] = item[()]

    with h5py.File(path, "r") as file:
        file.visititems(read)
    return arrays


def _variables_by_place(model: keras.Model) -> dict[str, Variable]:
    """Returns the variables of a model by their place in a weights file, which no counter of layer names changes.

    Keras alone knows the places. Each variable is saved once filled with its number, by which it is found again.
    """
    values = [variable.numpy() for variable in model.variables]
    try:
        for number, variable in enumerate(model.variables):
            variable.assign(np.full(variable.shape, number))
        with TemporaryDirectory() as folder:
            path = Path(folder, "numbers.weights.h5")
            model.save_weights(path)
            numbers = {place: int(array.flat[0]) for place, array in _arrays(path).items() if array.size}
    finally:
        for variable, value in zip(model.variables, values, strict=True):
            variable.assign(value)
    return {place: model.variables[number] for place, number in numbers.items()}


def _axes_by_name(
    variables: Mapping[str, Variable], correspondence: Correspondence, rebuild: Rebuild
) -> Mapping[str, Mapping[int, Correspondence]]:
    """Returns which axis of which weight stands for which lists that differ there and here."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for key, (before, now) in correspondence.items():
        if list(before) == list(now) or any(len({*names}) < len(names) for names in (before, now)):
            continue
        more = next((name for name in before if name not in now), INVENTED)
        try:
            other = _variables_by_place(rebuild(key, [*now, more]))
        except ValueError:  # the network cannot do without a name of this list, or with another
            continue
        for place in variables.keys() & other.keys():
            for axis, lengths in enumerate(zip(variables[place].shape, other[place].shape, strict=True)):
                if lengths[0] != lengths[1]:
                    found.setdefault(place, {}).setdefault(axis, {})[key] = (before, now)
    return found


def _take(variable: Variable, there: np.ndarray, named: Mapping[int, Correspondence]) -> bool:
    """Assigns to a variable what fits of an array, and returns whether anything did."""
    shape = tuple(variable.shape)
    if there.ndim != len(shape):
        return False
    rows = [
        _rows(old, new, list(named.get(axis, {}).values()))
        for axis, (old, new) in enumerate(zip(there.shape, shape, strict=True))
    ]
    if not all(here.size for _, here in rows):
        return False
    value = np.array(variable.numpy())
    value[np.ix_(*(here for _, here in rows))] = there[np.ix_(*(old for old, _ in rows))]
    variable.assign(value)
    return True


def _rows(there: int, here: int, lists: Sequence[tuple[Sequence[str], Sequence[str]]]) -> Rows:
    """Returns the numbers of equal rows of an axis of these lengths; none if it does not fit."""
    pairs = [(row, row) for row in range(here)] if there == here else []
    if len(lists) == 1:
        ((before, now),) = lists
        unnamed = here - len(now)  # they come first
        pairs = []
        if there - len(before) == unnamed >= 0:
            places = {name: row for row, name in enumerate(before, unnamed)}
            pairs = [(row, row) for row in range(unnamed)]
            pairs += [(places[name], row) for row, name in enumerate(now, unnamed) if name in places]
    numbers = np.array(pairs, int).reshape(-1, 2)
    return numbers[:, 0], numbers[:, 1]


def _name(model: keras.Model, variable: Variable) -> str:
    return str(variable.path).removeprefix(f"{model.name}/")

"""What is kept of a training: checkpoints, each one file replaced atomically, and averaged weights."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from zipfile import BadZipFile

import keras
import numpy as np
import tensorflow as tf

from pipelines import hints
from pipelines.run_files import RunError, cannot_write
from pipelines.runs import Run

Variable: TypeAlias = Any  # keras.Variable or tf.Variable, neither of which mypy knows
ModelType = TypeVar("ModelType", bound=keras.Model)
WEIGHTS = "model.weights.h5"


def save_checkpoint(path: Path, variables: Mapping[str, Sequence[Variable]], state: Mapping[str, Any]) -> None:
    """Writes variables and a JSON-like state to one file; a kill at any moment leaves the old or the new one.

    Variables are listed explicitly because `tf.train.Checkpoint(model=...)` silently leaves out the states of
    Keras's `SeedGenerator`s, without which dropout does not resume.

    Args:
        path: The file, by habit `*.npz`; its folder is made.
        variables: Groups of variables, such as `{"model": model.variables}`.
        state: Anything that JSON holds; floats come back bit-equal.

    Raises:
        RunError: The disk is full, or the folder cannot be written; the old file is still there.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "latest.npz"
        >>> weight = tf.Variable([1.0, 2.0])
        >>> save_checkpoint(path, {"model": [weight]}, {"epoch": 3})
        >>> _ = weight.assign([0.0, 0.0])
        >>> load_checkpoint(path, {"model": [weight]}), weight.numpy().tolist()
        ({'epoch': 3}, [1.0, 2.0])
    """
    arrays = {name: variable.numpy() for name, variable in _named(variables).items()}
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            np.savez(file, state=np.array(json.dumps(state)), **arrays)
            file.flush()
            os.fsync(file.fileno())  # so that not even a power cut leaves a renamed but empty file
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def load_checkpoint(path: Path, variables: Mapping[str, Sequence[Variable]]) -> dict[str, Any]:
    """Assigns the variables that `save_checkpoint` wrote, all or none, and returns the state.

    Raises:
        ValueError: The file is damaged, or holds other variables than the ones given.
    """
    named = _named(variables)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (BadZipFile, ValueError, EOFError) as error:
        raise ValueError(
            f"The checkpoint cannot be read ({error}). Expected a file written by this package; "
            f"delete it to start again. Received: {path}"
        ) from error
    state = json.loads(str(arrays.pop("state")))
    expected = {name: tuple(variable.shape) for name, variable in named.items()}
    received = {name: array.shape for name, array in arrays.items()}
    if differing := sorted(expected.items() ^ received.items()):
        raise ValueError(
            f"The checkpoint {path.name} belongs to another model or optimizer. Expected the variables and "
            "shapes of this one: start a new run, or use the configuration with which the run was started. "
            f"Received: {len(differing)} differences, the first {differing[:4]}"
        )
    for name, variable in named.items():
        # NumPy files know no bfloat16 and return its bytes as void; the variable knows the type.
        array = arrays[name]
        variable.assign(array.view(variable.numpy().dtype) if array.dtype.kind == "V" else array)
    return state


@contextmanager
def refusal_explained(path: Path) -> Iterator[None]:
    """Explains what to do when the operating system, through TensorFlow or not, refuses to write a file."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        raise cannot_write(path, error) from error


def save_trained(run: Run, model: keras.Model) -> None:
    """Writes the weights of a trained model, all or none, for `load_trained`."""
    weights = run.folder / WEIGHTS
    partial = weights.with_name("partial.weights.h5")  # Keras demands the suffix
    try:
        with refusal_explained(weights):
            model.save_weights(partial, overwrite=True)
            os.replace(partial, weights)
    finally:
        partial.unlink(missing_ok=True)


def load_trained(run: Run, build: Callable[[], ModelType]) -> ModelType:
    """Returns the model of a finished run, with its trained weights.

    Args:
        run: The run.
        build: Returns the untrained model, its weights made, from what the run's folder holds.

    Raises:
        RunError: The run was not trained to its end, or its weights do not fit the model.
    """
    weights = trained_weights(run)
    model = build()
    try:
        model.load_weights(weights)
    except (ValueError, OSError) as error:
        raise RunError(
            "The weights of the run do not fit the network that this version makes of its configuration, or are "
            "damaged. Expected a run of this version or the one before; use the version in its versions.json, or train "
            f"again. Received: {str(run.folder)!r} ({error})"
        ) from error
    return model


def trained_weights(run: Run) -> Path:
    """Returns the file of a finished run's weights.

    Raises:
        RunError: The run was not trained to its end.
    """
    weights = run.folder / WEIGHTS
    if not weights.exists():
        raise RunError(
            f"The run has no trained weights. Expected {weights.name}, which a training writes at its end. Continue "
            f"it, {hints.command('train', run.pipeline, run.preset, resume=True)}, or take another one. "
            f"Received: {str(run.folder)!r}"
        )
    return weights


class WeightAverage:
    """Exponential moving average of weights, corrected for its start at zero.

    Update n: average_n = decay * average_(n-1) + (1 - decay) * weight_n; kept: average_n / (1 - decay^n)
    (Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992; the correction as in
    Kingma and Ba, "Adam", 2015).

    Args:
        weights: The trainable weights of a model.
        decay: Between 0 and 1; 0 is off.

    Example:
        >>> weight = keras.Variable([2.0])
        >>> average = WeightAverage([weight], decay=0.9)
        >>> average.update()
        >>> with average.applied(updates=1):
        ...     print(f"{weight.numpy()[0]:.3f}")
        2.000
    """

    def __init__(self, weights: Sequence[keras.Variable], decay: float) -> None:
        self.weights = weights
        self.decay = decay
        self.averages = [tf.Variable(tf.zeros(weight.shape, weight.dtype)) for weight in weights if decay]

    def update(self) -> None:
        """Takes in the present weights; may be called in a graph."""
        if self.decay:
            for average, weight in zip(self.averages, self.weights, strict=True):
                average.assign(self.decay * average + (1 - self.decay) * weight.value)

    @contextmanager
    def applied(self, updates: int) -> Iterator[None]:
        """Puts the averages of so many updates into the model, and afterwards the trained weights back."""
        if not self.decay or not updates:
            yield
            return
        trained = [tf.identity(weight.value) for weight in self.weights]
        correction = 1 - self.decay**updates
        for weight, average in zip(self.weights, self.averages, strict=True):
            weight.assign(average / correction)
        try:
            yield
        finally:
            for weight, value in zip(self.weights, trained, strict=True):
                weight.assign(value)


def _named(variables: Mapping[str, Sequence[Variable]]) -> dict[str, Variable]:
    return {f"{group}.{number}": item for group, items in variables.items() for number, item in enumerate(items)}

"""What every training does before its first step, and every command that opens a trained network.

A run's `description.json` holds what its network is built from beside the configuration (an alphabet, a vocabulary,
columns), and a fingerprint of the data that it learned from.
"""

import hashlib
import json
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Generic, NamedTuple, TypeVar

import keras

from pipelines import hints, workers
from pipelines.checkpoints import load_trained
from pipelines.fingerprint import fingerprint
from pipelines.initialisation import initialise
from pipelines.predictors import initial_run, task_of
from pipelines.run_files import to_json
from pipelines.runs import Run, RunError

DESCRIPTION = "description.json"
FINGERPRINT = "fingerprint"
LEARNED = "learned.json"  # digests of what tells the examples of training apart

Sets = TypeVar("Sets")
Model = TypeVar("Model", bound=keras.Model)


class Prepared(NamedTuple, Generic[Sets, Model]):
    """What a training starts from.

    Attributes:
        sets: the data, as the task's `data.load` returns them.
        model: the untrained network, its weights made.
        description: the arguments of the task's `build` beside the configuration, in the types that JSON has.
        files: more to write into the run's folder, by name: what was left out or repaired.
        last: keys of those lists of names in the description to which the network adds a row at the end, such as that
            of an unknown series. Rows that it adds before the names, such as the CTC blank, need no mention.
        configuration: the configuration with the settings that follow from the data. None: there are none. The run
            records it, for `Run.read_configuration`.
        learned: what tells each example of training from others, so that none is ever judged as new.
    """

    sets: Sets
    model: Model
    description: Mapping[str, Any]
    files: Mapping[str, Any] = {}
    last: Sequence[str] = ()
    configuration: Any = None
    learned: Iterable[str] = ()


def prepared(run: Run, configuration: Any, prepare: Callable[[Any], Prepared[Sets, Model]]) -> tuple[Sets, Model]:
    """Prepares a training, and returns its data and its untrained network.

    A run that is resumed on other data is refused. A new run whose preparation fails leaves no folder. With
    `--initialise`, a new run starts from the weights of an earlier one.

    Args:
        run: the run.
        configuration: the task's.
        prepare: the task's `prepare`.

    Raises:
        RunError: the data have changed since the run started, the run to start from does not fit, or another worker
            has other data.
    """
    with removed_if_refused(run), _dtype_policy(configuration):
        sets, model, description, files, last, settled, learned = prepare(configuration)
        configuration = settled or configuration
        data = fingerprint(sets)
        workers.present().agree(data=data, description=dict(description))
        values = {**description, FINGERPRINT: data}
        if (run.folder / DESCRIPTION).exists():
            _refuse_other_data(run, values)
        if settled is not None:
            run.write_configuration(settled)
        run.write_json(DESCRIPTION, values)
        for name, content in files.items():
            run.write_json(name, content)
        if digests := _digests(learned):
            run.write_json(LEARNED, digests)
        if configuration.initialise is not None and not run.checkpoint("latest").exists():
            print(_initialised(model, run, configuration, description, last))
    return sets, model


def description_of(run: Run, file: str = "", key: str = "") -> dict[str, Any]:
    """Returns what a run's network was built from.

    Args:
        run: the run.
        file: where 0.1.0 wrote it, such as `classes.json`.
        key: the argument of `build` that this file holds; "": it holds all of them by name.
    """
    if not (run.folder / DESCRIPTION).exists():
        values = run.read_json(file) if file else {}
        return {key: values} if key else dict(values)
    return {name: value for name, value in run.read_json(DESCRIPTION).items() if name != FINGERPRINT}


def built(model: Model, *inputs: Any, **options: Any) -> Model:
    """Returns a model with its weights, which its first call makes. Keras would trace the whole model before that call.

    Args:
        model: a new model, without a `build` of its own.
        inputs: small ones, which `call` takes.
        options: of `call`.
    """
    model.built = True
    model(*inputs, **options)
    return model


def trained_model(run: Run, configuration: Any, build: Callable[..., Model], file: str = "", key: str = "") -> Model:
    """Returns the network of a finished run, with its trained weights.

    Args:
        run: the run.
        configuration: the run's.
        build: the task's `build(configuration, **description)`.
        file: as of `description_of`.
        key: as of `description_of`.

    Raises:
        RunError: the run was not trained to its end, or its weights do not fit.
    """
    with _dtype_policy(configuration):
        return load_trained(run, lambda: build(configuration, **description_of(run, file, key)))


def report_changed_data(run: Run, sets: Any, train: Iterable[str] = (), judged: Iterable[str] = ()) -> None:
    """Reports that the data differ from those that a run learned from, where it knows.

    Args:
        run: the run.
        sets: the data now.
        train: what tells the examples of training apart now, as of `Prepared.learned`.
        judged: those of the split that is evaluated.

    Raises:
        RunError: an example that was in training then is in the evaluated split now.
    """
    known = run.read_json(DESCRIPTION).get(FINGERPRINT) if (run.folder / DESCRIPTION).exists() else None
    if known is not None and known != fingerprint(sets):
        kept = set(train)
        judged = [each for each in judged if each not in kept]
        learned = set(run.read_json(LEARNED)) if (run.folder / LEARNED).exists() else set()
        both = [each for each, digest in zip(judged, _digests(judged), strict=True) if digest in learned]
        if both:
            raise RunError(
                "The data have changed since the training, and examples that the model learned from are in the "
                "evaluated split now. Expected examples that are new to it. Restore the data and their splits, or "
                f"train again. Received: {hints.counted(len(both), 'example')} of {len(judged)}, such as "
                f"{reprlib.repr(both[0])}"
            )
        print("Note: the data have changed since the training. The figures are those of the current data.")


def _digests(names: Iterable[str]) -> list[str]:
    return [hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=8).hexdigest() for name in names]


def refuse_other(what: str, learned: Sequence[str], now: Sequence[str]) -> None:
    """Refuses data with other names, such as labels, than those that a network has learned.

    Raises:
        RunError: they differ.
    """
    if tuple(now) != tuple(learned):
        raise RunError(
            f"The data have changed since the training. Expected the {what} {', '.join(learned)}. Restore them, or "
            f"train again. Received: {', '.join(now)}"
        )


def _initialised(
    model: keras.Model, run: Run, configuration: Any, description: Mapping[str, Any], last: Sequence[str]
) -> str:
    """Gives a model the weights of an earlier run, matching by name what the descriptions of both list."""
    earlier = initial_run(configuration.initialise, run.pipeline)
    known = description_of(earlier) if (earlier.folder / DESCRIPTION).exists() else {}  # 0.1.0 wrote other files
    now = json.loads(to_json(description))
    added = {key: [""] if key in last else [] for key in now}
    correspondence = {
        key: (known[key] + added[key], now[key] + added[key])
        for key in now
        if _is_names(now[key]) and _is_names(known.get(key)) and known[key] != now[key]
    }
    if not correspondence:
        return initialise(model, earlier)
    build = task_of(run).part("model").build

    def rebuild(key: str, names: Sequence[str]) -> keras.Model:
        changed: keras.Model = build(configuration, **{**now, key: [name for name in names if name or key not in last]})
        return changed

    return initialise(model, earlier, correspondence, rebuild)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, str) for each in value)


def _refuse_other_data(run: Run, values: Mapping[str, Any]) -> None:
    known = run.read_json(DESCRIPTION)
    changed = [
        f"{name}: {reprlib.repr(known.get(name))} before, {reprlib.repr(value)} now"
        for name, value in json.loads(to_json(values)).items()
        if known.get(name) != value
    ]
    if changed:
        raise RunError(
            "The data have changed since the run started, and a resumed run learns from the same data. Expected those "
            f"that {DESCRIPTION} describes. Restore the data, or start a new run: "
            f"{hints.command('train', run.pipeline, run.preset)}. Received: {'; '.join(changed)}"
        )


@contextmanager
def removed_if_refused(run: Run) -> Iterator[None]:
    """Removes the folder of a run whose preparation fails, unless something was trained in it before.

    Otherwise a resumed training would continue a run that never began, and not the one that was killed.
    """
    try:
        yield
    except BaseException:
        if not any((run.folder / name).exists() for name in ("checkpoints", "history.csv")):
            run.remove()
        raise


@contextmanager
def _dtype_policy(configuration: Any) -> Iterator[None]:
    """Builds with the configuration's dtype policy, and restores that of the process."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(configuration.training.dtype_policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)

"""Starts the training of any task, new or resumed, from the command line or from Python, on one worker or several."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines import hints
from pipelines.advice import run_advice
from pipelines.arguments import checked
from pipelines.cluster import VARIABLE, StrategyName
from pipelines.command_line import parse_command_line
from pipelines.commands import asks_for_help, evaluate_run, option_of, task_first
from pipelines.configuration import Configuration, ConfigurationError, did_you_mean
from pipelines.launcher import launch, start_together, strategy_of
from pipelines.predictors import initial_run, open_run, task_of
from pipelines.runs import Run, RunError
from pipelines.tasks import Task, presets_named, tasks_named

OF_RESUME = ("--resume", "--evaluate", "--no_evaluate", "--workers", "--training.strategy")
"""Options of a training that change nothing of what is learned, so that a resumed one may have others."""


def train(arguments: Sequence[str]) -> None:
    """Trains what a preset describes: `TASK [PRESET] [--training.epochs 3 …]`."""
    name, rest = task_first("train", arguments)
    count = option_of(rest, "--workers") or ""
    if count.isdecimal() and int(count) > 1 and not asks_for_help(rest):
        of_each = [*rest, "--workers", "1", "--training.strategy", "multi_worker"]
        _configured(name, of_each)  # what is wrong with the settings is found before processes start
        launch(["train", name, *of_each], int(count))
        return
    task, run, configuration = training_run(name, rest)
    task.part("train").train(run, configuration)
    from pipelines import workers  # and TensorFlow, which --help does without

    if not workers.present().is_chief:
        return
    print(f"Wrote {run.folder}")
    if configuration.evaluate:
        evaluate_run(task, run, {})
        return
    for line in run_advice(run):
        print(line)
    commands = [hints.command(verb, task.name) for verb in ("evaluate", "export")]
    print(f"Next: {', '.join(commands)}, {hints.answer(*task.part('predictor').EXAMPLE)}")


@checked
def train_run(
    task: str,
    preset: str | None,
    initialise: str | Path | Run | None,
    resume: str | Path | Run | None,
    evaluate: bool,
    settings: Mapping[str, Any],
) -> Run:
    """Trains from Python: the work of `unrolled.train`, whose arguments these are."""
    presets = presets_named(task)
    if resume is not None:
        if preset is not None or initialise is not None or settings:
            raise ConfigurationError(
                "A resumed run keeps the settings with which it started. Expected no preset and no setting. Leave them "
                f"out. Received: preset {preset!r}, initialise {initialise!r}, {', '.join(settings) or 'no setting'}"
            )
        run = resume if isinstance(resume, Run) else Run.open(resume)
        trained = task_of(open_run(task, run.folder))
        if run.finished_at:
            raise RunError(
                "The run to resume has finished. Expected an unfinished one. Load it, or start a new training from its "
                f"weights: initialise. Received: {str(run.folder)!r}"
            )
        configuration = run.read_configuration(type(next(iter(trained.presets.values()))))
    else:
        preset = next(iter(presets)) if preset is None else preset
        if preset not in presets:
            raise ConfigurationError(
                f"There is no preset {preset!r} of {task}. Expected one of: {', '.join(presets)}."
                f"{did_you_mean(preset, presets)} Received: {preset!r}"
            )
        trained = _task_with(tasks_named(task), preset)
        settings, table = _without_table(trained, settings)
        folder = initialise.folder if isinstance(initialise, Run) else initialise and Path(initialise)
        configuration = presets[preset].replace(
            **settings, **({"initialise": initial_run(folder, trained.pipeline).folder} if folder else {})
        )
        if configuration.workers > 1:
            raise ConfigurationError(
                "Several workers are several processes, which the command line starts. Expected one here. Type: "
                f"unrolled train {task} {preset} --workers {configuration.workers}. "
                f"Received: workers={configuration.workers}"
            )
    named, resumed = preset or "", resume is not None

    def start() -> tuple[Task, Run, Any]:
        if resumed:
            return trained, run, configuration
        new = Run.create(trained.pipeline, named, configuration)
        return trained, new, configuration if table is None else _with_table(trained, new, configuration, table)

    strategy = strategy_of(configuration)
    if resumed and strategy == "multi_worker" and not os.environ.get(VARIABLE):
        strategy = "none"  # one worker goes on alone
    trained, run, configuration = start_together(
        strategy,
        None if resumed else configuration,
        start,
    )
    run.lock()
    trained.part("train").train(run, configuration)
    from pipelines import workers

    if evaluate and workers.present().is_chief:
        evaluate_run(trained, run, {})
    return run


def _without_table(task: Task, settings: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """Returns the settings of a training without a table in memory, and the table; None where there is none."""
    data = settings.get("data", {})
    if not task.has("kept_tables") or isinstance(data, str | Path | Configuration):
        return dict(settings), None
    if not isinstance(data, Mapping):
        data = {"frame": data}
    if data.get("frame") is not None and data.get("path"):
        raise ConfigurationError(
            "data.path: a table in memory is given, too. Expected one of both. Leave data.path or data.frame out. "
            f"Received: {data['path']!r}"
        )
    return {**settings, "data": {name: value for name, value in data.items() if name != "frame"}}, data.get("frame")


def _with_table(task: Task, run: Run, configuration: Any, table: Any) -> Any:
    """Keeps a table in a new run's folder, so that the run can be resumed and evaluated; returns what reads it."""
    from pipelines.preparation import removed_if_refused  # and Keras

    with removed_if_refused(run):
        path = task.part("kept_tables").keep(table, configuration.data, run.folder)
        configuration = configuration.replace(data={"path": str(path)})
        run.write_configuration(configuration)
    return configuration


def training_run(name: str, arguments: Sequence[str]) -> tuple[Task, Run, Any]:
    """Reads the command line of a training, and returns its task, its run, new or to be resumed, and its configuration.

    No other process trains the run until this one ends.

    Args:
        name: of a task, or of a pipeline, whose presets are those of all its tasks.
        arguments: `[PRESET] [--option value …]`.

    Raises:
        ConfigurationError: settings are given for a run that is resumed, which has its own.
        RunError: there is no run to resume, or the new one cannot be written.
    """
    preset, configuration = _configured(name, arguments)
    tasks, options = tasks_named(name), _names(arguments)
    strategy: StrategyName | None = strategy_of(configuration)

    def new() -> tuple[Task, Run, Any]:
        run = Run.create(tasks[0].pipeline, preset, configuration)
        run.lock()
        return _task_with(tasks, preset), run, configuration

    def resumed() -> tuple[Task, Run, Any]:
        named = not arguments[0].startswith("-")
        run = Run.newest_unfinished(tasks[0].pipeline, preset if named else None)
        print(f"Resuming {run.folder} with its own configuration.")
        task = task_of(run)
        started = run.read_configuration(type(next(iter(task.presets.values()))))
        return task, run, started.replace(evaluate=True) if configuration.evaluate else started

    if not configuration.resume:
        return start_together(strategy, configuration, new)
    if "--training.strategy" not in options:  # the workers beside the chief do not have the run
        strategy = "multi_worker" if os.environ.get(VARIABLE) else None
    return start_together(strategy, None, resumed)


def _task_with(tasks: Sequence[Task], preset: str) -> Task:
    return next(task for task in tasks if preset in task.presets)


def _configured(name: str, arguments: Sequence[str]) -> tuple[str, Any]:
    """Returns the preset and the configuration of a command line; arguments and errors as of `training_run`."""
    presets, options = presets_named(name), _names(arguments)
    others = [option for option in options if option not in OF_RESUME]
    if "--resume" in options and others:  # which the preset may refuse, but the run would not have
        raise ConfigurationError(
            f"A resumed run keeps the settings with which it started. Expected nothing beside {hints.resume()} but the "
            f"preset. Leave the other options out, or start a new run, without {hints.resume()}. "
            f"Received: {', '.join(others)}"
        )
    description = f"Trains a network of the task {' or '.join(task.name for task in tasks_named(name))}."
    preset, configuration = parse_command_line(presets, arguments, f"{hints.program()} train {name}", description)
    if configuration.initialise is not None:
        initial_run(configuration.initialise, tasks_named(name)[0].pipeline)  # refused before the data are prepared
    return preset, configuration


def _names(arguments: Sequence[str]) -> list[str]:
    """Returns the options of a command line."""
    return [argument.partition("=")[0] for argument in arguments if argument.startswith("--")]

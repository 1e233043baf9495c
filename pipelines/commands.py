"""What the commands of every task do alike: train, evaluate, export, open a model, report errors as messages."""

import argparse
import json
import os
import re
import select
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import pydantic
from pydantic import Field

from pipelines import hints, predictors
from pipelines.advice import run_advice
from pipelines.arguments import checked
from pipelines.cluster import VARIABLE, StrategyName
from pipelines.configuration import (
    Configuration,
    ConfigurationError,
    ConfigurationType,
    did_you_mean,
    parse_command_line,
    parse_options,
)
from pipelines.evaluation import Evaluation, markdown_table
from pipelines.launcher import launch, start_together, strategy_of
from pipelines.runs import Run, RunError
from pipelines.tasks import RENAMED, Task, all_tasks, latest_run, open_run, presets_named, task_of, tasks_named

OURS = ("pipelines", "data", "models", "serving", "unrolled", "unrolled_installation")
_OUR_ERROR_IN_A_GRAPH = re.compile(
    # TensorFlow puts the traceback of Python code that a graph has run into its own error's message.
    rf"^(?:{'|'.join(OURS)})\.[\w.]+: (?P<message>.+?)(?=\n\s*\n|\n\s*\[\[|\Z)",
    re.MULTILINE | re.DOTALL,
)


OF_RESUME = ("--resume", "--evaluate", "--no_evaluate", "--workers", "--training.strategy")
"""Options of a training that change nothing of what is learned, so that a resumed one may have others."""


class TrainingCommand(Configuration):
    """Base of a task's configuration: what its training command takes besides the experiment itself."""

    seed: int = Field(0, ge=0, le=2**32 - 1, description="random seed of weights, order, augmentation and dropout")
    initialise: Path | None = Field(None, description="folder of an earlier run; training starts from its weights")
    resume: bool = Field(
        False, exclude=True, description="continue the newest unfinished run (of the preset, if named)"
    )
    workers: int = Field(1, ge=1, exclude=True, description="processes on this machine that train together")
    evaluate: bool = Field(False, exclude=True, description="evaluate the run after training")

    @pydantic.field_validator("task", mode="before", check_fields=False)
    @classmethod
    def _task_of_now(cls, task: str) -> str:
        return RENAMED.get(task, task)


class RunOptions(Configuration):
    """Options of a command that reads a finished run."""

    run: Path | None = Field(None, description="folder of the run; default: the run that finished last")


class EvaluationOptions(RunOptions):
    """Options of the evaluation, of a task that needs no more."""

    split: Literal["train", "validation", "test"] = Field("test", description="split to evaluate")


class ExportOptions(RunOptions):
    """Options of the export."""

    folder: Path = Field(Path("exports"), description="folder of all exports")
    devices: tuple[Literal["lite", "onnx"], ...] = Field((), description="also files for devices: LiteRT, ONNX")


class ResultsOptions(RunOptions):
    """Options of the table."""

    split: str = Field("test", description="evaluated split to print")


class AnswerOptions(Configuration):
    """Options of a command that asks a model."""

    run: Path | None = Field(None, description="folder of a run or an export; default: the run that finished last")
    format: Literal["text", "json"] = Field("text", description="text, or json: one object a line, for other programs")


def train(arguments: Sequence[str]) -> None:
    """Trains what a preset describes: `TASK [PRESET] [--training.epochs 3 …]`."""
    name, rest = _task_first("train", arguments)
    count = _option(rest, "--workers") or ""
    if count.isdecimal() and int(count) > 1 and not _asks_for_help(rest):
        launch(["train", name, *rest, "--workers", "1", "--training.strategy", "multi_worker"], int(count))
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
        configuration = run.read_configuration(type(next(iter(trained.presets.values()))))
    else:
        preset = next(iter(presets)) if preset is None else preset
        if preset not in presets:
            raise ConfigurationError(
                f"There is no preset {preset!r} of {task}. Expected one of: {', '.join(presets)}."
                f"{did_you_mean(preset, presets)} Received: {preset!r}"
            )
        trained = _task_with(tasks_named(task), preset)
        folder = initialise.folder if isinstance(initialise, Run) else initialise and Path(initialise)
        configuration = presets[preset].replace(
            **settings, **({"initialise": Run.open(folder).folder} if folder else {})
        )
        if configuration.workers > 1:
            raise ConfigurationError(
                "Several workers are several processes, which the command line starts. Expected one here. Type: "
                f"unrolled train {task} {preset} --workers {configuration.workers}. "
                f"Received: workers={configuration.workers}"
            )
    named, resumed = preset or "", resume is not None
    strategy = strategy_of(configuration)
    if resumed and strategy == "multi_worker" and not os.environ.get(VARIABLE):
        strategy = "none"  # one worker goes on alone
    trained, run, configuration = start_together(
        strategy,
        None if resumed else configuration,
        lambda: (trained, run if resumed else Run.create(trained.pipeline, named, configuration), configuration),
    )
    run.lock()
    trained.part("train").train(run, configuration)
    from pipelines import workers

    if evaluate and workers.present().is_chief:
        evaluate_run(trained, run, {})
    return run


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
    tasks, presets = tasks_named(name), presets_named(name)
    options = [argument.partition("=")[0] for argument in arguments if argument.startswith("--")]
    others = [option for option in options if option not in OF_RESUME]
    if "--resume" in options and others:  # which the preset may refuse, but the run would not have
        raise ConfigurationError(
            f"A resumed run keeps the settings with which it started. Expected nothing beside {hints.resume()} but the "
            f"preset. Leave the other options out, or start a new run, without {hints.resume()}. "
            f"Received: {', '.join(others)}"
        )
    description = f"Trains a network of the task {' or '.join(task.name for task in tasks)}."
    preset, configuration = parse_command_line(presets, arguments, f"{hints.program()} train {name}", description)
    if configuration.initialise is not None:
        Run.open(configuration.initialise)  # a folder that is no run is refused before the data are prepared
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


def evaluate(arguments: Sequence[str]) -> None:
    """Evaluates a run beside the baselines: `[TASK] [--run FOLDER] [--split test …]`."""
    task, run, rest = _task_and_run("evaluate", arguments)
    options = _options_of_run(task, run, task.part("evaluate").EvaluationOptions, "evaluate", rest)
    assert run is not None  # --help has ended the process
    evaluate_run(task, run, {name: value for name, value in options if name != "run"})


def evaluate_run(task: Task, run: Run, options: Mapping[str, Any]) -> Evaluation:
    """Evaluates a run, and prints the table, what it means, and what was written."""
    evaluation: Evaluation = task.part("evaluate").evaluate(run, **options)
    evaluation.print()
    for line in run_advice(run, evaluation):
        print(line)
    table, page = (evaluation.file_name(name) for name in ("evaluation.json", "report.html"))
    print(f"Wrote {run.folder}/{table} and {page}")
    others = f"{hints.command('export', task.name)}; {hints.answer(*task.part('predictor').EXAMPLE)}"
    print(f"Next: open {run.folder / page} in a browser; {others}")
    return evaluation


def export(arguments: Sequence[str]) -> None:
    """Writes a run as a SavedModel for a server: `[TASK] [--run FOLDER] [--folder exports] [--devices lite onnx]`."""
    task, run, rest = _task_and_run("export", arguments)
    options = _options_of_run(task, run, ExportOptions, "export", rest)
    assert run is not None  # --help has ended the process
    from pipelines.devices import device_model, write_devices  # converters, which other commands do without

    device = device_model(task, run) if options.devices else None
    folder: Path = task.part("export").export_run(run, options.folder)
    print(f"Wrote {folder} (SavedModel, model_card.md, warm-up requests)")
    if device:
        for path, size, share, score in write_devices(folder, device, options.devices):
            print(f"Wrote {path}: {size:,} bytes, {share:.2f} of the weights; {device.metric} {score:.4g}")
    elsewhere = options.folder != ExportOptions().folder
    print(f"Next: {hints.serve(options.folder if elsewhere else None)}, where its name is {folder.parent.name}")
    print(f'In Python: unrolled.load("{folder}")')
    server = f"--model_name={folder.parent.name} --model_base_path={folder.parent.resolve()}"
    print(f"With TensorFlow Serving: tensorflow_model_server {server}")


def results(arguments: Sequence[str]) -> None:
    """Prints the evaluation of a run as a Markdown table, for a page: `[TASK] [--run FOLDER] [--split test]`."""
    task, run, rest = _task_and_run("results", arguments)
    options = _options_of_run(task, run, ResultsOptions, "results", rest)
    assert run is not None  # --help has ended the process
    name = Evaluation(options.split, 0, []).file_name("evaluation.json")
    if not (run.folder / name).exists():
        split = "" if options.split == "test" else f" --split {options.split}"
        raise RunError(
            f"The run has not been evaluated on its {options.split} split. Expected {name} in its folder. Evaluate it "
            f"first: {hints.program()} evaluate {task.name} --run {run.folder}{split}. Received: {str(run.folder)!r}"
        )
    configuration = run.read_json("configuration.json")
    print(markdown_table(Evaluation.from_json(run.read_json(name))))
    command = hints.command("train", task.name, run.preset)
    print(f"\n`{command}`, seed {configuration.get('seed')}, {run.folder.name}")


def answer(verb: str, arguments: Sequence[str]) -> None:
    """Asks a model: `transcribe`, `forecast` and the like, by the module of that name in a task's package.

    The module has `Options` and `answer(options, load)`, where `load()` returns the task's predictor. A reader that has
    enough, such as `head`, ends the command without an error. With `--workers` it is a job of many inputs.
    """
    module = verb.replace("-", "_")
    tasks = [task for task in all_tasks() if task.has(module)]
    folder = _run_option(arguments)
    is_several, asked_for_help = len(tasks) > 1, _asks_for_help(arguments)
    if is_several and not (asked_for_help and not folder):  # the tasks of one pipeline: the run decides
        tasks = [task_of(predictors.opened(folder)[0] if folder else latest_run(tasks[0].pipeline))]
    for task in tasks if asked_for_help else []:
        if len(tasks) > 1:
            print(f"With a run of the task {task.name}:\n")
        with suppress(SystemExit):
            _options_of_answer(task, module, ["--help"])
    if asked_for_help:
        raise SystemExit(0)
    task = tasks[0]
    if _option(arguments, "--workers") is not None:
        from pipelines import jobs  # which asks this module

        jobs.answer(task, verb, arguments)
        return
    part = task.part(module)
    try:
        options = _options_of_answer(task, module, arguments)
    except SystemExit:
        if is_several:
            print(
                f"These are the options of the task {task.name}, of which the run is. To use another run, add "
                f"{hints.run()}.",
                file=sys.stderr,
            )
        raise

    def load() -> Any:
        found = predictors.find(options.run or task.name, task.name)
        report_done(f"Using {found.folder}")
        return found.predictor()

    try:
        part.answer(options, load)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit) as error:
        if not _reader_has_left(error):
            raise


def _options_of_answer(task: Task, module: str, arguments: Sequence[str]) -> Any:
    part = task.part(module)
    return parse_options(part.Options, arguments, f"{hints.program()} {module.replace('_', '-')}", part.__doc__ or "")


def print_answers(answers: Iterable[Mapping[str, Any]]) -> None:
    """Prints answers as JSON, one object a line."""
    for each in answers:
        print(json.dumps(each, ensure_ascii=False, default=lambda value: value.tolist()), flush=True)


def report_done(line: str) -> None:
    """Reports what was done, beside the answers, which another program may read."""
    print(line, file=sys.stderr)


def _task_first(command: str, arguments: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Splits off the name of a task, or ends with the help."""
    if arguments and not arguments[0].startswith("-"):
        return arguments[0], arguments[1:]
    names = ", ".join(task.name for task in all_tasks())
    if _asks_for_help(arguments):
        preset = "[PRESET] " if command == "train" else ""
        print(f"usage: {hints.program()} {command} TASK {preset}[OPTIONS]\n\nTasks: {names}")
        print(f"\n{hints.program()} {command} TASK --help lists the options.")
        raise SystemExit(0)
    raise ConfigurationError(
        f"The command needs a task first. Expected one of: {names}. Type: {hints.program()} {command} speech. "
        f"Received: {' '.join(arguments) or 'nothing'}"
    )


def _task_and_run(command: str, arguments: Sequence[str]) -> tuple[Task, Run | None, Sequence[str]]:
    """Returns the task and the run that a command works on, and its options; no run for `--help`."""
    folder = _run_option(arguments)
    if folder and arguments[0].startswith("-"):
        run = Run.open(folder)
        return task_of(run), run, arguments
    name, rest = _task_first(command, arguments)
    if _asks_for_help(rest):
        return tasks_named(name)[0], None, rest
    run = open_run(name, folder)
    return task_of(run), run, rest


def _asks_for_help(arguments: Sequence[str]) -> bool:
    """Whether an option asks for the help; behind `--` there are no options."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "-h" in options or "--help" in options


def _run_option(arguments: Sequence[str]) -> Path | None:
    folder = _option(arguments, "--run")
    return None if folder is None else Path(folder)


def _option(arguments: Sequence[str], name: str) -> str | None:
    """Returns the value of one option, before all are read."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument(name, dest="value", default=None)
    try:
        value: str | None = parser.parse_known_args(list(arguments))[0].value
    except argparse.ArgumentError:  # without a value: the full parser explains it
        return None
    return value


def _options_of_run(
    task: Task, run: Run | None, options: type[ConfigurationType], command: str, arguments: Sequence[str]
) -> ConfigurationType:
    try:
        what = {"evaluate": "Evaluates", "export": "Exports", "results": "Prints the evaluation of"}[command]
        description = f"{what} a finished run of the task {task.name}."
        return parse_options(options, arguments, f"{hints.program()} {command} {task.name}", description)
    except SystemExit as end:
        if end.code and run and _run_option(arguments) is None:
            print(
                f"These are the options of the latest run, {run.folder}, of the task {task.name}. To use another run, "
                f"add {hints.run()}.",
                file=sys.stderr,
            )
        raise


def _task_with(tasks: Sequence[Task], preset: str) -> Task:
    return next(task for task in tasks if preset in task.presets)


def main(command: Callable[[list[str]], None]) -> None:
    """Runs a command with the process's arguments; an error that a user can fix is a message, not a traceback.

    It exits with 2 for wrong usage or settings, with 1 for what else fails, and with 130 if the user stops it.
    """
    try:
        command(sys.argv[1:])
    except KeyboardInterrupt as stopped:
        print(" ".join(["\nStopped.", *stopped.args]), file=sys.stderr)
        raise SystemExit(130) from None
    except (Exception, SystemExit) as error:
        if _reader_has_left(error):
            raise SystemExit(141) from None  # as of programs that SIGPIPE ends: the command may be half done
        if isinstance(error, SystemExit):
            raise
        message = message_for_user(error)
        if message is None:
            raise
        print(f"Error: {message}", file=sys.stderr)
        raise SystemExit(2 if isinstance(error, ConfigurationError) else 1) from None


def _reader_has_left(error: BaseException) -> bool:
    """Whether an error tells that nobody reads standard output any more; what remains to be written is dropped."""
    if isinstance(error, SystemExit):
        return isinstance(error.__context__, BrokenPipeError)  # rich has dropped it
    if not isinstance(error, BrokenPipeError):
        return False
    output = select.poll()
    output.register(sys.stdout.fileno(), select.POLLOUT)
    has_left = any(event & select.POLLERR for _, event in output.poll(0))  # else another pipe is broken
    if has_left:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return has_left


def message_for_user(error: Exception) -> str | None:
    """Returns what to tell the user; None for an error in the program, which needs its traceback.

    For the user are: errors of our own classes; any error that our code raised with a message that ends as all
    of ours do, with `Received: …`; both also from within a TensorFlow graph; and what the operating system
    refuses, such as a full disk or a folder without permission.

    Example:
        >>> from pipelines.configuration import ConfigurationError
        >>> message_for_user(ConfigurationError("Give one. Received: none"))
        'Give one. Received: none'
        >>> message_for_user(ValueError("math domain error")) is None
        True
    """
    message = str(error)
    if type(error).__module__.partition(".")[0] in OURS:
        return message
    if isinstance(error, OSError):
        return (
            f"{message}. Expected a file or folder that can be read or written, and room on the disk. Make room, or "
            f"correct the path or its permissions, then type the command again. Received: {type(error).__name__}"
        )
    if found := _OUR_ERROR_IN_A_GRAPH.search(message):
        return found["message"].strip()
    raised_in = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    is_ours = bool(raised_in) and raised_in[-1].partition(".")[0] in OURS
    return message if is_ours and "Received: " in message else None

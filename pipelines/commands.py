"""What the commands of every task do alike: evaluate, export, answer, and the options that they share."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import pydantic
from pydantic import Field

from pipelines import hints, predictors
from pipelines.advice import run_advice
from pipelines.command_line import parse_options
from pipelines.configuration import Configuration, ConfigurationError, ConfigurationType
from pipelines.errors import reader_has_left
from pipelines.evaluation import Evaluation, markdown_table
from pipelines.predictors import RENAMED, latest_run, open_run, task_of
from pipelines.runs import Run, RunError
from pipelines.tasks import Task, all_tasks, tasks_named


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
    devices: tuple[Literal["lite", "onnx", "web"], ...] = Field(
        (), description="also write files for devices: LiteRT, ONNX, or weights for the web page of the server"
    )


class ResultsOptions(RunOptions):
    """Options of the table."""

    split: str = Field("test", description="split whose evaluation is printed")


class AnswerOptions(Configuration):
    """Options of a command that asks a model."""

    run: Path | None = Field(None, description="folder of a run or an export; default: the run that finished last")
    format: Literal["text", "json"] = Field(
        "text", description="text, or json: one object per line, for other programs"
    )


def evaluate(arguments: Sequence[str]) -> None:
    """Evaluates a run beside the baselines: `[TASK] [--run FOLDER] [--split test …]`."""
    task, run, options = _run_and_options("evaluate", arguments, lambda task: task.part("evaluate").EvaluationOptions)
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
    task, run, options = _run_and_options("export", arguments, lambda task: ExportOptions)
    from pipelines.devices import device_model, write_devices  # converters, which other commands do without
    from pipelines.exporting import staged

    device, written = device_model(task, run, options.devices) if options.devices else None, []
    export_run = task.part("export").export_run
    if device is None:
        folder: Path = export_run(run, options.folder)
    else:
        with staged(options.folder) as (staging, publish):  # a converter may still fail
            hidden = export_run(run, staging)
            written = write_devices(hidden, device, options.devices)
            folder = publish(hidden)
    print(f"Wrote {folder} (SavedModel, model_card.md, warm-up requests)")
    for path, size, share, score in written:
        scored = f"; {device.metric} {score:.4g}" if device and score is not None else ""
        print(f"Wrote {folder / path.parent.name / path.name}: {size:,} bytes, {share:.2f} of the weights{scored}")
    elsewhere = options.folder != ExportOptions().folder
    print(f"Next: {hints.serve(options.folder if elsewhere else None)}, where its name is {folder.parent.name}")
    print(f'In Python: unrolled.load("{folder}")')
    server = f"--model_name={folder.parent.name} --model_base_path={folder.parent.resolve()}"
    print(f"With TensorFlow Serving: tensorflow_model_server {server}")


def results(arguments: Sequence[str]) -> None:
    """Prints the evaluation of a run as a Markdown table, for a page: `[TASK] [--run FOLDER] [--split test]`."""
    task, run, options = _run_and_options("results", arguments, lambda task: ResultsOptions)
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
    is_several, asked_for_help = len(tasks) > 1, asks_for_help(arguments)
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
    if option_of(arguments, "--workers") is not None:
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
        if not reader_has_left(error):
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


def task_first(command: str, arguments: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Splits off the name of a task, or ends with the help."""
    if arguments and not arguments[0].startswith("-"):
        return arguments[0], arguments[1:]
    names = ", ".join(task.name for task in all_tasks())
    if asks_for_help(arguments):
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
    name, rest = task_first(command, arguments)
    if asks_for_help(rest):
        return tasks_named(name)[0], None, rest
    run = open_run(name, folder)
    return task_of(run), run, rest


def asks_for_help(arguments: Sequence[str]) -> bool:
    """Whether an option asks for the help; behind `--` there are no options."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "-h" in options or "--help" in options


def _run_option(arguments: Sequence[str]) -> Path | None:
    folder = option_of(arguments, "--run")
    return None if folder is None else Path(folder)


def option_of(arguments: Sequence[str], name: str) -> str | None:
    """Returns the value of one option, before all are read."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument(name, dest="value", default=None)
    try:
        value: str | None = parser.parse_known_args(list(arguments))[0].value
    except argparse.ArgumentError:  # without a value: the full parser explains it
        return None
    return value


def _run_and_options(
    command: str, arguments: Sequence[str], kind: Callable[[Task], type[ConfigurationType]]
) -> tuple[Task, Run, ConfigurationType]:
    """Returns the task and the run that a command works on, and its options, of the kind that the task has."""
    task, run, rest = _task_and_run(command, arguments)
    what = {"evaluate": "Evaluates", "export": "Exports", "results": "Prints the evaluation of"}[command]
    description = f"{what} a finished run of the task {task.name}."
    try:
        options = parse_options(kind(task), rest, f"{hints.program()} {command} {task.name}", description)
    except SystemExit as end:
        if end.code and run and _run_option(arguments) is None:
            print(
                f"These are the options of the latest run, {run.folder}, of the task {task.name}. To use another run, "
                f"add {hints.run()}.",
                file=sys.stderr,
            )
        raise
    assert run is not None  # --help has ended the process
    return task, run, options

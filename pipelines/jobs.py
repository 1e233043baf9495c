"""Work on very many inputs: in processes on this machine, to be gone on with after a kill, in bounded memory.

The inputs are divided into parts, each answered by one process and written whole into a file in `OUTPUT.parts/`. At
the end the parts become one file of JSON lines, in the order of the inputs. So a killed job, started again, does what
is missing, nothing twice. An input at which a process dies has an error, as one that raises has.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import tyro
from pydantic import Field

from data.files import plain_suffix
from pipelines import commands, hints, predictors
from pipelines.answering import Answers, answer_parts, cannot_write_answers
from pipelines.command_line import parse_options
from pipelines.configuration import Configuration, ConfigurationError
from pipelines.hints import counted
from pipelines.inputs import PARQUET, TEXT, Input, files_of, texts_of, write_parquet
from pipelines.json_lines import LINES
from pipelines.predictors import latest_run
from pipelines.run_files import RunError, plain, release_lock, take_lock, write_text_atomically
from pipelines.tasks import Task

TEXTS, FILES = "texts", "files"


class JobOptions(Configuration):
    """Options of a command that works on many inputs."""

    inputs: tyro.conf.Positional[tuple[Path, ...]] = Field((), description="files, or folders of files")
    file: Path | None = Field(None, description="texts, one per line, JSON lines (both also compressed), or Parquet")
    column: tuple[str, ...] = Field(
        (), description="columns of the texts in JSON lines and Parquet; by default those of the training"
    )
    output: Path = Field(description="file for the answers: JSON lines, or Parquet if it ends in .parquet")
    workers: int = Field(1, ge=1, description="number of processes")
    part: int = Field(32, ge=1, description="number of inputs that a process answers at once")
    run: Path | None = Field(None, description="folder of a run or an export; by default the run that finished last")
    share: str = Field(
        "1/1",
        pattern=r"^[1-9]\d*/[1-9]\d*$",
        description="share of the work that this command does, such as 1/4; others with the same output do the rest",
    )


class Done(NamedTuple):
    """What was answered, how many of it are errors, and the first of these."""

    inputs: int
    errors: int
    first: str


def answer(task: Task, verb: str, arguments: Sequence[str]) -> None:
    """Runs the command of a task on many inputs.

    Raises:
        ConfigurationError: the task has no such job, or the inputs are none.
        RunError: none of the inputs could be answered; the output tells why.
    """
    part = task.part("predictor")
    kind = TEXTS if part.EXAMPLE[1] == "TEXT" else FILES
    about = f"Answers many {kind}, in several processes."
    options = parse_options(JobOptions, arguments, f"{hints.program()} {verb}", about)
    if not hasattr(part.Predictor, "answers"):
        raise ConfigurationError(
            f"The answers of {task.name} are not JSON lines, which --workers needs. Leave out --workers. "
            f"Received: --workers {options.workers}"
        )
    run = options.run or latest_run(task.name).folder
    paths = _checked_paths(options, task.name, kind)
    columns: Sequence[str] = (TEXT,)
    own = options.output, _parts_of(options.output)  # which may lie in a folder of inputs
    if kind == FILES:
        files = list(files_of(paths, own))
        inputs, named = iter(files), [Path(each.fields["file"]) for each in files]
    else:
        columns = options.column or _columns_of(task, Path(run))
        inputs, named = texts_of(paths[0], columns), list(paths)
    identity = {"inputs": [_identity(path) for path in named], "model": str(Path(run).resolve()), "part": options.part}
    identity |= {"column": list(columns)} if tuple(columns) != (TEXT,) else {}
    number, shares = map(int, options.share.split("/"))
    if number > shares:
        raise ConfigurationError(
            f"share: there are {shares}. Expected 1/{shares} to {shares}/{shares}. Received: {options.share}"
        )
    load = partial(_loaded, str(run), task.name)
    done = run_job(load, inputs, identity, options.output, options.workers, options.part, (number, shares))
    if done is None:
        commands.report_done(f"Answered share {options.share}; the last share to end writes {options.output}")
    else:
        _report(done, options.output, counted(done.inputs, kind.removesuffix("s")))


def _checked_paths(options: JobOptions, task: str, kind: str) -> Sequence[Path]:
    """Returns the inputs of a job; refuses options that do not fit them, or each other."""
    paths, others = options.inputs, (options.file,) if options.file else ()
    if kind == TEXTS:
        paths, others = others, paths
    if not paths or others:
        wanted = "files or a folder of them" if kind == FILES else "a file of texts, --file texts.jsonl"
        received = ", ".join(map(str, others)) or "nothing"
        raise ConfigurationError(f"A job of {task} needs {kind}. Expected {wanted}. Name it. Received: {received}")
    if options.output.suffix not in (*LINES, PARQUET):
        raise ConfigurationError(
            f"--output: the answers of a job are JSON lines or Parquet. Expected a name that ends in "
            f"{', '.join((*LINES, PARQUET))}. Rename it. Received: {options.output}"
        )
    for path in paths:
        if not path.exists() or (kind == TEXTS and path.is_dir()):
            raise ConfigurationError(f"There is no such file. Expected {kind}. Correct the path. Received: {path}")
    if options.column and (kind == FILES or plain_suffix(paths[0]) not in (*LINES, PARQUET)):
        raise ConfigurationError(
            "--column names columns of texts. Expected JSON lines or Parquet of texts. Leave it out, or convert the "
            f"file. Received: --column {' '.join(options.column)}, and {paths[0]}"
        )
    return paths


def _report(done: Done, output: Path, count: str) -> None:
    """Reports what a finished job has answered; `count` is the number of its inputs in words."""
    if done.errors == done.inputs:
        commands.report_done(f"Wrote {output}")
        raise RunError(
            f"None of {count} could be answered; `error` in {output} has the reasons. Expected one answer or more. "
            f"Fix the cause, remove the output, and repeat the command. Received: {done.first}"
        )
    commands.report_done(f"Answered {done.inputs - done.errors} of {count}")
    if done.errors:
        commands.report_done(f"The first that could not be answered, see `error` in the file: {done.first}")
    commands.report_done(f"Wrote {output}")


def run_job(
    load: Callable[[], Answers],
    inputs: Iterator[Input],
    identity: Mapping[str, Any],
    output: Path,
    workers: int,
    part: int,
    share: tuple[int, int] = (1, 1),
) -> Done | None:
    """Answers inputs in several processes, and writes the answers as JSON lines or Parquet in the order of the inputs.

    Args:
        load: called once in each process; returns what answers a sequence of texts or paths.
        inputs: are read as they are needed.
        identity: what the job is about; another one may not go on with it.
        output: must not be there.
        workers: number of processes.
        part: inputs that are answered at once.
        share: as of `answer_parts`, where several processes, on one machine or several, do the same job.

    Returns:
        What was answered; None where other shares are still missing, of which the last joins them all.

    Raises:
        ConfigurationError: the output exists, or its parts belong to another job.
        RunError: the processes cannot start, the disk is full, or the job runs already; the same call continues it.
    """
    parts = _parts_of(output)
    locked = parts if share[1] == 1 else parts / f"share_{share[0]}"
    done = _begin(parts, locked, output, {**identity, "shares": share[1]})
    if done is None:
        _report_kept(parts, share)
        total = answer_parts(load, inputs, parts, workers, part, share)
        if not total:
            _remove(parts, locked)
            raise ConfigurationError(
                f"There is nothing to answer. Expected one input or more. Received: {output}, empty"
            )
        files = sorted(parts.glob("*.jsonl"))
        if len(files) < total or not _takes_lock(parts):
            return None
        done = _join(files, parts, output)
    _remove(parts, locked)
    return done


def _parts_of(output: Path) -> Path:
    return output.with_name(output.name + ".parts")


def _report_kept(parts: Path, share: tuple[int, int]) -> None:
    """Reports what a share that was stopped before has answered."""
    kept = [path for path in sorted(parts.glob("*.jsonl")) if int(path.stem) % share[1] == share[0] - 1]
    if kept:
        inputs = 0
        for path in kept:
            with path.open("rb") as lines:
                inputs += sum(1 for _ in lines)
        are = "is" if len(kept) == 1 else "are"
        commands.report_done(
            f"The job goes on: {counted(len(kept), 'part')}, of {counted(inputs, 'input')}, {are} kept"
        )


def _remove(parts: Path, *locked: Path) -> None:
    for folder in {parts, *locked}:
        release_lock(folder)
    shutil.rmtree(parts)


def _takes_lock(parts: Path) -> bool:
    """Whether this process may join the parts; another one may be at it, or may have removed them."""
    try:
        return take_lock(parts)
    except FileNotFoundError:
        return False


def _begin(parts: Path, locked: Path, output: Path, identity: Mapping[str, Any]) -> Done | None:
    """Makes the folder of the parts, or finds that of the same job; returns what was done if they have been joined."""
    known, joined = parts / "job.json", parts / "joined.json"
    text = json.dumps(plain(identity), sort_keys=True)
    is_same = known.exists() and known.read_text(encoding="utf-8") == text
    done = None
    if is_same and output.exists() and joined.exists():
        found, counts = json.loads(joined.read_text(encoding="utf-8"))
        done = Done(*counts) if found == _identity(output) else None
    if output.exists() and not done:
        raise ConfigurationError(
            f"The output exists already. Expected a new file. Move it, or name another. Received: {output}"
        )
    if known.exists() and not is_same:
        raise ConfigurationError(
            f"The parts of {output.name} belong to another job: other inputs, another model or another --part. "
            f"Expected the same. Delete {parts}, or name another --output. Received: {text:.200}"
        )
    try:
        locked.mkdir(parents=True, exist_ok=True)
        is_alone = take_lock(locked)
    except OSError as error:
        raise cannot_write_answers(parts, error) from error
    if not is_alone:
        raise RunError(
            "Another process is doing this job. Expected one process per share. Wait until it ends, or stop it. "
            f"Received: {output}"
        )
    write_text_atomically(known, text)
    return done


def _join(files: Sequence[Path], parts: Path, output: Path) -> Done:
    """Writes the output, which appears whole or not at all, and returns what was done."""
    joined, done = parts / "joined", Done(0, 0, "")
    for path in files:
        for line in path.read_bytes().splitlines():
            name, value = list(json.loads(line).items())[-1]  # of the answer, which stands behind the input's own
            error_of = value if name == "error" else ""
            done = Done(done.inputs + 1, done.errors + bool(error_of), done.first or error_of)
    try:
        if output.suffix == PARQUET:
            write_parquet(files, joined)
        else:
            _concatenate(files, joined)
        with joined.open("rb+") as whole:
            os.fsync(whole.fileno())
        _, state = _identity(joined)  # which the move keeps
        write_text_atomically(parts / "joined.json", json.dumps([[str(output.resolve()), state], done]))
        joined.replace(output)
    except OSError as error:
        raise cannot_write_answers(output, error) from error
    finally:
        joined.unlink(missing_ok=True)
    return done


def _concatenate(files: Sequence[Path], target: Path) -> None:
    with target.open("wb") as whole:
        for path in files:
            with path.open("rb") as part:
                shutil.copyfileobj(part, whole)


def _loaded(run: str, task: str) -> Answers:
    answers: Answers = predictors.find(Path(run), task).predictor().answers
    return answers


def _columns_of(task: Task, run: Path) -> Sequence[str]:
    """Returns the columns of the texts that a run was trained on, where its task knows such."""
    of_run = getattr(task.part("predictor").Predictor, "columns_of", None)
    return of_run(predictors.find(run, task.name).run) if of_run else (TEXT,)


def _identity(path: Path) -> list[Any]:
    """Returns what tells whether an input is the same as before: its place, size and time."""
    state = path.stat() if path.exists() else None
    return [str(path.resolve()), state and [state.st_size, state.st_mtime_ns]]

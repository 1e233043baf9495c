"""Work on very many inputs: in processes on this machine, to be gone on with after a kill, in bounded memory.

The inputs are divided into parts, each answered by one process and written whole into a file in `OUTPUT.parts/`. At
the end the parts become one file of JSON lines, in the order of the inputs. So a killed job, started again, does what
is missing, nothing twice.
"""

import itertools
import json
import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Any, NamedTuple

import tyro
from pydantic import Field

from data.files import open_unpacked, plain_suffix
from pipelines import commands, errors, hints, predictors
from pipelines.configuration import Configuration, ConfigurationError, parse_options
from pipelines.json_lines import json_object
from pipelines.run_files import RunError, plain, replace_atomically, write_text_atomically
from pipelines.tasks import Task, latest_run

TEXTS, FILES = "texts", "files"
AHEAD = 2  # parts that wait for each process, so that none is idle and few inputs are in memory

Answers = Callable[[Sequence[str]], Sequence[Mapping[str, Any]]]


class JobOptions(Configuration):
    """Options of a command that works on many inputs."""

    inputs: tyro.conf.Positional[tuple[Path, ...]] = Field((), description="files, or folders of files")
    file: Path | None = Field(None, description="texts, one a line, or JSON lines with a text; also packed")
    output: Path = Field(description="file of JSON lines for the answers")
    workers: int = Field(1, ge=1, description="processes")
    part: int = Field(32, ge=1, description="inputs that a process answers at once")
    run: Path | None = Field(None, description="folder of a run or an export; by default the run that finished last")


class Input(NamedTuple):
    """One input: its fields in the answer, and what the model is asked; None, if an `error` says why it cannot be."""

    fields: dict[str, Any]
    asked: str | None
    error: str = ""


class Done(NamedTuple):
    """What was answered, how many of it are errors, and the first of these."""

    inputs: int
    errors: int
    first: str


def answer(task: Task, verb: str, arguments: Sequence[str]) -> None:
    """Runs the command of a task on many inputs.

    Raises:
        ConfigurationError: the task has no such job, or the inputs are none.
    """
    part = task.part("predictor")
    kind = TEXTS if part.EXAMPLE[1] == "TEXT" else FILES
    about = f"Answers many {kind}, in several processes."
    options = parse_options(JobOptions, arguments, f"{hints.program()} {verb}", about)
    if not hasattr(part.Predictor, "answers"):
        raise ConfigurationError(
            f"The answers of {task.name} are no JSON lines, so that there is no job of many. Leave out --workers. "
            f"Received: --workers {options.workers}"
        )
    run = options.run or latest_run(task.name).folder
    paths, others = options.inputs, (options.file,) if options.file else ()
    if kind == TEXTS:
        paths, others = others, paths
    if not paths or others:
        wanted = "files or a folder of them" if kind == FILES else "a file of texts, --file texts.jsonl"
        received = ", ".join(map(str, others)) or "nothing"
        raise ConfigurationError(f"A job of {task.name} needs {kind}. Expected {wanted}. Name it. Received: {received}")
    for path in paths:
        if not path.exists() or (kind == TEXTS and path.is_dir()):
            raise ConfigurationError(f"There is no such file. Expected {kind}. Correct the path. Received: {path}")
    inputs = files_of(paths) if kind == FILES else texts_of(paths[0])
    identity = {"inputs": [_identity(path) for path in paths], "model": str(Path(run).resolve()), "part": options.part}
    load = partial(_loaded, str(run), task.name)
    done = run_job(load, inputs, identity, options.output, options.workers, options.part)
    commands.report_done(f"Answered {done.inputs} {kind}, of which {done.errors} could not be answered")
    if done.errors:
        commands.report_done(f"The first of these, see `error` in the file: {done.first}")
    commands.report_done(f"Wrote {options.output}")


def run_job(
    load: Callable[[], Answers],
    inputs: Iterator[Input],
    identity: Mapping[str, Any],
    output: Path,
    workers: int,
    part: int,
) -> Done:
    """Answers inputs in several processes, and writes the answers as JSON lines in the order of the inputs.

    Args:
        load: called once in each process; returns what answers a sequence of texts or paths.
        inputs: are read as they are needed.
        identity: what the job is about; another one may not go on with it.
        output: must not be there.
        workers: number of processes.
        part: inputs that are answered at once.

    Raises:
        ConfigurationError: the output is there, or what is there of it belongs to another job.
        RunError: a process was killed, or the disk is full; the same call goes on.
    """
    parts = output.with_name(output.name + ".parts")
    _begin(parts, output, identity)
    done = Done(0, 0, "")
    waiting: set[Future[None]] = set()
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(workers, context, _start, (load,)) as pool:
            numbers = itertools.count()
            while rows := list(itertools.islice(inputs, part)):
                path = parts / f"{next(numbers):09d}.jsonl"
                if not path.exists():
                    waiting.add(pool.submit(_answer_part, path, rows))
                if len(waiting) >= workers * AHEAD:
                    waiting = _results(waiting)
            while waiting:
                waiting = _results(waiting)
    except BrokenProcessPool as error:
        raise RunError(
            "A process of the job ended before its time. Expected all to live; the system may have had no memory left. "
            f"Type the same command again, perhaps with fewer --workers: what is done stays. Received: {error}"
        ) from error
    files = sorted(parts.glob("*.jsonl"))
    if not files:
        shutil.rmtree(parts)
        raise ConfigurationError(f"There is nothing to answer. Expected one input or more. Received: {output}, empty")
    replace_atomically(output, partial(_join, files))
    with output.open(encoding="utf-8") as lines:
        for line in lines:
            error_of = json.loads(line).get("error", "")
            done = Done(done.inputs + 1, done.errors + bool(error_of), done.first or error_of)
    shutil.rmtree(parts)
    return done


def files_of(paths: Sequence[Path]) -> Iterator[Input]:
    """Yields files, those of folders in alphabetical order, without hidden ones."""
    for path in paths:
        for each in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if each.is_file() and not any(part.startswith(".") for part in each.relative_to(path).parts):
                yield Input({"file": str(each)}, str(each))


def texts_of(path: Path) -> Iterator[Input]:
    """Yields the lines of a file of texts, or of JSON objects with a `text`, whose other names the answer keeps."""
    with open_unpacked(path) as lines:
        for number, line in enumerate(lines, start=1):
            fields: dict[str, Any] = {"line": number}
            try:
                text: Any = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                if plain_suffix(path) in (".jsonl", ".ndjson"):
                    fields |= json_object(text, f"{path}, line {number}", ValueError)
                    text = fields.get("text")
                else:
                    fields["text"] = text
                wrong = "" if isinstance(text, str) and text.strip() else "there is no text"
            except ValueError as error:
                wrong = str(error)
            yield Input(fields, None, wrong) if wrong else Input(fields, text)


def _begin(parts: Path, output: Path, identity: Mapping[str, Any]) -> None:
    """Makes the folder of the parts, or finds that of the same job."""
    if output.exists():
        raise ConfigurationError(
            "The file is there, and is not overwritten. Expected a new one. Move it, or name another. "
            f"Received: {output}"
        )
    known = parts / "job.json"
    text = json.dumps(plain(identity), sort_keys=True)
    if known.exists() and known.read_text(encoding="utf-8") != text:
        raise ConfigurationError(
            f"What is there of {output.name} belongs to another job: other inputs, another model or another --part. "
            f"Expected the same. Delete {parts}, or name another --output. Received: {text}"
        )
    parts.mkdir(parents=True, exist_ok=True)
    write_text_atomically(known, text)


def _results(waiting: set[Future[None]]) -> set[Future[None]]:
    """Waits for a part, and returns those that are still waited for."""
    finished, others = wait(waiting, return_when=FIRST_COMPLETED)
    for each in finished:
        each.result()
    return others


def _join(files: Sequence[Path], target: Path) -> None:
    with target.open("wb") as whole:
        for path in files:
            with path.open("rb") as part:
                shutil.copyfileobj(part, whole)
        whole.flush()
        os.fsync(whole.fileno())


_answers: Answers
_refusal: Exception | None = None  # of the model, for the process that asks


def _start(load: Callable[[], Answers]) -> None:
    """Begins a process: it has the model, and ends when the one that started it does."""
    global _answers, _refusal
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait_for([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    try:
        _answers = load()
    except Exception as error:
        _refusal = error


def _loaded(run: str, task: str) -> Answers:
    answers: Answers = predictors.find(Path(run), task).predictor().answers
    return answers


def _answer_part(path: Path, rows: Sequence[Input]) -> None:
    """Answers one part, and writes it whole or not at all."""
    if _refusal is not None:
        raise _refusal
    asked = [row.asked for row in rows if row.asked is not None]
    answers = iter(_answered(asked))
    found = [{"error": row.error} if row.asked is None else next(answers) for row in rows]
    lines = [{**row.fields, **each} for row, each in zip(rows, found, strict=True)]
    write_text_atomically(path, "".join(f"{json.dumps(plain(line), ensure_ascii=False)}\n" for line in lines))


def _answered(asked: Sequence[str]) -> list[Mapping[str, Any]]:
    """Returns the answers; where one input cannot be answered, an `error` instead, and the others all the same."""
    try:
        return list(_answers(asked)) if asked else []
    except Exception as error:
        if len(asked) == 1:
            return [{"error": errors.message_for_user(error) or f"{type(error).__name__}: {error}"}]
        return [each for one in asked for each in _answered([one])]


def _identity(path: Path) -> list[Any]:
    """Returns what tells whether inputs are the same as before: of a folder its files with their sizes."""
    files = [each for each in sorted(path.rglob("*")) if each.is_file()] if path.is_dir() else [path]
    known = [(each, each.stat() if each.exists() else None) for each in files]
    return [[str(each.resolve()), state and [state.st_size, state.st_mtime_ns]] for each, state in known]

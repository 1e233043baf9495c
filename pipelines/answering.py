"""Processes that answer many inputs, part by part, of which each is written whole into a file.

Where a process dies, what was under way is answered input by input, so that one bad input costs no other its answer.
"""

import itertools
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Any

from pipelines import errors
from pipelines.inputs import Input
from pipelines.run_files import RunError, plain, write_text_atomically
from unrolled_installation import collect_garbage_seldom

AHEAD = 2  # parts that wait for each process, so that none is idle and few inputs are in memory
SECONDS_BETWEEN_LINES = 30.0

Answers = Callable[[Sequence[str]], Sequence[Mapping[str, Any]]]
Rows = Sequence[Input]


def answer_parts(
    load: Callable[[], Answers],
    inputs: Iterator[Input],
    parts: Path,
    workers: int,
    part: int,
    share: tuple[int, int] = (1, 1),
) -> int:
    """Answers the parts of some inputs that have no file yet, and returns how many parts there are.

    Args:
        load: called once in each process; returns what answers a sequence of texts or paths.
        inputs: are read as they are needed.
        parts: folder of the files.
        workers: number of processes.
        part: inputs that are answered at once.
        share: which parts: (1, 4) are the first of four, the fifth and so on.

    Raises:
        RunError: a process dies before it has its model, or a file cannot be written.
    """
    groups = iter(lambda: list(itertools.islice(inputs, part)), [])
    total = 0

    def unanswered() -> Iterator[tuple[Path, Rows]]:
        nonlocal total
        for number, rows in enumerate(groups):
            total = number + 1
            path = parts / f"{number:09d}.jsonl"
            if number % share[1] == share[0] - 1 and not path.exists():
                yield path, rows

    missing = unanswered()
    progress = _Progress()
    while True:
        under_way: dict[Future[None], tuple[Path, Rows]] = {}
        try:
            with _pool(load, workers) as pool:
                for path, rows in missing:
                    under_way[_submitted(pool, _answer_part, path, rows)] = path, rows
                    if len(under_way) >= workers * AHEAD:
                        progress.show(_finish_some(under_way))
                while under_way:
                    progress.show(_finish_some(under_way))
            return total
        except BrokenProcessPool:
            for path, rows in under_way.values():
                if not path.exists():
                    _answer_apart(load, path, rows)
                progress.show(len(rows))


class _Progress:
    """Reports now and then how many inputs have been answered."""

    def __init__(self) -> None:
        self.answered, self.shown_at = 0, time.monotonic()

    def show(self, more: int) -> None:
        self.answered += more
        if time.monotonic() - self.shown_at >= SECONDS_BETWEEN_LINES:
            self.shown_at = time.monotonic()
            print(f"Answered {self.answered} so far", file=sys.stderr)


@contextmanager
def _pool(load: Callable[[], Answers], workers: int) -> Iterator[ProcessPoolExecutor]:
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start, (load,))
    try:
        yield pool
    finally:  # what is under way is still written
        pool.shutdown(cancel_futures=True)


def _submitted(pool: ProcessPoolExecutor, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
    """Submits work; to a pool that is broken, work that fails as what was submitted before it fails."""
    try:
        return pool.submit(work, *arguments)
    except BrokenProcessPool as error:
        failed: Future[Any] = Future()
        failed.set_exception(error)
        return failed


def _finish_some(under_way: dict[Future[None], tuple[Path, Rows]]) -> int:
    """Waits for a part, takes those that are done out, and returns how many inputs they have."""
    finished, _ = wait(under_way, return_when=FIRST_COMPLETED)
    for each in finished:
        each.result()
    return sum(len(under_way.pop(each)[1]) for each in finished)


def _answer_apart(load: Callable[[], Answers], path: Path, rows: Rows) -> None:
    """Answers a part in a process of its own; an input at which it dies twice has an error."""
    lines: list[dict[str, Any]] = []
    tries = 0
    while len(lines) < len(rows):
        with _pool(load, 1) as pool:
            try:
                pool.submit(_lines_of, []).result()  # the model can be loaded
            except BrokenProcessPool as error:
                raise RunError(
                    "A process of the job ended before it had loaded its model, perhaps for lack of memory. Expected "
                    "all to run. Repeat the command, perhaps with fewer --workers; finished answers are kept. "
                    f"Received: {error}"
                ) from error
            try:
                while len(lines) < len(rows):
                    lines += pool.submit(_lines_of, rows[len(lines) : len(lines) + 1]).result()
                    tries = 0
            except BrokenProcessPool:
                tries += 1
                if tries == 2:
                    lines.append(_line(rows[len(lines)], {"error": "the process that was to answer it ended, twice"}))
                    tries = 0
    _write_part(path, lines)


_answers: Answers
_refusal: Exception | None = None  # of the model, for the process that asks


def _start(load: Callable[[], Answers]) -> None:
    """Begins a process: it has the model, and ends when the one that started it does."""
    global _answers, _refusal
    collect_garbage_seldom()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started it ends the job in order
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


def _answer_part(path: Path, rows: Rows) -> None:
    """Answers one part, and writes it whole or not at all."""
    _write_part(path, _lines_of(rows))


def _lines_of(rows: Rows) -> list[dict[str, Any]]:
    if _refusal is not None:
        raise _refusal
    asked = [row.asked for row in rows if row.asked is not None]
    answers = iter(_answered(asked))
    found = [{"error": row.error} if row.asked is None else next(answers) for row in rows]
    return [_line(row, each) for row, each in zip(rows, found, strict=True)]


def _line(row: Input, found: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the input's own values, then what was found, so that an `error` of each can be told apart."""
    return {name: value for name, value in row.fields.items() if name not in found} | dict(found)


def cannot_write_answers(path: Path, error: Exception) -> RunError:
    """Returns what to raise when the answers cannot be written."""
    return RunError(
        "The answers could not be written; what was complete before is kept. Expected free space and permission. Make "
        "room (see `df`) and type the same command again, or name another --output. "
        f"Received: {str(path)!r} ({error})"
    )


def _write_part(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    text = "".join(f"{json.dumps(plain(line), ensure_ascii=False, default=str)}\n" for line in lines)
    try:
        write_text_atomically(path, text)
    except RunError as error:
        raise cannot_write_answers(path, error.__cause__ if isinstance(error.__cause__, Exception) else error) from None


def _answered(asked: Sequence[str]) -> list[Mapping[str, Any]]:
    """Returns the answers; where one input cannot be answered, an `error` instead, and the others all the same."""
    try:
        return list(_answers(asked)) if asked else []
    except Exception as error:
        if len(asked) == 1:
            return [{"error": errors.message_for_user(error) or f"{type(error).__name__}: {error}"}]
        return [each for one in asked for each in _answered([one])]

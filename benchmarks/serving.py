"""A server under load, compared with its models without a server: `python -m benchmarks.serving exports`.

The server and its clients are processes on one machine and share its cores. What is compared is asked in turn.
"""

import csv
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import psutil
import tyro
from rich.console import Console
from rich.table import Table

USERS = Path(__file__).with_name("serving_users.py")
ROWS = 32
LONGEST_WITHOUT_ANSWERS = 60  # seconds
PAUSE = 0.1  # seconds before each request that is compared with the first after a start, which has such a pause, too


@dataclass(frozen=True)
class Options:
    """Loads a server of some exports, among them one of sentiment and one of speech that streams."""

    folder: Annotated[Path, tyro.conf.Positional]
    """Folder of all exports."""
    spoken: Path
    """A WAV file, 16 bits, at the rate of the recogniser."""
    seconds: int = 20
    """Duration of each measurement; comparisons take twice as long."""
    mixed_seconds: int = 600
    """Duration of the load on all models."""
    clients: int = 32
    """Number of clients that request one text after the other."""
    streams: int = 16
    """Number of streams in real time."""
    starts: int = 5
    """Number of starts after which the first request is timed."""


class Load(NamedTuple):
    """What Locust has counted: requests, those a second, failures, and the milliseconds of half, and 95 %, of them."""

    name: str
    number: int
    rate: float
    failures: int
    median: float
    p95: float


class Running(NamedTuple):
    """A server: where it listens, its process, and a connection to it."""

    port: int
    process: psutil.Process
    connection: http.client.HTTPConnection

    @property
    def seconds(self) -> float:
        """Of the processor."""
        times = self.process.cpu_times()
        return times.user + times.system

    @property
    def mebibytes(self) -> float:
        """Of memory."""
        return self.process.memory_info().rss / 2**20

    def ask(self, model: str, body: Any) -> Any:
        """Returns the answer to a request."""
        self.connection.request("POST", f"/v1/models/{model}:predict", json.dumps(body))
        answer = self.connection.getresponse()
        content = json.loads(answer.read())
        if answer.status != 200:
            raise RuntimeError(content)
        return content

    def ask_alone(self, model: str, body: Any) -> Any:
        """Returns the answer to a request on a connection of its own."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            return self._replace(connection=connection).ask(model, body)


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[Running]:
    """Starts a server in a process, and waits until it is ready."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "pipelines", "serve", "--folder", str(folder), "--port", str(port), *arguments]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        while not _is_ready(port):
            if process.poll() is not None:
                raise RuntimeError(f"The server has ended: {' '.join(command)}")
            time.sleep(0.1)
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            yield Running(port, psutil.Process(process.pid), connection)
    finally:
        process.terminate()
        process.wait()


def _is_ready(port: int) -> bool:
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
    except OSError:
        return False


def load(server: Running, users: str, number: int, seconds: float, **environment: str) -> list[Load]:
    """Returns what Locust counts for so many users, by what they asked."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "locust", "-f", str(USERS), "--headless", "--only-summary", "--csv", "found"]
        command += [
            "-u",
            str(number),
            "-r",
            str(number),
            "-t",
            f"{seconds:g}s",
            "-H",
            f"http://127.0.0.1:{server.port}",
            users,
        ]
        subprocess.run(command, cwd=folder, env=os.environ | environment, capture_output=True, timeout=seconds + 120)
        with open(Path(folder) / "found_stats.csv", encoding="utf-8") as file:
            counted = [_counted(row) for row in csv.DictReader(file) if row["Name"] != "Aggregated"]
    if not counted and seconds < LONGEST_WITHOUT_ANSWERS:  # as on a busy machine
        return load(server, users, number, 2 * seconds, **environment)
    return counted


def _counted(row: dict[str, str]) -> Load:
    numbers = [row[name] for name in ("Requests/s", "Failure Count", "Median Response Time", "95%")]
    rate, failures, median, p95 = (float(each) if each not in ("", "N/A") else float("nan") for each in numbers)
    return Load(row["Name"], int(row["Request Count"]), rate, int(failures), median, p95)


def batching(options: Options, batched: Running, name: str) -> Iterator[tuple[str, str]]:
    """Yields requests a second of many clients, batched and one by one, in turn."""
    found: dict[str, list[Load]] = {"32": [], "1": []}
    with serving(options.folder, "--batch", "1") as alone:
        for _ in range(2):
            for batch, server in (("32", batched), ("1", alone)):
                found[batch] += load(server, "Classifies", options.clients, options.seconds, SENTIMENT=name)
    together, single = ([each.rate for each in found[batch]] for batch in found)
    yield f"sentiment, {options.clients} clients, batched: requests a second", _range(together)
    yield "… one by one", _range(single)
    yield "… how many times more", f"{statistics.mean(together) / statistics.mean(single):.2f}"
    yield "… milliseconds until 95 % are answered", _range([each.p95 for each in found["32"]])
    yield "… failures", str(sum(each.failures for loads in found.values() for each in loads))


def cost(options: Options, server: Running, name: str) -> Iterator[tuple[str, str]]:
    """Yields what the server adds to its model at the same batch size, and the first request beside a later one."""
    from pipelines.predictors import opened
    from pipelines.served import Served

    texts = [f"w{number} superb dull w{number % 7} w3" for number in range(ROWS)]
    _, export = opened(options.folder / name)
    assert export is not None
    model = Served.exported(export)
    times: dict[str, list[float]] = {"loop": [], "server": []}

    first = [_seconds(lambda: server.ask(name, {"instances": texts[:1]})) for _ in range(110)]
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        times["loop"].append(_seconds(lambda: model("serving_default", text=texts)))
        times["server"].append(_seconds(lambda: server.ask(name, {"instances": texts})))
    loop, served = (statistics.median(each) for each in times.values())
    yield (
        f"{ROWS} texts: milliseconds in a loop over the SavedModel, and of the server",
        f"{1e3 * loop:.1f}, {1e3 * served:.1f}",
    )
    yield "… how many times longer", f"{served / loop:.2f}"
    hundredth = statistics.median(first[90:])
    yield (
        "first request after the start, and the hundredth in a row, without pauses: milliseconds",
        f"{1e3 * first[0]:.1f}, {1e3 * hundredth:.1f}",
    )


def starts(options: Options, name: str) -> Iterator[tuple[str, str]]:
    """Yields the first request after a start and the hundredth, after equal pauses and on connections of their own."""
    text = {"instances": ["w1 superb dull w1 w3"]}
    first, hundredth = [], []
    for _ in range(options.starts):
        with serving(options.folder) as server:
            times = []
            for _ in range(100):
                time.sleep(PAUSE)
                times.append(1e3 * _seconds(lambda: server.ask_alone(name, text)))
            first.append(times[0])
            hundredth.append(times[-1])
    yield (
        f"first request after {options.starts} starts, and the hundredth, {PAUSE:g} s apart: milliseconds, medians",
        ", ".join(f"{statistics.median(each):.1f} ({min(each):.1f}–{max(each):.1f})" for each in (first, hundredth)),
    )
    yield "… how many times longer", f"{statistics.median(first) / statistics.median(hundredth):.2f}"


def speech(options: Options, server: Running, name: str) -> Iterator[tuple[str, str]]:
    """Yields how fast live streams are answered, and what they cost."""
    before = server.seconds
    chunks = load(server, "Speaks", options.streams, options.seconds, SPEECH=name, SPOKEN=str(options.spoken.resolve()))
    work = server.seconds - before
    by_name = {each.name: each for each in chunks}
    chunk, word = by_name["speech, a chunk"], by_name.get("speech, first word after it was spoken")
    yield (
        f"speech, {options.streams} live streams: milliseconds until half, and 95 %, of the chunks are answered",
        (f"{chunk.median:.0f}, {chunk.p95:.0f}"),
    )
    if word:
        yield "… until the first word stands there after it was spoken", f"{word.median:.0f}, {word.p95:.0f}"
    heard = chunk.number * 0.04
    yield "… seconds of work a second of audio; failures", f"{work / heard:.3f}; {chunk.failures}"


def mixed(options: Options, server: Running) -> Iterator[tuple[str, str]]:
    """Yields failures and memory under load on every signature of every model."""
    with tempfile.TemporaryDirectory() as folder:
        requests = Path(folder) / "requests.json"
        requests.write_text(json.dumps(list(_warmups(options.folder))))
        first = min(60.0, options.mixed_seconds / 2)
        found = load(server, "Mixes", 8, first, REQUESTS=str(requests))
        early = server.mebibytes
        found += load(server, "Mixes", 8, options.mixed_seconds - first, REQUESTS=str(requests))
        late = server.mebibytes
    yield (
        f"{options.mixed_seconds} seconds on all models: signatures, failures",
        (f"{len({each.name for each in found})}, {sum(each.failures for each in found)}"),
    )
    yield f"… MiB after {first:.0f} seconds, and at the end", f"{early:.0f}, {late:.0f}"


def _warmups(folder: Path) -> Iterator[dict[str, Any]]:
    """Yields the warm-up requests of all exports as a client sends them."""
    from serving.exports import Exports, warmups
    from serving.messages import request_of

    exports = Exports(folder)
    exports.refresh()
    for model in exports.models.values():
        for signature, inputs in warmups(model.folder):
            yield {"model": model.name, "body": json.loads(request_of(signature, inputs))}


def _seconds(ask: Any) -> float:
    started = time.perf_counter()
    ask()
    return time.perf_counter() - started


def _range(numbers: list[float]) -> str:
    return f"{statistics.mean(numbers):.0f} ({min(numbers):.0f}–{max(numbers):.0f})"


def _named(folder: Path, task: str) -> str:
    """Returns the name of the export of a task."""
    from pipelines.predictors import find

    for path in sorted(folder.iterdir()):
        if path.is_dir() and find(path).task.name == task:
            return path.name
    raise SystemExit(f"There is no export of {task} below {folder}. Write one: unrolled export {task}")


def measure(options: Options) -> Iterator[tuple[str, str]]:
    """Yields what was measured, and the figure."""
    sentiment, speaker = (_named(options.folder, task) for task in ("sentiment", "speech"))
    with serving(options.folder) as server:
        yield from cost(options, server, sentiment)  # first: it times the first request
        yield from batching(options, server, sentiment)
        yield from speech(options, server, speaker)
        yield from mixed(options, server)
    yield from starts(options, sentiment)


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    table = Table("", "measured")
    for row in measure(options):
        table.add_row(*row)
    Console(width=150).print(table)


if __name__ == "__main__":
    main()

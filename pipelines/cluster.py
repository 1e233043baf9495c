"""Which processes train one model together, by TF_CONFIG, which Kubernetes, Slurm, Ray and our launcher write."""

import json
import math
import os
import re
import socket
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NamedTuple

from pipelines.configuration import ConfigurationError
from pipelines.run_files import RunError

StrategyName = Literal["none", "mirrored", "multi_worker"]
VARIABLE = "TF_CONFIG"
START_VARIABLE = "UNROLLED_START_SECONDS"
SECONDS_TO_START = 50.0
"""So long a worker waits for the others to start, unless UNROLLED_START_SECONDS says otherwise."""
SECONDS_TO_ANSWER = 3.0
"""So long a worker that is asked whether it is there has to answer."""
JOBS = ("chief", "worker")
LONGEST_SHOWN = 500  # characters of the variable in a message
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+(?:%\w+)?\]|[^\s/:@\[\]]+):([0-9]{1,5})")  # IPv6 in brackets
_EXAMPLE = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'


class Cluster(NamedTuple):
    """The workers of one training; the first is the chief.

    Attributes:
        addresses: `host:port` of each.
        tasks: TensorFlow's name of each, its job and its index in that job.
        rank: the number of this process.
    """

    addresses: tuple[str, ...]
    tasks: tuple[tuple[str, int], ...]
    rank: int

    def named(self, rank: int) -> str:
        """Returns how a message names a worker."""
        role = "the chief, " if rank == 0 else ""
        return f"worker {rank} ({role}{self.addresses[rank]})"


def read_cluster(text: str | None = None) -> Cluster:
    """Returns the cluster that TF_CONFIG describes.

    Args:
        text: the variable's value. Default: that of the environment.

    Raises:
        ConfigurationError: it is missing, no JSON, or does not describe workers of which this process is one.

    Example:
        >>> cluster = read_cluster(
        ...     '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}'
        ... )
        >>> cluster.named(cluster.rank)
        'worker 1 (b:1)'
    """
    text = os.environ.get(VARIABLE, "") if text is None else text
    if not text.strip():
        raise _wrong("it is not set. Start all workers at once on this machine with --workers N, or set it for each")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong(f"it is not JSON ({error}). Correct it", text) from None
    if not isinstance(values, dict):
        raise _wrong("it is JSON, but not an object. Give one that has a cluster and a task", text)
    for name in ("cluster", "task"):
        if name not in values:
            raise _wrong(f"it has no {name}. Add it", text)
        if not isinstance(values[name], dict):
            raise _wrong(f"its {name} is not a JSON object. Give one", text)
    jobs, task = values["cluster"], values["task"]
    if others := sorted(set(jobs) - set(JOBS)):
        raise _wrong(f"it has tasks of the type {others[0]!r}, but each worker trains. Leave these out", text)
    tasks = _tasks(jobs, text)
    if not tasks:
        raise _wrong("its cluster has no addresses. List those of all workers", text)
    addresses = tuple(address for _, _, address in tasks)
    places = [_place(address) for address in addresses]
    if twice := [address for address, place in zip(addresses, places, strict=True) if places.count(place) > 1]:
        raise _wrong(f"{twice[0]} is the address of more than one worker. Give each its own port", text)
    names = tuple((job, index) for job, index, _ in tasks)
    own = task.get("type"), _whole(task.get("index"))
    if own not in names:
        expected = ", ".join(f"{job} {index}" for job, index in names)
        raise _wrong(
            f"the cluster has no task of type {task.get('type')!r} and index {task.get('index')!r:.20}. Give one "
            f"of: {expected}",
            text,
        )
    return Cluster(addresses, names, names.index(own))


def seconds_to_start() -> float:
    """Returns how long a worker waits for the others to start.

    Raises:
        ConfigurationError: UNROLLED_START_SECONDS is no number of seconds.
    """
    text = os.environ.get(START_VARIABLE, "")
    try:
        seconds = float(text) if text.strip() else SECONDS_TO_START
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ConfigurationError(
            f"{START_VARIABLE} is how long a worker waits for the others to start. Expected seconds, such as 300. "
            f"Correct it, or leave it out. Received: {text!r}"
        )
    return seconds


def free_ports(count: int) -> list[int]:
    """Returns so many ports of this machine that nothing listens at."""
    listeners = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def configuration_of(addresses: Sequence[str], rank: int) -> str:
    """Returns the TF_CONFIG of one worker.

    Example:
        >>> read_cluster(configuration_of(["a:1", "b:1"], 1)).rank
        1
    """
    return json.dumps({"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": rank}})


def refuse_port_in_use(cluster: Cluster) -> None:
    """Raises `RunError` if this worker cannot listen at its port."""
    _, port = _place(cluster.addresses[cluster.rank])
    try:
        socket.create_server(("", port)).close()
    except OSError as error:
        raise RunError(
            f"{_first_upper(cluster.named(cluster.rank))} cannot listen at its port: {error.strerror or error}. "
            f"Expected a free port. End the process that uses it (see `ss -ltnp`), or name another one in {VARIABLE} "
            f"of all workers. Received: port {port}"
        ) from error


def unreachable(cluster: Cluster) -> list[int]:
    """Returns the ranks of the other workers at whose address nobody answers; all are asked at once."""
    others = [rank for rank in range(len(cluster.addresses)) if rank != cluster.rank]
    with ThreadPoolExecutor(len(others) or 1) as threads:
        answers = threads.map(lambda rank: _answers(cluster, rank), others)
    return [rank for rank, answer in zip(others, answers, strict=True) if not answer]


def lost(cluster: Cluster, error: Exception, started: bool = True) -> RunError:
    """Returns what to raise when other workers do not answer any more, or never did."""
    silent = unreachable(cluster)
    for rank, (job, index) in enumerate(cluster.tasks):  # one that hangs still has its port
        if f"/job:{job}/replica:0/task:{index} is down" in str(error) and rank not in silent:
            silent.append(rank)
    who = ", ".join(map(cluster.named, silent)) or "another worker"
    what = "is gone" if started else "did not start"
    limit = "a minute" if started else f"{seconds_to_start():g} s"
    remedy = (
        "Start all workers again, with --resume to go on from the last checkpoint"
        if started
        else f"Start all workers at once, with one {VARIABLE} for all but its task; where they start slowly, raise "
        f"{START_VARIABLE}"
    )
    return RunError(
        f"{_first_upper(who)} {what}, and the others cannot go on alone. Expected all {len(cluster.addresses)} workers "
        f"to answer within {limit}. Its own output says why it ended; without any, look at its address and at "
        f"firewalls. {remedy}. Received: {_first_line(error)}"
    )


def _tasks(jobs: Mapping[str, Any], text: str) -> list[tuple[str, int, str]]:
    tasks = []
    for job in JOBS:
        addresses = jobs.get(job, [])
        if not isinstance(addresses, list):
            raise _wrong(f"the addresses of {job} are not a list. Give a list", text)
        for index, address in enumerate(addresses):
            if not isinstance(address, str) or not _ADDRESS.fullmatch(address) or not 0 < _place(address)[1] < 65536:
                raise _wrong(
                    f"the address of {job} {index} is not host:port, but {address!r}. Correct it; an IPv6 address "
                    "stands in brackets",
                    text,
                )
            tasks.append((job, index, address))
    if len(jobs.get("chief", [])) > 1:
        raise _wrong("it has more than one chief. Make the others workers", text)
    return tasks


def _whole(value: Any) -> int | None:
    is_one = type(value) is int or (isinstance(value, str) and value.isdecimal() and len(value) < 10)
    return int(value) if is_one else None


def _place(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]").lower(), int(port)


def _answers(cluster: Cluster, rank: int) -> bool:
    try:
        socket.create_connection(_place(cluster.addresses[rank]), timeout=SECONDS_TO_ANSWER).close()
    except OSError:
        return False
    return True


def _wrong(what: str, text: str = "") -> ConfigurationError:
    received = repr(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…") if text else "nothing"
    return ConfigurationError(
        f"{VARIABLE} does not name the workers of this training: {what}. Expected such as {_EXAMPLE}. "
        f"Received: {received}"
    )


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    aborted = [line for line in lines if "aborted by" in line]
    return (aborted or lines or [type(error).__name__])[0]

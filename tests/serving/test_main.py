"""The command, as a process: it answers, stops gracefully, and names what is missing."""

import asyncio
import contextlib
import gc
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from starlette.requests import Request
from starlette.responses import Response

import unrolled
from pipelines.configuration import ConfigurationError
from pipelines.runs import RunError
from serving import main
from serving.application import Server
from serving.main import serve
from serving.options import ServeOptions
from tests.serving.conftest import Client

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--folder", "nothing"], "There is no folder of exports. Expected nothing/NAME/VERSION"),
        (["--folder", ".", "--key", "key.pem"], "TLS needs a certificate and its key"),
        (["--folder", ".", "--key", "key.pem", "--certificate", "no.pem"], "files in PEM.*Received: 'no.pem'"),
        (
            ["--folder", ".", "--key", "no.pem", "--certificate", "model/1/saved_model.pb"],
            "files in PEM.*saved_model.pb",
        ),
        (["--folder", "model"], "The folder is a single export. Expected the folder of all"),
        (["--folder", "model/1"], r"The folder is a single export.*Received: 'model/1'"),
        (["--folder", ".", "--host", "300.1.1.1"], r"cannot listen there.*--host, --port. Received: 300.1.1.1"),
    ],
)
def test_what_cannot_be_served_is_refused(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model" / "1").mkdir(parents=True)
    (tmp_path / "model" / "1" / "saved_model.pb").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=message):
        serve(arguments)


def test_a_port_in_use_is_named_before_models_are_loaded(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"a port that is free.*Received: 127.0.0.1, port {port} \("):
            serve(["--folder", str(tmp_path), "--port", str(port)])


@pytest.mark.parametrize(
    ("options", "environment", "threads"),
    [({}, None, 3), ({"workers": 6}, None, 1), ({"threads": 5}, None, 5), ({"threads": 5}, "4", 5), ({}, "4", 0)],
)
def test_workers_share_the_cores_unless_the_user_says_otherwise(
    options: dict[str, Any],
    environment: str | None,
    threads: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [0]  # TensorFlow's own number
    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", found.append)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(6), raising=False)
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    if environment:
        monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", environment)
    main.application(ServeOptions(folder=tmp_path, **options))
    assert found[-1] == threads


def test_garbage_collections_leave_out_what_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")  # the number cannot change once anything has been computed
    application = main.application(ServeOptions(folder=tmp_path), begins_loaded=True)

    async def frozen() -> int:
        async with application.router.lifespan_context(application):  # as under Ray
            return gc.get_freeze_count()

    gc.unfreeze()  # what the tests have frozen
    try:
        assert gc.get_freeze_count() == 0 and asyncio.run(frozen()) > 100_000  # TensorFlow alone has more
    finally:
        gc.unfreeze()


def test_a_request_that_outlives_the_server_is_told_so(tmp_path: Path) -> None:
    async def outlive(_: Request) -> Response:
        await asyncio.sleep(60)
        raise AssertionError

    async def answer() -> Response:
        request = Request({"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"127.0.0.1")]})
        task = asyncio.ensure_future(Server(ServeOptions(folder=tmp_path)).guard(outlive)(request))
        await asyncio.sleep(0)
        task.cancel()  # as uvicorn does
        return await task

    response = asyncio.run(answer())
    assert response.status_code == 503 and b"The server is stopping." in response.body


@pytest.mark.slow
def test_open_requests_are_answered_before_the_server_stops(tmp_path: Path, export_tiny: Callable[..., Path]) -> None:
    export_tiny(tmp_path)
    command = [sys.executable, "-m", "pipelines", "serve", "--folder", str(tmp_path), "--port", "0", "--seconds", "2"]
    process = subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    port = next(found for line in process.stderr if (found := re.search(r"running on http://127.0.0.1:(\d+)", line)))
    assert any('"event": "ready"' in line for line in process.stderr)
    client = Client(int(port[1]))
    assert client.predict({"instances": [1]}).body == {"predictions": [2.0]}
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(client.predict, {"signature_name": "endless", "inputs": [0]})
        while "unrolled_open_requests 2.0" not in client("/metrics").body:
            assert not answer.done()
        process.send_signal(signal.SIGTERM)
        assert answer.result(30).status == 504, "it had its time"
    assert process.wait(30) in (0, -signal.SIGTERM)
    (*_, line) = (line for line in process.stderr.read().splitlines() if '"event": "request"' in line)
    assert json.loads(line)["status"] == 504 and json.loads(line)["level"] == "INFO"
    process.stderr.close()


@pytest.mark.slow
def test_a_killed_server_starts_again_though_the_disk_of_its_log_is_full(
    tmp_path: Path, export_tiny: Callable[..., Path]
) -> None:
    export_tiny(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "pipelines", "serve", "--folder", str(tmp_path), "--port", str(port)]
    client = Client(port)
    for _ in range(2):
        with open("/dev/full", "wb") as full:
            process = subprocess.Popen(command, cwd=REPOSITORY, stderr=full)
        end = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError):
                if client("/readyz").status == 200:
                    break
            time.sleep(0.1)
        assert client.predict({"instances": [1]}).body == {"predictions": [2.0]}
        process.kill()
        process.wait()
        with pytest.raises(RunError, match=r"cannot be reached.*unrolled serve"):
            unrolled.connect(client.url, "tiny")

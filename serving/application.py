"""The application: what is at which path, and the answers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import prometheus_client as prometheus
import tensorflow as tf
from starlette.applications import Starlette
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from pipelines.configuration import ConfigurationError
from serving.batching import Batcher
from serving.description import description
from serving.errors import RequestError
from serving.exports import WEB, Exports, Model, warmups
from serving.guard import BUSY, Guard, error_response, json_response, too_large, unpacked
from serving.messages import Arrays, answer_of, inputs_of, parsed, request_of
from serving.options import ServeOptions
from serving.remote_calls import PredictionService, started
from serving.sockets import Streams
from serving.watch import Watch, log_event, logger

Result = TypeVar("Result")
SMALL = 16_384  # bytes that are read in less time than a thread takes to begin
PAGE = Path(__file__).parent / "page"
SCRIPTS = sorted(path.name for path in PAGE.glob("*.js"))


class _Name(StringConvertor):
    """The name of a model in a path, up to the colon before what is asked of it."""

    regex = "[^/:]+"


register_url_convertor("model", _Name())


class Server:
    """Answers requests for all exports below a folder.

    Args:
        options: how it runs.
        loaded: is called whenever models have been loaded.
        begins_loaded: whether it answers only once its models are loaded, as under Ray, which asks for no readiness.
    """

    def __init__(
        self, options: ServeOptions, loaded: Callable[[], None] = lambda: None, begins_loaded: bool = False
    ) -> None:
        self._loaded, self._begins_loaded, self._is_warm = loaded, begins_loaded, asyncio.Event()
        self.options, self.exports, self._watch = options, Exports(options.folder), Watch()
        self.guard = Guard(options, self._watch, self.exports.models)
        self._executor = ThreadPoolExecutor(options.workers, "model")
        self._streams = Streams(options, self.exports, self._executor, self.guard, self._watch)
        self._batcher: Batcher
        self.grpc_port: int | None = None

    def application(self) -> Starlette:
        """Returns the application."""
        model = "/v1/models/{name:model}"
        routes: list[BaseRoute] = [
            Route("/", self.guard(self.page, is_open=True)),
            Route("/page/{script}", self.guard(self.script, is_open=True)),
            Route("/healthz", self.health),
            Route("/readyz", self.ready),
        ]
        for path in ("/metrics", "/monitoring/prometheus/metrics"):
            routes.append(Route(path, self.guard(self.metrics)))
        routes.append(Route("/openapi.json", self.guard(self.openapi)))
        routes.append(Route("/v1/models", self.guard(self.models)))
        for place in (model, f"{model}/versions/{{version:model}}"):
            routes += [
                Route(f"{place}:predict", self.guard(self.predict), methods=["POST"]),
                Route(f"{place}/metadata", self.guard(self.metadata)),
                Route(f"{place}/card", self.guard(self.card)),
                Route(f"{place}/run", self.guard(self.run_files)),
                Route(f"{place}/web", self.guard(self.web)),
                WebSocketRoute(f"{place}:stream", self._streams.__call__),
                Route(place, self.guard(self.status)),
            ]
        routes.append(WebSocketRoute("/{path:path}", _no_stream))
        handlers: dict[Any, Any] = {404: _no_route, 405: _no_route}
        application = Starlette(routes=routes, lifespan=self._lifespan, exception_handlers=handlers)
        application.router.redirect_slashes = False  # clients do not follow a redirected POST
        return application

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        options = self.options
        report = self._watch.batch_rows.observe
        self._batcher = Batcher(
            self._executor, options.workers, options.batch, options.padded_bytes, options.seconds, report
        )
        calls = None
        if options.grpc_port is not None:
            service = PredictionService(options, self.exports, self.guard, self.answer)
            calls, self.grpc_port = await started(service, options)
        loading = asyncio.create_task(self._keep_loaded())
        try:
            if self._begins_loaded:
                await self._is_warm.wait()
            yield
        finally:
            loading.cancel()
            if calls is not None:
                await calls.stop(options.shutdown_seconds)
            self._executor.shutdown(wait=False, cancel_futures=True)

    async def _keep_loaded(self) -> None:
        """Loads the models, and newer ones when they appear."""
        await self._refresh()
        for model in list(self.exports.models.values()):
            try:
                await self._warm_up(model)
            except Exception:  # its first requests are slower
                logger.exception("warm-up")
        self._loaded()
        self._is_warm.set()
        log_event("ready", models=len(self.exports.models))
        while True:
            await asyncio.sleep(self.options.reload_seconds)
            if await self._refresh():
                self._loaded()

    async def _warm_up(self, model: Model) -> None:
        """Makes what answers streams, and asks every signature what a client asks.

        That is from JSON to JSON, in each thread, alone and in a whole batch.
        """
        with contextlib.suppress(RequestError):  # an export that does not describe its model has no streams
            await asyncio.to_thread(getattr, model, "predictor")
        for name, inputs in warmups(model.folder):
            rows = self.options.batch if model.is_batched(name) and name == "serving_default" else 1
            for times in {1, rows}:
                many = {key: np.repeat(array, times, axis=0) if times > 1 else array for key, array in inputs.items()}
                with contextlib.suppress(RequestError, ConfigurationError, tf.errors.OpError):
                    body = await asyncio.to_thread(request_of, name, many)
                    _, read, is_rows = self._read(model, body)
                    asked = (self.answer(model, name, read, is_alone=True) for _ in range(self.options.workers))
                    for answer in await asyncio.gather(*asked):
                        json_response(answer_of(answer, is_rows))

    async def _refresh(self) -> bool:
        """Loads new versions, in a thread of its own: the old ones answer meanwhile. Returns whether there were any."""
        try:
            return await asyncio.to_thread(self.exports.refresh, self._report)
        except Exception:  # such as a folder that is moved at this moment; there is a next time
            logger.exception("reload")
            return False

    def _report(self, line: str) -> None:
        result = line.partition(":")[0]
        self._watch.loads.labels(result).inc()
        log_event("reload", result=result, detail=line)

    async def page(self, _: Request) -> Response:
        """A page to try every model."""
        return FileResponse(PAGE / "index.html", headers={"Content-Security-Policy": "frame-ancestors 'none'"})

    async def script(self, request: Request) -> Response:
        """A part of the page."""
        if (name := request.path_params["script"]) not in SCRIPTS:
            raise RequestError(
                f"The page has no such part. Expected one of {', '.join(SCRIPTS)}. Received: {name!r}", 404
            )
        return FileResponse(PAGE / name)

    async def health(self, _: Request) -> Response:
        """Whether the process lives."""
        return json_response({"status": "alive"})

    async def ready(self, _: Request) -> Response:
        """Whether there is a model of every export, and all are warm."""
        is_ready = self._is_warm.is_set() and await asyncio.to_thread(self.exports.is_ready)
        return json_response({"status": "ready" if is_ready else "not ready"}, 200 if is_ready else 503)

    async def metrics(self, _: Request) -> Response:
        """Metrics for Prometheus."""
        return Response(self._watch.exposition(), media_type=prometheus.CONTENT_TYPE_LATEST)

    async def openapi(self, _: Request) -> Response:
        """What can be asked, as OpenAPI 3.1."""
        return json_response(description(list(self.exports.models.values())))

    async def models(self, _: Request) -> Response:
        """The models, and what each can do."""
        self.exports.check_loaded()
        models = list(self.exports.models.values())
        return json_response({"models": [await asyncio.to_thread(_summary, each) for each in models]})

    async def status(self, request: Request) -> Response:
        """The states of a model's versions."""
        return json_response(self.exports.status(**request.path_params))

    async def metadata(self, request: Request) -> Response:
        """The types and shapes of a model's signatures."""
        return json_response(self._model(request).metadata())

    async def card(self, request: Request) -> Response:
        """What a user must know of a model."""
        return Response(self._model(request).card(), media_type="text/markdown")

    async def run_files(self, request: Request) -> Response:
        """The files from which `unrolled.connect` makes a predictor."""
        return json_response(await asyncio.to_thread(self._model(request).run_files))

    async def web(self, request: Request) -> Response:
        """The network that the page runs in the browser."""
        file = (model := self._model(request)).folder / WEB
        if not file.is_file():
            raise RequestError(
                f"{model.name} has no file for browsers. Expected one of its export. Write it: unrolled export TASK "
                f"--devices web. Received: no {WEB}",
                404,
            )
        return FileResponse(file, media_type="application/json")

    async def predict(self, request: Request) -> Response:
        """The answer of a signature."""
        model = self._model(request)
        body = await self._body(request)
        signature, inputs, is_rows = await _run(len(body), self._read, model, body)
        request.state.signature = signature
        answer = await self.answer(model, signature, inputs)
        size = sum(array.nbytes for array in answer.values())
        return await _run(size, lambda: json_response(answer_of(answer, is_rows)))

    async def answer(self, model: Model, signature: str, inputs: Arrays, is_alone: bool = False) -> Arrays:
        """Returns what a signature answers, in a batch with other requests where it can be, unless it is alone."""
        is_batched = model.is_batched(signature) and not is_alone
        key = (model.name, model.version, signature) if is_batched else None
        try:
            async with asyncio.timeout(2 * self.options.seconds):  # of waiting, and of computing
                answer = await self._batcher(lambda **inputs: model.served(signature, **inputs), key, inputs)
        except TimeoutError:
            raise RequestError(BUSY, 503) from None
        size, most = sum(array.nbytes for array in answer.values()), self.options.answer_megabytes
        if size > most * 1e6:  # as text it takes many times the memory
            raise RequestError(
                f"The answer is too large. Expected {most:g} MB at most. Ask for less at once, or raise "
                f"--answer_megabytes of the server. Received: {size / 1e6:.0f} MB",
                413,
            )
        return answer

    def _read(self, model: Model, body: bytes) -> tuple[str, Arrays, bool]:
        """Returns the signature that a request asks, its inputs, and whether they came by rows."""
        asked = parsed(body)
        signature = model.signature(asked.get("signature_name"))
        return signature, *inputs_of(asked, model.served.inputs(signature), self.options.limits)

    def _model(self, request: Request) -> Model:
        return self.exports.model(**request.path_params)

    async def _body(self, request: Request) -> bytes:
        most, body = self.options.body_bytes, bytearray()
        promised = request.headers.get("content-length", "0")
        if promised.isdecimal() and int(promised) > most:
            raise too_large(most)
        try:
            async with asyncio.timeout(self.options.seconds):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > most:
                        raise too_large(most)
        except TimeoutError:
            raise RequestError(f"The body did not come in {self.options.seconds:g} seconds.", 408) from None
        encoding = request.headers.get("content-encoding")
        return await asyncio.to_thread(unpacked, bytes(body), encoding, most) if encoding else bytes(body)


async def _run(size: int, task: Callable[..., Result], *arguments: Any) -> Result:
    """Runs a task on so many bytes: a small one at once, a large one in a thread, for others wait meanwhile."""
    return task(*arguments) if size <= SMALL else await asyncio.to_thread(task, *arguments)


def _summary(model: Model) -> dict[str, Any]:
    streams, task = False, ""
    with contextlib.suppress(RequestError):
        streams = hasattr(model.predictor, "stream")
        task = type(model.predictor).__module__.removeprefix("pipelines.").removesuffix(".predictor")
    return {
        "name": model.name,
        "version": str(model.version),
        "task": task.rpartition(".")[2].replace("_", "-"),
        "signatures": sorted(model.served.names),
        "streams": streams,
    }


async def _no_route(request: Request, error: Any) -> Response:
    what = "this method" if error.status_code == 405 else "this path"
    expected = "GET /v1/models, GET /v1/models/NAME, GET /v1/models/NAME/metadata, POST /v1/models/NAME:predict"
    message = f"There is nothing for {what}. Expected: {expected}; see /openapi.json."
    return error_response(RequestError(message, error.status_code), error.headers)


async def _no_stream(socket: WebSocket) -> None:
    message = "There is no stream at this path. Expected /v1/models/NAME:stream. Received: another path"
    await socket.send_denial_response(error_response(RequestError(message, 404)))

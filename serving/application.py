"""The application: routes, limits, metrics and the log."""

import asyncio
import contextlib
import hmac
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import prometheus_client as prometheus
import tensorflow as tf
from starlette.applications import Starlette
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from serving.batching import Batcher
from serving.description import description
from serving.exports import Exports, Model
from serving.messages import Arrays, RequestError, answer_of, inputs_of, message_of, parsed, to_json
from serving.options import ServeOptions
from serving.streams import Conversation

TOKEN = "UNROLLED_TOKEN"
LOOPBACK = ["127.0.0.1", "localhost", "[::1]", "::1"]
PAGE = Path(__file__).parent / "page.html"
log = logging.getLogger("unrolled.serving")
Handler = Callable[[Request], Awaitable[Response]]


class _Name(StringConvertor):
    """The name of a model in a path, up to the colon before what is asked of it."""

    regex = "[^/:]+"


register_url_convertor("model", _Name())


class Server:
    """Answers requests for all exports below a folder.

    Args:
        options: how it runs.
    """

    def __init__(self, options: ServeOptions) -> None:
        self.options, self.exports = options, Exports(options.folder)
        self._token = os.environ.get(TOKEN, "")
        self._open = self._streams = 0
        self._executor = ThreadPoolExecutor(options.workers, "model")
        self._metrics(registry := prometheus.CollectorRegistry())
        self._registry = registry
        self._batcher: Batcher

    def application(self) -> Starlette:
        """Returns the application."""
        model = "/v1/models/{name:model}"
        routes: list[BaseRoute] = [
            Route("/", self._guarded(self.page)),
            Route("/healthz", self.health),
            Route("/readyz", self.ready),
        ]
        for path in ("/metrics", "/monitoring/prometheus/metrics"):
            routes.append(Route(path, self._guarded(self.metrics)))
        routes.append(Route("/openapi.json", self._guarded(self.openapi)))
        routes.append(Route("/v1/models", self._guarded(self.models)))
        for place in (model, f"{model}/versions/{{version:model}}"):
            routes += [
                Route(f"{place}:predict", self._guarded(self.predict), methods=["POST"]),
                Route(f"{place}/metadata", self._guarded(self.metadata)),
                Route(f"{place}/card", self._guarded(self.card)),
                Route(f"{place}/run", self._guarded(self.run_files)),
                WebSocketRoute(f"{place}:stream", self.stream),
                Route(place, self._guarded(self.status)),
            ]
        handlers: dict[Any, Any] = {404: _no_route, 405: _no_route}
        # A page of another site must not reach a server on loopback by a name of its own (DNS rebinding).
        hosts = LOOPBACK if self.options.host in LOOPBACK else ["*"]
        middleware = [Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)]
        return Starlette(routes=routes, lifespan=self._lifespan, exception_handlers=handlers, middleware=middleware)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        options = self.options
        self._batcher = Batcher(
            self._executor, options.workers, options.batch, options.seconds, self._batch_rows.observe
        )
        await self._refresh()
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()
            self._executor.shutdown(wait=False, cancel_futures=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self.options.reload_seconds)
            await self._refresh()

    async def _refresh(self) -> None:
        """Loads new versions, in a thread of its own: the old ones answer meanwhile."""
        try:
            for line in await asyncio.to_thread(self.exports.refresh):
                result = line.partition(":")[0]
                self._loads.labels(result).inc()
                _log("reload", result=result, detail=line)
        except Exception:  # such as a folder that is moved at this moment; there is a next time
            log.exception("reload")

    async def page(self, _: Request) -> Response:
        """A page to try every model."""
        return FileResponse(PAGE, headers={"Content-Security-Policy": "frame-ancestors 'none'"})

    async def health(self, _: Request) -> Response:
        """Whether the process lives."""
        return _json({"status": "alive"})

    async def ready(self, _: Request) -> Response:
        """Whether there is a model of every export."""
        is_ready = await asyncio.to_thread(self.exports.is_ready)
        return _json({"status": "ready" if is_ready else "not ready"}, 200 if is_ready else 503)

    async def metrics(self, _: Request) -> Response:
        """Metrics for Prometheus."""
        return Response(prometheus.generate_latest(self._registry), media_type=prometheus.CONTENT_TYPE_LATEST)

    async def openapi(self, _: Request) -> Response:
        """What can be asked, as OpenAPI 3.1."""
        return _json(description(self.exports.models.values()))

    async def models(self, _: Request) -> Response:
        """The models, and what each can do."""
        return _json({"models": [await asyncio.to_thread(_summary, each) for each in self.exports.models.values()]})

    async def status(self, request: Request) -> Response:
        """The states of a model's versions."""
        return _json(self.exports.status(**request.path_params))

    async def metadata(self, request: Request) -> Response:
        """The types and shapes of a model's signatures."""
        return _json(self._model(request).metadata())

    async def card(self, request: Request) -> Response:
        """What a user must know of a model."""
        return Response(self._model(request).card(), media_type="text/markdown")

    async def run_files(self, request: Request) -> Response:
        """The files from which `unrolled.connect` makes a predictor."""
        return _json(await asyncio.to_thread(self._model(request).run_files))

    async def predict(self, request: Request) -> Response:
        """The answer of a signature."""
        model = self._model(request)
        signature, inputs, is_rows = await asyncio.to_thread(self._read, model, await self._body(request))
        request.state.signature = signature
        key = (model.name, model.version, signature) if model.is_batched(signature) else None
        try:
            async with asyncio.timeout(2 * self.options.seconds):  # of waiting, and of computing
                answer = await self._batcher(lambda **inputs: model.served(signature, **inputs), key, inputs)
        except TimeoutError:
            raise RequestError("The server is overloaded. Try again in a second.", 503) from None
        return await asyncio.to_thread(lambda: _json(answer_of(answer, is_rows)))

    def _read(self, model: Model, body: bytes) -> tuple[str, Arrays, bool]:
        """Returns the signature that a request asks, its inputs, and whether they came by rows."""
        asked = parsed(body)
        signature = model.signature(asked.get("signature_name", "serving_default"))
        return signature, *inputs_of(asked, model.served.inputs(signature), self.options.rows)

    async def stream(self, socket: WebSocket) -> None:
        """A stream; see `serving.streams`."""
        model = None
        try:
            self._check_token(socket.headers.get("authorization", ""), socket.query_params.get("token", ""))
            origin = socket.headers.get("origin")
            if origin and urlsplit(origin).netloc != socket.headers.get("host"):
                raise RequestError(f"A page of another site may not open a stream. Received: {origin!r}", 403)
            model = self.exports.model(**socket.path_params)
            if self._streams >= self.options.streams:
                raise RequestError(f"Expected {self.options.streams} streams at once at most. Try again later.", 503)
        except RequestError as error:
            await socket.send_denial_response(_error(error))
            return
        await socket.accept()
        self._streams += 1
        self._stream_gauge.inc()
        started, code, sent = time.monotonic(), 1000, 0
        try:
            async with asyncio.timeout(self.options.stream_seconds):
                sent = await self._converse(socket, Conversation(model))
        except (WebSocketDisconnect, RuntimeError):  # the client has left
            code = 1001
        except TimeoutError:
            code = await _close(socket, 1008, "The stream took too long, or no message came. Open another one.")
        except RequestError as error:
            code = await _close(socket, 1008, str(error))
        except Exception as error:
            _log("error", logging.ERROR, exc_info=error)
            code = await _close(socket, 1011, "The server has failed; its log says why.")
        finally:
            self._streams -= 1
            self._stream_gauge.dec()
            _log("stream", model=model.name, seconds=round(time.monotonic() - started, 3), code=code, answers=sent)

    async def _converse(self, socket: WebSocket, conversation: Conversation) -> int:
        """Answers messages until the stream is finished; returns how many answers there were."""
        sent, loop = 0, asyncio.get_running_loop()
        while not conversation.is_finished:
            message = await asyncio.wait_for(socket.receive(), self.options.idle_seconds)
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect
            text: str | None = message.get("text")
            answers = conversation.answers(message["bytes"] if text is None else text)
            while (answer := await loop.run_in_executor(self._executor, next, answers, None)) is not None:
                await asyncio.wait_for(socket.send_text(to_json(answer).decode()), self.options.idle_seconds)
                sent += 1
        await socket.close()
        return sent

    def _model(self, request: Request) -> Model:
        return self.exports.model(**request.path_params)

    async def _body(self, request: Request) -> bytes:
        most, body = self.options.body_bytes, bytearray()
        promised = request.headers.get("content-length", "0")
        too_large = RequestError(f"The body is too large. Expected {most} bytes at most. Send less at once.", 413)
        if promised.isdecimal() and int(promised) > most:
            raise too_large
        try:
            async with asyncio.timeout(self.options.seconds):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > most:
                        raise too_large
        except TimeoutError:
            raise RequestError(f"The body did not come in {self.options.seconds:g} seconds.", 408) from None
        return bytes(body)

    def _check_token(self, header: str, query: str = "") -> None:
        given = header.removeprefix("Bearer ").strip() or query
        if self._token and not hmac.compare_digest(given.encode(), self._token.encode()):
            raise RequestError("Expected the server's token. Send the header `Authorization: Bearer TOKEN`.", 401)

    def _guarded(self, handler: Handler) -> Handler:
        """Returns a handler that checks the token and the load, answers errors in words, counts and logs."""

        async def guarded(request: Request) -> Response:
            started = time.monotonic()
            self._open += 1
            self._open_gauge.inc()
            try:
                self._check_token(request.headers.get("authorization", ""))
                if self._open > self.options.concurrency:
                    raise RequestError("The server is overloaded. Try again in a second.", 503)
                response = await handler(request)
            except RequestError as error:
                response = _error(error)
            except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
                response = _error(RequestError(message_of(error)))
            except tf.errors.ResourceExhaustedError:
                response = _error(RequestError("The request needs too much memory. Ask for less at once.", 413))
            except Exception as error:
                _log("error", logging.ERROR, exc_info=error, path=request.url.path)
                response = _error(RequestError("The server has failed; its log says why.", 500))
            finally:
                self._open -= 1
                self._open_gauge.dec()
            seconds = time.monotonic() - started
            name = str(request.path_params.get("name", ""))
            labels = name if name in self.exports.models else "", getattr(request.state, "signature", "")
            self._requests.labels(*labels, str(response.status_code)).inc()
            self._seconds.labels(*labels).observe(seconds)
            _log(
                "request",
                method=request.method,
                path=request.url.path[:200],
                status=response.status_code,
                seconds=round(seconds, 4),
            )
            return response

        return guarded

    def _metrics(self, registry: prometheus.CollectorRegistry) -> None:
        labels = ["model", "signature"]
        self._requests = prometheus.Counter("unrolled_requests", "Requests", [*labels, "status"], registry=registry)
        self._seconds = prometheus.Histogram("unrolled_request_seconds", "Time to answer", labels, registry=registry)
        rows = [1, 2, 4, 8, 16, 32, 64, 128, 256]
        self._batch_rows = prometheus.Histogram(
            "unrolled_batch_rows", "Rows of batches", buckets=rows, registry=registry
        )
        self._open_gauge = prometheus.Gauge("unrolled_open_requests", "Requests being answered", registry=registry)
        self._stream_gauge = prometheus.Gauge("unrolled_open_streams", "Streams that are open", registry=registry)
        self._loads = prometheus.Counter("unrolled_loads", "Versions loaded, or failed", ["result"], registry=registry)


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


def _json(value: Any, status: int = 200) -> Response:
    return Response(to_json(value), status, media_type="application/json")


def _error(error: RequestError) -> Response:
    headers = {503: {"Retry-After": "1"}, 401: {"WWW-Authenticate": "Bearer"}}.get(error.status)
    return Response(to_json({"error": str(error)}), error.status, headers, "application/json")


async def _no_route(request: Request, error: Any) -> Response:
    what = "this method" if error.status_code == 405 else "this path"
    expected = "GET /v1/models, GET /v1/models/NAME, GET /v1/models/NAME/metadata, POST /v1/models/NAME:predict"
    return _error(
        RequestError(f"There is nothing for {what}. Expected: {expected}; see /openapi.json.", error.status_code)
    )


async def _close(socket: WebSocket, code: int, message: str) -> int:
    with contextlib.suppress(Exception):  # the client may have left
        await asyncio.wait_for(socket.send_text(to_json({"error": message}).decode()), 5)
        await socket.close(code)
    return code


def _log(event: str, level: int = logging.INFO, exc_info: BaseException | None = None, **fields: Any) -> None:
    log.log(level, json.dumps({"event": event, **fields}, ensure_ascii=False), exc_info=exc_info)

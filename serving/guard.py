"""What stands before every handler: the token, limits, errors in words, counts and the log."""

import asyncio
import contextlib
import gzip
import hmac
import io
import logging
import time
import zlib
from collections.abc import Awaitable, Callable, Container, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import tensorflow as tf
from starlette.background import BackgroundTask
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from pipelines.configuration import ConfigurationError
from serving.errors import RequestError, message_of
from serving.messages import to_json
from serving.options import ServeOptions, token_of
from serving.watch import Watch, log_event

FAILED = "The server has failed; its log says why."
BUSY = "The server is overloaded. Try again in a second."
Handler = Callable[[Request], Awaitable[Response]]


class Guard:
    """Lets requests to handlers.

    Args:
        options: how the server runs.
        watch: what is told of each request.
        models: the names of the models, by which requests are counted.
    """

    def __init__(self, options: ServeOptions, watch: Watch, models: Container[str]) -> None:
        self._options, self._watch, self._models = options, watch, models
        self._token = token_of()
        self.open = 0

    def check_token(self, header: str, query: str = "") -> None:
        """Raises if the server asks for a token and was given another one."""
        scheme, _, token = header.partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else query
        if self._token and not hmac.compare_digest(given.encode(), self._token.encode()):
            raise RequestError("Expected the server's token. Send the header `Authorization: Bearer TOKEN`.", 401)

    def check_origin(self, headers: Headers) -> None:
        """Raises if a browser asks for a page of another site, which must not use what answers on loopback alone."""
        (host, *others), origin = headers.getlist("host") or [""], headers.get("origin")
        if others:  # a proxy in front might have checked another one
            raise RequestError(f"Host: expected the header once. Received: {', '.join([host, *others])}")
        # Nor must it reach a server on loopback by a name of its own (DNS rebinding).
        if _is_loopback(self._options.host) and not _is_loopback(host):
            raise RequestError(
                "The server answers to the names of this machine alone. Expected localhost or 127.0.0.1 in the header "
                f"Host. Received: {host!r}"
            )
        if origin and origin.partition("//")[2] != host:
            raise RequestError(f"A page of another site may not ask this server. Received: {origin!r}", 403)

    def __call__(self, handler: Handler, is_open: bool = False) -> Handler:
        """Returns a handler that is guarded; if it is open, it needs no token: a browser sends none for a page."""

        async def guarded(request: Request) -> Response:
            started = time.monotonic()
            self.open += 1
            self._watch.open_requests.inc()
            try:
                self.check_origin(request.headers)
                if not is_open:
                    self.check_token(request.headers.get("authorization", ""))
                if self.open > self._options.concurrency:
                    raise RequestError(BUSY, 503)
                response = await handler(request)
            except (Exception, asyncio.CancelledError) as error:
                response = error_response(in_words(error, path=request.url.path))
            finally:
                self.open -= 1
                self._watch.open_requests.dec()
            # Afterwards: the client does not wait for the log.
            response.background = BackgroundTask(self._report, request, response, time.monotonic() - started)
            return response

        return guarded

    async def _report(self, request: Request, response: Response, seconds: float) -> None:
        name = str(request.path_params.get("name", ""))
        labels = name if name in self._models else "", getattr(request.state, "signature", "")
        self._watch.requests.labels(*labels, str(response.status_code)).inc()
        self._watch.seconds.labels(*labels).observe(seconds)
        log_event(
            "request",
            method=request.method,
            path=request.url.path[:200],
            status=response.status_code,
            seconds=round(seconds, 4),
        )


def _is_loopback(host: str) -> bool:
    """Whether a host, perhaps with a port, is this machine.

    >>> [_is_loopback(host) for host in ("localhost:8501", "127.0.0.2", "[::1]:80", "::1")]
    [True, True, True, True]
    >>> [_is_loopback(host) for host in ("0.0.0.0", "evil.example", "127.0.0.1.evil.example", "[", "")]
    [False, False, False, False, False]
    """
    with contextlib.suppress(ValueError):
        name = host if host == "::1" else urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    return False


def in_words(error: Exception | asyncio.CancelledError, **place: str) -> RequestError:
    """Returns an error as a client may see it; one of the server goes to the log."""
    if isinstance(error, RequestError):
        return error
    if isinstance(error, asyncio.CancelledError):  # by uvicorn, after `shutdown_seconds`
        return RequestError("The server is stopping. Send the request again, later or to another server.", 503)
    if isinstance(error, ClientDisconnect):
        return RequestError("The client has left before its request was whole.")
    if isinstance(error, ConfigurationError):  # what the model's graph refuses
        return RequestError(str(error))
    if isinstance(error, tf.errors.InvalidArgumentError | tf.errors.UnimplementedError):
        return RequestError(message_of(error))
    if isinstance(error, tf.errors.ResourceExhaustedError | MemoryError):
        return RequestError("The request needs too much memory. Ask for less at once.", 413)
    log_event("error", logging.ERROR, exc_info=error, **place)
    return RequestError(FAILED, 500)


def json_response(value: Any, status: int = 200) -> Response:
    """Returns an answer in JSON."""
    return Response(to_json(value), status, media_type="application/json")


def error_response(error: RequestError, headers: Mapping[str, str] | None = None) -> Response:
    """Returns an error in JSON."""
    unread = {"Connection": "close"}  # the rest of such a request is not awaited
    known = {503: {"Retry-After": "1"}, 401: {"WWW-Authenticate": "Bearer"}, 408: unread, 413: unread}
    headers = headers or known.get(error.status)
    return Response(to_json({"error": str(error)}), error.status, headers, "application/json")


def unpacked(body: bytes, encoding: str, most: int) -> bytes:
    """Returns a body without HTTP's `Content-Encoding`.

    Raises:
        RequestError: it is another encoding than gzip, or the body has more than so many bytes, or is not whole.

    Example:
        >>> unpacked(gzip.compress(b"{}"), "gzip", 1000)
        b'{}'
    """
    kinds = [part for each in encoding.split(",") if (part := each.strip().lower()) not in ("", "identity")]
    if not kinds:
        return body
    if kinds not in (["gzip"], ["x-gzip"]):
        raise RequestError(f"Content-Encoding: expected gzip, or none. Received: {encoding[:80]!r}", 415)
    try:
        content = gzip.GzipFile(fileobj=io.BytesIO(body)).read(most + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise RequestError(f"The body is not gzip, as its Content-Encoding reports. Received: {error}") from None
    if len(content) > most:
        raise too_large(most)
    return content


def too_large(most: int) -> RequestError:
    """Returns what to raise for a body of more bytes."""
    return RequestError(f"The body is too large. Expected {most} bytes at most. Send less at once.", 413)

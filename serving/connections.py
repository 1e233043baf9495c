"""How uvicorn runs the application: its limits, and connections on which no request comes."""

import asyncio
import logging
import re
import sys
from types import SimpleNamespace
from typing import Any

import uvicorn
from httptools import HttpParserCallbackError, HttpParserError
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from serving.messages import to_json
from serving.options import ServeOptions

# An offer to go on in HTTP/2, as Java's client makes it: httptools would take it up and drop the body.
_HTTP2 = re.compile(rb"(\r\n)upgrade(:[ \t]*h2c[ \t]*\r\n)", re.IGNORECASE)
LINGER_SECONDS = 5.0  # for which the rest of a refused request is read and discarded
HEAD = 65_536  # bytes of the head of a request, up to twice as many: httptools itself would hold any number


def configuration(application: Starlette, options: ServeOptions) -> uvicorn.Config:
    """Returns how uvicorn runs the application."""
    logging.getLogger("uvicorn.error").addFilter(_is_needed)
    return uvicorn.Config(
        application,
        host=options.host,
        port=options.port,
        http=_connections(options.seconds, options.padded_bytes),
        ws=_Stream,
        ssl_certfile=options.certificate,
        ssl_keyfile=options.key,
        ws_max_size=options.body_bytes,
        ws_per_message_deflate=False,  # audio and short texts hardly become smaller
        timeout_graceful_shutdown=options.shutdown_seconds,
        access_log=False,
        log_config=None,
        server_header=False,
    )


def _is_needed(record: logging.LogRecord) -> bool:
    """Whether a record of uvicorn belongs in the log.

    Its line for a stream holds the address whole, with the token of a browser; the server logs each stream itself. It
    takes a refused stream for an error, and a client that leaves before it has all answers that it asked for at once.
    """
    if record.exc_info and "handler is closed" in str(record.exc_info[1]):
        return False
    needless = ("WebSocket %s", "without completing handshake", "connection open", "connection closed")
    return not any(part in str(record.msg) for part in needless)


def _refusal(status: str, message: str) -> bytes:
    body = to_json({"error": message})
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


class _Stream(WebSocketsSansIOProtocol):
    """A stream, whose handshake is refused as all requests are."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        reject = self.conn.reject

        def refuse(status: Any, text: str) -> Any:
            response = reject(status, to_json({"error": f"{text.partition(chr(10))[0]} Correct it."}).decode())
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = "application/json"
            return response

        self.conn.reject = refuse  # type: ignore[method-assign]


def _connections(seconds: float, most_discarded: float) -> type[asyncio.Protocol]:
    """Returns uvicorn's connections, closed where no request begins in time: uvicorn would wait forever.

    They are also closed if a client sends ever more of a request that is already refused.
    """
    late = _refusal("408 Request Timeout", f"The head of a request did not come in {seconds:g} seconds.")

    class Connection(HttpToolsProtocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._is_in_head, self._head = False, 0
            self._lingers, self._discarded = False, 0
            self.loop.call_later(seconds, self._close_unless_asked, None, 0)

        def data_received(self, data: bytes) -> None:
            if self._lingers or (self.cycle and self.cycle.response_complete and self.cycle.more_body):
                self._discarded += len(data)
                if self._discarded > most_discarded:
                    self.transport.close()
                if self._lingers:
                    return
            if self.cycle is None or not self.cycle.more_body:
                data = _HTTP2.sub(rb"\1ignored\2", data)
            for start in range(0, len(data), HEAD):
                if self._lingers or self.transport.is_closing() or self.transport.get_protocol() is not self:
                    return
                super().data_received(piece := data[start : start + HEAD])
                self._head = self._head + len(piece) if self._is_in_head else 0
                if self._head > 2 * HEAD:  # a piece may end another request
                    self.send_400_response("The head of the request is too large.")

        def on_message_begin(self) -> None:
            self._is_in_head, self._head, self._discarded = True, 0, 0
            super().on_message_begin()

        def on_header(self, name: bytes, value: bytes) -> None:
            if self._is_in_head:  # a trailer behind the body is no header
                super().on_header(name, value)

        def on_headers_complete(self) -> None:
            self._is_in_head = False
            before = self.cycle
            super().on_headers_complete()
            if self.cycle is not before:
                write, is_closing = self.transport.write, self.transport.is_closing
                answered = SimpleNamespace(write=write, is_closing=is_closing, close=self._close_answered)
                self.cycle.transport = answered  # type: ignore[assignment]

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.pipeline:  # requests that wait for this client's earlier ones: uvicorn would read ever more
                self.flow.pause_reading()

        def eof_received(self) -> bool:  # type: ignore[override]
            """Keeps the connection until the answer is sent, where the client has only said that it sends no more."""
            is_answered = self._lingers or (self.cycle and self.cycle.response_started)
            if self._is_in_head or (self.cycle and self.cycle.more_body and not is_answered):
                self.transport.write(_refusal("400 Bad Request", "The request ends too early. Send it whole."))
                return False
            if self.cycle is None or self.cycle.more_body or self.cycle.response_complete or self.scheme != "http":
                return False
            self.cycle.keep_alive = False
            return True

        def _should_upgrade(self) -> bool:
            return self.scope["method"] == "GET" and super()._should_upgrade()

        def send_400_response(self, msg: str) -> None:
            """Refuses what is no request. uvicorn calls it where it has caught what the parser found."""
            if isinstance(found := sys.exception(), HttpParserError):
                cause = "its address is no path" if isinstance(found, HttpParserCallbackError) else found
                msg = f"The request is not HTTP/1.1: {cause}. Correct it. This port takes {self.scheme}."
            self.transport.write(_refusal("400 Bad Request", msg))
            self._linger()

        def _close_answered(self) -> None:
            if self.cycle.more_body:
                self._linger()
            else:
                self.transport.close()

        def _linger(self) -> None:
            """Closes the connection once the client has read its answer: what is unread then would reset it."""
            self._lingers = True
            self.flow.resume_reading()
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self.loop.call_later(LINGER_SECONDS, self.transport.close)

        def _close_unless_asked(self, before: Any, unsent_before: int) -> None:
            """Closes a connection without a request since `before`, the last one, or looks again later.

            It also closes one whose client reads nothing of its answer.
            """
            is_stream = self.transport.get_protocol() is not self
            if self._lingers or self.transport.is_closing() or is_stream:
                return
            unsent = self.transport.get_write_buffer_size()
            if unsent and unsent == unsent_before:
                self.transport.abort()
            elif not unsent and self.cycle is before and (before is None or before.response_complete):
                self.transport.write(late)
                self.transport.close()
            else:
                self.loop.call_later(seconds, self._close_unless_asked, self.cycle, unsent)

    return Connection

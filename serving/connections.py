"""How uvicorn runs the application: its limits, and connections on which no request comes."""

import asyncio
import logging
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.messages import to_json
from serving.options import ServeOptions

HEAD = 65_536  # bytes of the head of a request, about: httptools itself would hold any number


def configuration(application: Starlette, options: ServeOptions) -> uvicorn.Config:
    """Returns how uvicorn runs the application."""
    # Its line for a stream holds the address whole, with the token of a browser; the server logs each stream itself.
    logging.getLogger("uvicorn.error").addFilter(_is_no_stream)
    return uvicorn.Config(
        application,
        host=options.host,
        port=options.port,
        http=_connections(options.seconds),
        ssl_certfile=options.certificate,
        ssl_keyfile=options.key,
        ws_max_size=options.body_bytes,
        timeout_graceful_shutdown=options.shutdown_seconds,
        access_log=False,
        log_config=None,
        server_header=False,
    )


def _is_no_stream(record: logging.LogRecord) -> bool:
    return "WebSocket %s" not in str(record.msg)


def _connections(seconds: float) -> type[asyncio.Protocol]:
    """Returns uvicorn's connections, closed where no request begins in time: uvicorn would wait forever."""
    message = to_json({"error": f"The head of a request did not come in {seconds:g} seconds."})
    late = b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: "
    late += str(len(message)).encode() + b"\r\n\r\n" + message

    class Connection(HttpToolsProtocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._is_in_head, self._head = False, 0
            self.loop.call_later(seconds, self._close_unless_asked, None)

        def data_received(self, data: bytes) -> None:
            for start in range(0, len(data), HEAD):
                if self.transport.is_closing() or self.transport.get_protocol() is not self:
                    return
                super().data_received(piece := data[start : start + HEAD])
                self._head = self._head + len(piece) if self._is_in_head else 0
                if self._head > HEAD:
                    self.send_400_response("The head of the request is too large.")

        def on_message_begin(self) -> None:
            self._is_in_head = True
            super().on_message_begin()

        def on_headers_complete(self) -> None:
            self._is_in_head = False
            super().on_headers_complete()

        def _close_unless_asked(self, before: Any) -> None:
            """Closes a connection without a request since `before`, the last one, or looks again later."""
            if self.transport.is_closing() or self.transport.get_protocol() is not self:  # it is a WebSocket
                return
            if self.cycle is before and (before is None or before.response_complete):
                self.transport.write(late)
                self.transport.close()
            else:
                self.loop.call_later(seconds, self._close_unless_asked, self.cycle)

    return Connection

"""Streams as WebSockets: who may open one, how long it lasts, and how it ends."""

import asyncio
import contextlib
import logging
import time
from concurrent.futures import Executor

from starlette.websockets import WebSocket, WebSocketDisconnect

from serving.errors import RequestError
from serving.exports import Exports
from serving.guard import FAILED, Guard, error_response
from serving.messages import to_json
from serving.options import ServeOptions
from serving.streams import Conversation
from serving.watch import Watch, log_event


class Streams:
    """The streams of a server.

    Args:
        options: how the server runs.
        exports: what is asked.
        executor: computes.
        guard: knows the token.
        watch: is told of each stream.
    """

    def __init__(self, options: ServeOptions, exports: Exports, executor: Executor, guard: Guard, watch: Watch) -> None:
        self._options, self._exports, self._executor = options, exports, executor
        self._guard, self._watch = guard, watch
        self._open = 0

    async def __call__(self, socket: WebSocket) -> None:
        """Answers a stream; see `serving.streams`."""
        try:
            self._guard.check_token(socket.headers.get("authorization", ""), socket.query_params.get("token", ""))
            self._guard.check_origin(socket.headers)
            model = self._exports.model(**socket.path_params)
            most = self._options.streams
            if self._open >= most:
                raise RequestError(f"Expected {most} streams at once at most. Try again later.", 503)
        except RequestError as error:
            await socket.send_denial_response(error_response(error))
            return
        await socket.accept()
        self._open += 1
        self._watch.open_streams.inc()
        conversation, started, code = Conversation(model), time.monotonic(), 1000
        try:
            async with asyncio.timeout(self._options.stream_seconds) as whole:
                await self._converse(socket, conversation)
        except (WebSocketDisconnect, RuntimeError):  # the client has left
            code = 1001
        except TimeoutError:
            allowed = f"a stream of {self._options.stream_seconds:g} seconds at most. Received: a longer one"
            if not whole.expired():
                allowed = f"a message every {self._options.idle_seconds:g} seconds. Received: none"
            code = await _close(socket, 1008, f"The stream took too long. Open another one. Expected {allowed}")
        except RequestError as error:
            code = await _close(socket, 1008, str(error))
        except Exception as error:
            log_event("error", logging.ERROR, exc_info=error)
            code = await _close(socket, 1011, FAILED)
        finally:
            self._open -= 1
            self._watch.open_streams.dec()
            seconds = round(time.monotonic() - started, 3)
            log_event("stream", model=model.name, seconds=seconds, code=code, answers=conversation.answered)

    async def _converse(self, socket: WebSocket, conversation: Conversation) -> None:
        """Answers messages until the stream is finished."""
        loop = asyncio.get_running_loop()
        while not conversation.is_finished:
            async with self._moment():
                message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect
            text: str | None = message.get("text")
            answers = conversation.answers(message["bytes"] if text is None else text)
            while (answer := await loop.run_in_executor(self._executor, next, answers, None)) is not None:
                async with self._moment():
                    await socket.send_text(to_json(answer).decode())
                if not conversation.has_pieces:  # to ask in vain for another answer costs a turn of a thread
                    break
        await socket.close()

    def _moment(self) -> asyncio.Timeout:
        """How long the client may take; `asyncio.wait_for` of Python 3.11 can lose the end of the whole stream."""
        return asyncio.timeout(self._options.idle_seconds)


async def _close(socket: WebSocket, code: int, message: str) -> int:
    with contextlib.suppress(Exception):  # the client may have left
        async with asyncio.timeout(5):
            await socket.send_text(to_json({"error": message}).decode())
        await socket.close(code)
    return code

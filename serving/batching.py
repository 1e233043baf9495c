"""Batches of concurrent requests: while one is computed, those that come wait for the next."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Hashable
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import cancellation

from serving.errors import RequestError
from serving.messages import Arrays, longest

Ask = Callable[..., Arrays]

_thread = threading.local()
# TensorFlow's own is one for the whole process: a call that fails or is late would cancel those of other threads.
cancellation.context = lambda: getattr(_thread, "manager", None)


class Waiting(NamedTuple):
    """A request that waits for its batch: how many rows it has, and the bytes of its longest text."""

    inputs: Arrays
    rows: int
    longest: int
    answer: asyncio.Future


class Batcher:
    """Asks a model for several requests at once.

    A batch begins as soon as a worker is free, so that a lone request never waits; the more come, the larger the
    batches. If a batch fails, each of its requests is asked alone, so that a bad one harms no other. TensorFlow's own
    `nondifferentiable_batch_function` is as fast, but there a bad request fails the whole batch.

    Args:
        executor: computes.
        workers: batches at once.
        most_rows: of a batch.
        most_padded: bytes of a batch's texts, once each is as long as the longest.
        seconds: that an answer may take, and a batch; then it is cancelled.
        report: is told the rows of each batch.
    """

    def __init__(
        self,
        executor: Executor,
        workers: int,
        most_rows: int,
        most_padded: float,
        seconds: float,
        report: Callable[[int], None],
    ) -> None:
        self._executor, self._most_rows, self._most_padded = executor, most_rows, most_padded
        self._seconds, self._report = seconds, report
        self._free = asyncio.Semaphore(workers)
        self._waiting: dict[Hashable, list[Waiting]] = defaultdict(list)

    async def __call__(self, ask: Ask, key: Hashable, inputs: Arrays) -> Arrays:
        """Returns the answer to a request.

        Args:
            ask: the model's signature, which takes inputs by name.
            key: requests of the same key, and of the same shapes but for their rows, share batches; None: with none.
            inputs: arrays (rows, …) by name.

        Raises:
            RequestError: it took too long.
            ConfigurationError: the graph refuses the inputs.
            tf.errors.OpError: TensorFlow does.
        """
        try:
            async with asyncio.timeout(self._seconds):  # those that wait for a worker, too
                return await self._answered(ask, key, inputs)
        except TimeoutError:
            raise self._late() from None

    async def _answered(self, ask: Ask, key: Hashable, inputs: Arrays) -> Arrays:
        if key is None:
            async with self._free:
                return await self._ask(ask, inputs)
        rows = len(next(iter(inputs.values())))
        request = Waiting(inputs, rows, max(map(longest, inputs.values())), asyncio.get_running_loop().create_future())
        shapes = tuple((name, array.shape[1:]) for name, array in inputs.items())
        waiting = self._waiting[key, shapes]
        waiting.append(request)
        if len(waiting) == 1:  # the first calls for a worker, which takes all that wait when it comes
            task = asyncio.create_task(self._work(ask, (key, shapes)))
            task.add_done_callback(lambda done: done.exception())
        return await request.answer

    async def _work(self, ask: Ask, key: Hashable) -> None:
        while key in self._waiting:
            async with self._free:
                batch: list[Waiting] = []
                rows = width = 0
                waiting = self._waiting[key]
                while waiting and (not batch or self._fits(rows + waiting[0].rows, max(width, waiting[0].longest))):
                    request = waiting.pop(0)
                    if not request.answer.done():  # the client has not left
                        batch.append(request)
                        rows, width = rows + request.rows, max(width, request.longest)
                if not waiting:
                    del self._waiting[key]
                if batch:
                    await self._answer(ask, batch)

    def _fits(self, rows: int, width: int) -> bool:
        return rows <= self._most_rows and rows * width <= self._most_padded

    async def _answer(self, ask: Ask, batch: list[Waiting]) -> None:
        names = batch[0].inputs
        joined = {name: np.concatenate([each.inputs[name] for each in batch]) for name in names}
        try:
            answer = await self._ask(ask, joined)
        except Exception as error:
            if len(batch) > 1:
                for each in batch:
                    await self._answer(ask, [each])
            elif not batch[0].answer.done():
                batch[0].answer.set_exception(error)
            return
        self._report(sum(each.rows for each in batch))
        start = 0
        for each in batch:
            if not each.answer.done():
                each.answer.set_result({name: array[start : start + each.rows] for name, array in answer.items()})
            start += each.rows

    async def _ask(self, ask: Ask, inputs: Arrays) -> Arrays:
        manager = cancellation.CancellationManager()

        def compute() -> Arrays:
            _thread.manager = manager
            try:
                return ask(**inputs)
            finally:
                _thread.manager = None

        loop = asyncio.get_running_loop()
        late = loop.call_later(self._seconds, manager.start_cancel)
        try:
            return await loop.run_in_executor(self._executor, compute)
        except asyncio.CancelledError:  # nobody waits any more
            manager.start_cancel()
            raise
        except tf.errors.CancelledError:
            raise self._late() from None
        finally:
            late.cancel()

    def _late(self) -> RequestError:
        return RequestError(
            f"The answer took too long. Expected {self._seconds:g} seconds at most. Ask for less at once. "
            "Received: no answer in time",
            504,
        )

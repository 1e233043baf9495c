"""What all tests share."""

import copy
import functools
import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from unrolled_installation import collect_garbage_seldom

REPOSITORY = Path(__file__).parent.parent
OF_MAKE = {"MFLAGS", "PRESET", "ARGS", "RESUME", "RUN", "AUDIO", "SLOW", "PYTHON3"}
BYTES_A_WORKER = 4e9  # TensorFlow, and what a test trains or a process that it starts; a worker with more is replaced
SECONDS_TO_END = 20
MODELS_KEPT = 8  # of those that tests load; a worker has a task, or the server's eight models, at a time
TRAINED = {"trained_run", "train_tiny", "every_export", "whole_and_resumed", "same_on_two_devices"}  # fixtures
SMALLEST_TASK = "tests/pipelines/video/clip_classes/"
if "PYTEST_XDIST_WORKER" in os.environ:  # one for each core: more threads would wait for one another
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
collect_garbage_seldom()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks as slow what waits for a training, but the smallest task's: there `make test` goes the whole way."""
    for item in items:
        is_smallest = item.nodeid.startswith(SMALLEST_TASK)
        if TRAINED & set(getattr(item, "fixturenames", ())) and not is_smallest:
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """Keeps what is imported out of the garbage collections to come."""
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Returns one worker for each core that has memory enough."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(os.cpu_count() or 1, int(memory / BYTES_A_WORKER)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Returns a scheduler for `--dist loadfile` that also keeps a task on one worker, which trains its run once.

    The mark `xdist_group` would say the same, but pytest 9.2 ignores the names by which pytest-xdist 3.8 groups.
    TensorFlow keeps much of what a process has traced and compiled, so the scheduler sends a large worker home.
    """
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class LoadTaskScheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid.partition("::")[0])

        def _assign_work_unit(self, node: Any) -> None:
            # Of the queue, which is in the order of numbers of tests: a long one that starts last would end alone.
            self.workqueue.move_to_end(max(self.workqueue, key=slowness), last=False)
            super()._assign_work_unit(node)

        def _reschedule(self, node: Any) -> None:
            work = self.assigned_work[node]
            is_nearly_done = work and self._pending_of(work) <= 2
            if self.workqueue and is_nearly_done and bytes_of(node) > BYTES_A_WORKER:
                node.is_replaced = True
                node.shutdown()
            super()._reschedule(node)

    return LoadTaskScheduling(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Starts a new worker in the place of one that ended because it had become too large."""
    if error is None and getattr(node, "is_replaced", False):
        node.config.pluginmanager.getplugin("dsession")._clone_node(node)
        node.gateway.exit()  # pytest-xdist would let the process wait for the others, with its memory
        killer = threading.Timer(SECONDS_TO_END, node.gateway._io.kill)  # whatever threads its tests have left
        killer.daemon = True
        killer.start()


def bytes_of(node: Any) -> int:
    """Returns the memory that a worker holds, 0 where the system does not tell."""
    statistics = Path(f"/proc/{node.gateway._io.popen.pid}/statm")
    return int(statistics.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statistics.exists() else 0


def group(file: str) -> str:
    """Returns the folder of a file whose `conftest.py` trains models, otherwise the file itself."""
    folder = Path(file).parent
    conftest = REPOSITORY / folder / "conftest.py"
    text = conftest.read_text(encoding="utf-8") if conftest.exists() else ""
    return str(folder) if "\ndef experiment(" in text or "\ndef every_export(" in text else file


@functools.cache
def slowness(group: str) -> int:
    """Returns 2 for a folder that trains, 1 for a file with slow tests, and 0 for others."""
    path = REPOSITORY / group
    return 2 if path.is_dir() else int("mark.slow" in path.read_text(encoding="utf-8"))


@pytest.fixture(autouse=True, scope="session")
def without_outer_make() -> Iterator[None]:
    """Takes away what `make test ARGS=…` hands down, which the makes that tests start would obey."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name in OF_MAKE or name.startswith("MAKE"):
                patch.delenv(name)
        yield


@pytest.fixture(autouse=True, scope="session")
def models_are_built_once() -> Iterator[None]:
    """Lets predictors of the same files share their network and its graphs, which take seconds to build and trace.

    Each is a new predictor, so that what a test sets on one is not seen by another.
    """
    from pipelines.predictors import Found

    build, built = Found.predictor, dict[Any, Any]()

    def predictor(found: Found) -> Any:
        files = [path for path in found.folder.rglob("*") if path.is_file()]
        key = found.folder, frozenset((path, path.stat().st_mtime_ns) for path in files)
        if key not in built:
            if len(built) == MODELS_KEPT:
                del built[next(iter(built))]
            built[key] = build(found)
        return copy.copy(built[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Found, "predictor", predictor)
        yield

"""What is compared. Each side runs in a process of its own and knows nothing of the others."""

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from typing import Protocol

from benchmarks.workload import Workload

Call = Callable[[], object]

MODULES = {
    "models": "benchmarks.sides.tensorflow_layers",
    "keras": "benchmarks.sides.tensorflow_layers",
    "torch": "benchmarks.sides.torch_layers",
    "products": "benchmarks.sides.products",
}
"""The module that holds each side; "products" are the matrix products alone, the limit for all others."""


class Side(Protocol):
    """One side: every variant in which it can do a piece of work, the one its users get first."""

    def about(self) -> dict[str, str]:
        """Returns versions and numbers of threads."""

    def variants(self, workload: Workload) -> Mapping[str, Callable[[], Call]]:
        """Returns, by name, functions that build the work and return the call to be timed."""


def open_side(name: str) -> Side:
    """Imports a side, and with it its framework."""
    side: Side = importlib.import_module(MODULES[name]).open_side(name)
    return side


def available() -> list[str]:
    """The sides whose framework is installed; all but PyTorch always are."""
    return [name for name in MODULES if name != "torch" or importlib.util.find_spec("torch")]

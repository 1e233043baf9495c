"""What all tests share."""

import os
from collections.abc import Iterator

import pytest

OF_MAKE = {"MFLAGS", "PRESET", "ARGS", "RESUME", "RUN", "AUDIO", "SLOW", "PYTHON3"}


@pytest.fixture(autouse=True, scope="session")
def without_outer_make() -> Iterator[None]:
    """Takes away what `make test ARGS=…` hands down, which the makes that tests start would obey."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name in OF_MAKE or name.startswith("MAKE"):
                patch.delenv(name)
        yield

"""What several tests of the models share."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture(scope="session")
def oracle():
    """The recurrences in NumPy; test folders are no packages, so the file is run rather than imported."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "recurrence" / "oracle.py")))

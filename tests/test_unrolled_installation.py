"""Other modules of our packages' names, and libraries that are missing, in processes of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_import_rule import PIPELINES, REPOSITORY

API = "import unrolled; unrolled.LSTM"
PIPELINE = "import pipelines; import data.packages; from models import LSTM"


def python(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A process that looks in this folder first, as `python -c` does, and has ours on its path."""
    path = {"PYTHONPATH": str(REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "2"}  # else `pipelines` imports TensorFlow first
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=path, capture_output=True, text=True, timeout=120
    )


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path


@pytest.mark.parametrize("program", [API, PIPELINE], ids=["unrolled", "pipelines"])
@pytest.mark.parametrize("other", ["models/__init__.py", "models.py", "data/__init__.py", "data.py"])
def test_another_package_of_the_name_is_named(other: str, program: str, tmp_path: Path) -> None:
    path = write(tmp_path / other)
    done = python(program, tmp_path)
    name = other.partition("/")[0].removesuffix(".py")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"ImportError: Another `{name}` hides the package `{name}` of Unrolled. Rename it, or run Python from another "
        f"folder. Expected: {REPOSITORY / name}. Received: {path}"
    )


def test_another_one_that_is_imported_already_is_named(tmp_path: Path) -> None:
    write(tmp_path / "models.py")
    done = python("import models, sys; sys.path.remove(''); import unrolled", tmp_path)
    assert f"Received: {tmp_path / 'models.py'}" in done.stderr.splitlines()[-1]


def test_a_folder_that_is_missed_hides_nothing(tmp_path: Path) -> None:
    """A user's `data/` of tables, and `models/` of weights, are no packages."""
    for file in ("data/measurements.csv", "models/best.keras", "pipelines/notes.txt"):
        write(tmp_path / file)
    done = python(f"{API}; {PIPELINE}", tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("pipeline", "library"), [("speech", "jiwer"), ("series", "pandas"), ("video", "cv2")])
def test_without_its_extra_a_pipeline_names_it(pipeline: str, library: str, tmp_path: Path) -> None:
    program = f"import sys; sys.modules['{library}'] = None; import pipelines.{pipeline}"
    last = python(program, tmp_path).stderr.splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: ")
    assert f"pip install 'unrolled[{pipeline}]'" in last
    assert last.endswith(f"Received: no {library}")


def test_without_any_extra_all_are_named(tmp_path: Path) -> None:
    program = "import sys; sys.modules.update(pydantic=None, tyro=None); import pipelines.speech"
    last = python(program, tmp_path).stderr.splitlines()[-1]
    assert last.endswith("Received: no pydantic, no tyro")
    assert all(f"'unrolled[{name}]'" in last for name in PIPELINES)

"""Other modules of our packages' names, missing libraries, and TensorFlow's start, in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_import_rule import PIPELINES, REPOSITORY

API = "import unrolled; unrolled.LSTM"
PIPELINE = "import pipelines; import data.packages; from models import LSTM"
NOISE = b"I0000 00:00:1 1 port.cc:153] oneDNN custom operations are on. You may see slightly different results.\n"
TROUBLE = b"F0000 00:00:1 1 cpu_feature_guard.cc:9] needs AVX\n"


def python(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A process that looks in this folder first, as `python -c` does, and has ours on its path."""
    path = {"PYTHONPATH": str(REPOSITORY)}
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


@pytest.mark.slow
def test_a_folder_that_is_missed_hides_nothing(tmp_path: Path) -> None:
    """A user's `data/` of tables, and `models/` of weights, are no packages."""
    for file in ("data/measurements.csv", "models/best.keras", "pipelines/notes.txt"):
        write(tmp_path / file)
    done = python(f"{API}; {PIPELINE}", tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), "TensorFlow writes nothing either"


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


def started(folder: Path, tensorflow: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A process that imports `pipelines` and TensorFlow, which is this module."""
    (folder / "tensorflow.py").write_text(f"import os\nos.write(2, {NOISE!r})\n{tensorflow}\n")
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"} | variables
    environment["PYTHONPATH"] = f"{folder}:{REPOSITORY}"
    command = [sys.executable, "-c", "import os, pipelines, tensorflow; os.write(2, b'after')"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def test_the_greeting_is_kept_back(tmp_path: Path) -> None:
    done = started(tmp_path, "")
    assert (done.returncode, done.stderr) == (0, "after")


def test_a_user_who_sets_the_level_sees_it(tmp_path: Path) -> None:
    assert started(tmp_path, "", TF_CPP_MIN_LOG_LEVEL="0").stderr == NOISE.decode() + "after"


@pytest.mark.parametrize("end", ["raise ImportError('broken')", "os.abort()"])
def test_the_last_words_of_a_failing_start_are_shown(tmp_path: Path, end: str) -> None:
    done = started(tmp_path, f"os.write(2, {TROUBLE!r})\n{end}")
    assert done.returncode != 0
    assert TROUBLE.decode() in done.stderr
    assert "oneDNN" not in done.stderr
    assert ("ImportError: broken" in done.stderr) == end.startswith("raise")


def test_who_stops_it_sees_no_traceback(tmp_path: Path) -> None:
    done = started(tmp_path, "raise KeyboardInterrupt")
    assert (done.returncode, done.stderr) == (130, "\nStopped.\n")


def test_without_a_terminal_it_starts_as_well(tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").touch()
    command = (
        f"cd {tmp_path} && PYTHONPATH={tmp_path}:{REPOSITORY} exec {sys.executable} -c 'import pipelines, tensorflow'"
    )
    command += " 2>&-"
    assert subprocess.run(command, shell=True, timeout=60, check=False).returncode == 0


def test_a_command_loads_keras_without_what_its_wrappers_alone_use(tmp_path: Path) -> None:
    (tmp_path / "keras.py").write_text("try:\n    import sklearn\nexcept ImportError:\n    sklearn = None\n")
    (tmp_path / "sklearn.py").touch()
    program = "from unrolled_installation import lighten_keras; lighten_keras(); import keras, sklearn, matplotlib"
    done = python(f"{program}; print(keras.sklearn, sklearn.__name__, matplotlib.__name__)", tmp_path)
    assert done.stdout == "None sklearn matplotlib\n", done.stderr

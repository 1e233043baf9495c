"""The wheel: what it holds, and that it installs and imports where the repository is not."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.test_dependencies import declared, distributions
from tests.test_import_rule import PIPELINES, REPOSITORY, modules

TOP = ("unrolled_installation.py",)


def python(*arguments: str, folder: Path, path: Path | str = "") -> str:
    """What Python prints, started in a folder with this path."""
    command = [sys.executable, *arguments]
    environment = os.environ | {"PYTHONPATH": str(path)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy, for setuptools takes up what an earlier build left in `build/`."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    left_out = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "runs", "exports", "_build")
    shutil.copytree(REPOSITORY, source, ignore=left_out)
    offline = ["--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    python("-m", "pip", "wheel", *offline, "--wheel-dir", str(folder), str(source), folder=folder)
    (built,) = folder.glob("*.whl")
    return built


def test_it_holds_the_product_and_nothing_else(wheel: Path) -> None:
    expected = {str(path.relative_to(REPOSITORY)) for path in modules()} | {*TOP}
    expected |= {f"{package}/py.typed" for package in ("models", "data", "pipelines", "serving", "unrolled")}
    expected |= {str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "serving" / "page").iterdir()}
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == expected


def test_it_offers_the_command_and_an_extra_for_each_pipeline(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        texts = {Path(name).name: file.read(name).decode() for name in file.namelist() if ".dist-info/" in name}
    assert "unrolled = pipelines.__main__:main" in texts["entry_points.txt"]
    assert {f"Provides-Extra: {name}" for name in (*PIPELINES, "all")} <= set(texts["METADATA"].splitlines())


@pytest.mark.slow
def test_it_installs_and_imports_with_the_base_alone(wheel: Path, tmp_path: Path) -> None:
    """All of `models`, too, without the libraries that only the extras bring."""
    installed = tmp_path / "installed"
    offline = ["--no-deps", "--no-index", "--disable-pip-version-check"]
    python("-m", "pip", "install", *offline, "--target", str(installed), str(wheel), folder=tmp_path)
    extra = declared("all") - declared() - {"rich", "protobuf"}  # Keras and TensorFlow need them
    blocked = [name for name, brought in distributions().items() if brought & extra]
    program = f"""
import importlib, pkgutil, sys
sys.modules.update(dict.fromkeys({blocked!r}))
import unrolled, models
for module in pkgutil.walk_packages(models.__path__, "models."):
    importlib.import_module(module.name)
print(unrolled.__file__, models.__file__, unrolled.LSTM(3).units, unrolled.__version__)
"""
    printed = python("-c", program, folder=tmp_path, path=installed)
    files = [str(installed / package / "__init__.py") for package in ("unrolled", "models")]
    assert printed.split() == [*files, "3", wheel.name.split("-")[1]]

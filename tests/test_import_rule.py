"""Who may import whom: `models` and `data` nothing of ours; a pipeline those two and the shared modules.

The server stands on the shared modules and imports no pipeline; the command line alone imports the server.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
OURS = {"models", "data", "pipelines", "serving", "tests", "benchmarks", "unrolled", "unrolled_installation"}
PIPELINES = {folder.name for folder in (REPOSITORY / "pipelines").iterdir() if folder.is_dir()} - {"__pycache__"}


def imported_names(source: str, package: str) -> Iterator[str]:
    """Yield the dotted name of everything that a module of `package` imports, relative imports resolved."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parts, node.module] if node.module else parts)
            # `from pipelines import speech` imports pipelines.speech
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in ("import_module", "__import__") and isinstance(node.args[0], ast.Constant):
                yield str(node.args[0].value)


def unit(module: str, pipelines: set[str] = PIPELINES) -> str:
    """Return the part that a dotted name belongs to: `models`, `data`, `pipelines`, `pipelines.speech`."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "pipelines" and parts[1:2] and parts[1] in pipelines else parts[0]


def violations(source: str, package: str, pipelines: set[str] = PIPELINES, is_command_line: bool = False) -> list[str]:
    """Return the names that a module of `package` imports against the rule."""
    own = unit(package, pipelines)
    allowed = {own}
    if own.startswith("pipelines"):
        allowed |= {"models", "data", "pipelines", "unrolled_installation"}
    if own == "serving":
        allowed |= {"pipelines", "unrolled_installation"}
    if own == "unrolled":
        allowed |= {"models", "pipelines", "serving", "unrolled_installation", *map("pipelines.{}".format, pipelines)}
    if is_command_line:
        allowed.add("serving")
    return [
        name
        for name in imported_names(source, package)
        if name.split(".")[0] in OURS and unit(name, pipelines) not in allowed
    ]


def modules() -> list[Path]:
    return sorted(
        path
        for name in ("models", "data", "pipelines", "serving", "unrolled")
        for path in (REPOSITORY / name).rglob("*.py")
    )


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_module_keeps_the_rule(path: Path) -> None:
    package = ".".join(path.parent.relative_to(REPOSITORY).parts)
    is_command_line = path == REPOSITORY / "pipelines" / "__main__.py"
    assert violations(path.read_text(encoding="utf-8"), package, is_command_line=is_command_line) == []


@pytest.mark.parametrize(
    ("source", "package", "found"),
    [
        ("import data.packages", "models", ["data.packages"]),
        ("from pipelines.runs import Run", "models.layers", ["pipelines.runs.Run"]),
        ("import models", "data", ["models"]),
        ("import unrolled, unrolled_installation", "models", ["unrolled", "unrolled_installation"]),
        ("import unrolled, unrolled_installation", "pipelines.nlp", ["unrolled"]),
        ("from pipelines.speech import model", "pipelines.nlp", ["pipelines.speech.model"]),
        ("from pipelines import speech, runs", "pipelines.nlp", ["pipelines.speech"]),
        ("from serving.main import serve", "pipelines", ["serving.main.serve"]),
        ("from pipelines import served\nimport pipelines.speech, models", "serving", ["pipelines.speech", "models"]),
        ("from ..speech.data import load", "pipelines.nlp", ["pipelines.speech.data.load"]),
        ("from .. import speech", "pipelines.nlp", ["pipelines.speech"]),
        ("from .speech import data", "pipelines", ["pipelines.speech.data"]),
        ("def later():\n    import tests.helpers", "pipelines.nlp", ["tests.helpers"]),
        ("import importlib\nimportlib.import_module('data.splits')", "models", ["data.splits"]),
        ("from models import LSTM\nimport data.splits\nfrom pipelines.runs import Run", "pipelines.nlp", []),
        ("from .model import build\nfrom .. import runs\nimport numpy, database", "pipelines.nlp", []),
        ("from models.recurrence import scan\nfrom . import losses", "models", []),
    ],
)
def test_checker_finds_exactly_what_breaks_the_rule(source: str, package: str, found: list[str]) -> None:
    assert violations(source, package, pipelines={"speech", "nlp"}) == found

"""The reference pages: built without a warning, with every public name, its equations and its example."""

import doctest
import html
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parent.parent
MODULES = [
    "models",
    "models.recurrence",
    "models.losses",
    "models.decoding",
    "models.conversion",
    "models.gradient_flow",
]


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The HTML of each name, from its signature to the next one's."""
    folder = tmp_path_factory.mktemp("pages")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "docs", str(folder)]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    found = {}
    for page in folder.glob("*.html"):
        parts = re.split(r'<dt class="[^"]*" id="(models[^"]*)">', page.read_text(encoding="utf-8"))
        found |= dict(zip(parts[1::2], parts[2::2], strict=True))
    return found


def public_names(module_name: str) -> list[str]:
    module = importlib.import_module(module_name)
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module_name]
    return getattr(module, "__all__", [name for name in own if not name.startswith("_")])


def with_methods(anchor: str, value: Any) -> dict[str, Any]:
    """A class or function, and the methods that have a docstring of their own, by anchor."""
    members = {name: getattr(member, "__func__", member) for name, member in getattr(value, "__dict__", {}).items()}
    methods = {
        f"{anchor}.{name}": member
        for name, member in members.items()
        if inspect.isfunction(member) and member.__name__ == name and not name.startswith("_") and member.__doc__
    }
    return {anchor: value, **methods}


def equations_and_examples(docstring: str) -> list[str]:
    """The lines of examples, and those that stand further in than the line before them and the empty one between."""
    examples = doctest.DocTestParser().get_examples(docstring)
    lines = [line for example in examples for line in (example.source + example.want).splitlines()]
    indented = r"^( *)\S.*\n\n(\1 +(?!>>>)\S.*(?:\n\1 .*)*)"
    for _, block in re.findall(indented, inspect.cleandoc(docstring), re.MULTILINE):
        lines += block.splitlines()
    return [line.strip() for line in lines if line.strip()]


def code_lines(content: str) -> set[str]:
    """The lines of the blocks that keep their lines, without prompts."""
    text = "\n".join(re.findall(r"<pre>(.*?)</pre>", content, re.DOTALL))
    lines = html.unescape(re.sub(r"<[^>]*>", "", text)).splitlines()
    return {re.sub(r"^(>>>|\.\.\.) ?", "", line).strip() for line in lines}


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_has_its_entry_with_equations_and_example(module: str, entries: dict[str, str]) -> None:
    names = public_names(module)
    assert names
    for name in names:
        value = getattr(importlib.import_module(module), name)
        for anchor, part in with_methods(f"{module}.{name}", value).items():
            assert anchor in entries
            missing = set(equations_and_examples(part.__doc__)) - code_lines(entries[anchor])
            assert not missing, f"{anchor} lacks {missing}"


@pytest.mark.slow
def test_signatures_of_layers_list_their_arguments(entries: dict[str, str]) -> None:
    for name in ("LSTM", "GRU", "SimpleRNN", "MinGRU", "MinLSTM"):
        signature = entries[f"models.{name}"].split("</dt>")[0]
        assert "units" in signature and "return_sequences" in signature


@pytest.mark.slow
def test_nothing_private_and_no_second_name_has_an_entry(entries: dict[str, str]) -> None:
    assert not [anchor for anchor in entries if "._" in anchor or anchor.endswith((".state_type", ".recurrence_type"))]


def test_equations_and_examples_are_told_from_text() -> None:
    docstring = """A square.

    With x the side:

        y = x x
          = x²

    Args:
        x: the side.

    Returns:
        The area.

        In square metres.

    Example:
        Of two.

        >>> square(2)
        4
    """
    assert equations_and_examples(docstring) == ["square(2)", "4", "y = x x", "= x²"]

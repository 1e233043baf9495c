"""Every library that a part of the product imports is one that its extra in `setup.cfg` installs, and none is more."""

import ast
import configparser
import re
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.test_import_rule import OURS, PIPELINES, REPOSITORY, imported_names, modules

# The extras of formats, which no pipeline needs.
FORMATS = ("onnx", "litert", "microphone", "zarr")
# What uses these is left out, with a message, where they are missing.
PEERS = ("peers", "bench", *FORMATS)
# The extra that installs what a part needs; "" is the installation without extras.
EXTRAS = {"models": "", "pipelines": "common", "serving": "serve", "data": "all"}
EXTRAS |= {f"pipelines.{name}": name for name in PIPELINES}
# Of `models`, the drawing of a figure needs more than the layers do; of speech, a microphone; files of zstd; of
# videos, Zarr stores.
OPTIONAL = {
    "pipelines": {"pyarrow"},
    "models": {"matplotlib"},
    "pipelines.speech": {"pyarrow", "sounddevice"},
    "pipelines.video": {"pyarrow", "zarr"},
    "serving": {"ray"},
}
# Declared for a library of ours that imports them, or for what reads our files.
INDIRECT = {"importlib-resources", "pyarrow", "tensorboard", "websockets"}


@cache
def declared(*extras: str) -> set[str]:
    """The names of the distributions that an installation with these extras brings, spelled alike."""
    settings = configparser.ConfigParser()
    settings.read(REPOSITORY / "setup.cfg")
    names, waiting = set[str](), [settings["options"]["install_requires"]]
    waiting += [settings["options.extras_require"][extra] for extra in extras if extra]
    while waiting:
        for name, own in re.findall(r"^\s*([A-Za-z0-9][\w.-]*)(?:\[(.*)\])?", waiting.pop(), re.MULTILINE):
            if name == "unrolled":
                waiting += [settings["options.extras_require"][extra] for extra in own.split(",")]
            else:
                names.add(spelled_alike(name))
    return names


def spelled_alike(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def distributions() -> dict[str, set[str]]:
    """The distributions that bring each importable name."""
    return {name: set(map(spelled_alike, brought)) for name, brought in packages_distributions().items()}


def undeclared(libraries: Iterable[str], *extras: str) -> set[str]:
    """The libraries that an installation with these extras does not bring."""
    return {name for name in libraries if not distributions().get(name, {name}) & declared(*extras)}


@cache
def files() -> dict[str, Path]:
    """The file of each of our modules, by dotted name."""
    return {".".join(path.relative_to(REPOSITORY).with_suffix("").parts): path for path in modules()} | {
        ".".join(path.parent.relative_to(REPOSITORY).parts): path for path in modules() if path.stem == "__init__"
    }


def libraries(part: str) -> set[str]:
    """The libraries that are imported by a part of the product, and by what it imports of ours."""
    waiting = [name for name in files() if part_of(name) == part]
    seen, found = set[str](), set[str]()
    while waiting:
        module = waiting.pop()
        if module in seen or module not in files():
            continue
        seen.add(module)
        path = files()[module]
        for name in imported_names(path.read_text(encoding="utf-8"), ".".join(path.relative_to(REPOSITORY).parts[:-1])):
            parts = name.split(".")
            if parts[0] == "serving" != part:  # the command line imports it when it is asked for
                continue
            if parts[0] in OURS:  # each package on the way runs, too
                waiting += [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
            elif parts[0] not in sys.stdlib_module_names:
                found.add(parts[0])
    return found


def part_of(module: str) -> str:
    """Returns the part that a module belongs to: `models`, `data`, `pipelines`, `pipelines.speech`."""
    parts = module.split(".")
    return ".".join(parts[:2]) if len(parts) > 1 and parts[1] in PIPELINES else parts[0]


def checked(package: str) -> set[str]:
    """The libraries that a package names in its `check_libraries([…], …)`."""
    calls = [node for node in ast.walk(ast.parse(files()[package].read_text())) if isinstance(node, ast.Call)]
    call = next(call for call in calls if getattr(call.func, "id", "") == "check_libraries")
    return set(ast.literal_eval(call.args[0]))


@pytest.mark.parametrize("part", sorted(EXTRAS))
def test_what_is_imported_is_declared(part: str) -> None:
    assert libraries(part) >= {"numpy"}
    assert undeclared(libraries(part), EXTRAS[part], *PEERS) <= OPTIONAL.get(part, set())


def test_a_library_that_is_not_declared_is_found() -> None:
    """The test above can fail."""
    assert undeclared(["numpy", "sklearn", "antigravity_of_nobody"], "nlp") == {"antigravity_of_nobody"}
    assert undeclared(["numpy", "sklearn", "scipy", "jiwer"], "speech") == {"sklearn"}
    assert undeclared(["numpy", "keras", "scipy"]) == {"scipy"}


@pytest.mark.parametrize("name", sorted(PIPELINES))
def test_an_extra_carries_nothing_else(name: str) -> None:
    used = {brought for library in libraries(f"pipelines.{name}") for brought in distributions().get(library, ())}
    assert declared(name) - declared("common") - INDIRECT <= used


def test_what_pipelines_share_is_used_by_two_of_them() -> None:
    used = [distributions().get(library, set()) for name in PIPELINES for library in libraries(f"pipelines.{name}")]
    for distribution in declared("common") - declared() - INDIRECT:
        assert sum(distribution in brought for brought in used) >= 2, distribution


def test_all_are_the_extras_of_all_pipelines_the_server_and_formats() -> None:
    assert declared("all") == declared(*PIPELINES, "serve", *FORMATS)


@pytest.mark.parametrize("name", sorted(PIPELINES))
def test_a_pipeline_names_the_libraries_that_its_extra_brings(name: str) -> None:
    """Without them, its import ends with the extra's name: see `unrolled_installation`."""
    needed = {library for library in libraries(f"pipelines.{name}") if undeclared([library], *PEERS)}
    needed -= OPTIONAL.get(f"pipelines.{name}", set())
    named = checked("pipelines") | checked(f"pipelines.{name}")
    assert needed <= named
    assert checked(f"pipelines.{name}") <= needed
    assert not undeclared(named, name)

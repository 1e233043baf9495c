"""Every library that the product imports is one that `setup.cfg` installs."""

import configparser
import re
import sys
from functools import cache
from importlib.metadata import packages_distributions

from tests.test_import_rule import OURS, REPOSITORY, imported_names, modules

# What uses these is left out, with a message, where they are missing.
EXTRAS = ("peers", "bench")


@cache
def declared() -> set[str]:
    """The names of the distributions that an installation brings, spelled alike."""
    settings = configparser.ConfigParser()
    settings.read(REPOSITORY / "setup.cfg")
    lines = [settings["options"]["install_requires"], *(settings["options.extras_require"][extra] for extra in EXTRAS)]
    names = re.findall(r"^\s*([A-Za-z0-9][\w.-]*)", "\n".join(lines), re.MULTILINE)
    return {spelled_alike(name) for name in names}


def spelled_alike(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def distributions() -> dict[str, set[str]]:
    """The distributions that bring each importable name."""
    return {name: set(map(spelled_alike, brought)) for name, brought in packages_distributions().items()}


def undeclared(source: str, package: str) -> set[str]:
    """The libraries that a module imports and nothing declares."""
    top = {name.partition(".")[0] for name in imported_names(source, package)}
    foreign = top - OURS - set(sys.stdlib_module_names)
    return {name for name in foreign if not distributions().get(name, {name}) & declared()}


def test_what_is_imported_is_declared() -> None:
    missing = {
        f"{path.relative_to(REPOSITORY)}: {name}"
        for path in modules()
        for name in undeclared(path.read_text(encoding="utf-8"), ".".join(path.relative_to(REPOSITORY).parts[:-1]))
    }
    assert not missing


def test_a_library_that_is_not_declared_is_found() -> None:
    """The test above can fail."""
    assert undeclared("import numpy, antigravity_of_nobody\nfrom sklearn import svm\n", "models") == {
        "antigravity_of_nobody"
    }

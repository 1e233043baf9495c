"""The version of a release, which several files state."""

import configparser
import re

from tests.test_import_rule import REPOSITORY


def stated(file: str, pattern: str) -> str:
    """The first match in a file."""
    match = re.search(pattern, (REPOSITORY / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert match, f"{file} states no version"
    return match[1]


def test_all_files_state_the_same_version() -> None:
    settings = configparser.ConfigParser()
    settings.read(REPOSITORY / "setup.cfg")
    version = settings["metadata"]["version"]
    assert stated("CITATION.cff", r"^version: (\S+)$") == version
    assert stated("CHANGELOG.md", r"^## (\S+)") == version
    assert version.startswith(stated("SECURITY.md", r"latest minor version: (\d+\.\d+)\.") + ".")

"""The dialogue scripts of the game Fish Fillets: the English original of each line, and its translation."""

import re
from typing import NamedTuple

from data.packages import Package
from data.speech_corpus import ALTERNATIVE

DIALOGUE_PACKAGE = Package(
    "apt",
    "fillets-ng-data",
    version="1.0.1-1.1",
    sha256="25de89afd8b1adf7bcace8290248a6a22c89cd42300317e69000e162c032cf84",
    alternative=ALTERNATIVE,
)
_STRING = r'"((?:[^"\\]|\\.)*)"'
_ENTRY = re.compile(rf"dialogId\(\s*{_STRING}\s*,\s*{_STRING}\s*,\s*{_STRING}\s*\)(?:\s*dialogStr\(\s*{_STRING}\s*\))?")


class Entry(NamedTuple):
    """One entry of a dialogue script: its English original, and its translation (None if there is none)."""

    name: str
    english: str
    translation: str | None


def dialogue_entries(script: str) -> list[Entry]:
    r"""Returns the entries of a dialogue script.

    >>> dialogue_entries('dialogId("a", "font", "Yes.")\ndialogStr("Ano.")')
    [Entry(name='a', english='Yes.', translation='Ano.')]
    """
    return [
        Entry(name, _unescape(english), None if translation is None else _unescape(translation))
        for name, _, english, translation in (match.groups() for match in _ENTRY.finditer(script))
    ]


def _unescape(string: str) -> str:
    return re.sub(r"\\(.)", r"\1", string)

"""Texts that a user types, and how messages name texts."""

import reprlib
from collections.abc import Sequence

from pipelines.configuration import ConfigurationError

CHARACTERS = 300  # of a text that are shown
NAMED = 5  # things that a message names; it counts the others
_SHORT = reprlib.Repr()
_SHORT.maxstring = 80


def refuse_undecodable(texts: Sequence[str]) -> None:
    r"""Refuses texts that were typed in another encoding than UTF-8.

    Python hands on bytes of the command line that it cannot read as halves of surrogate pairs.

    Raises:
        ConfigurationError: there is such a text.

    Example:
        >>> refuse_undecodable(["café", "caf\udce9"])
        Traceback (most recent call last):
        ...
        pipelines.configuration.ConfigurationError: Text 2 is not UTF-8. ... Received: 'caf\udce9'
    """
    for number, text in enumerate(texts, start=1):
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ConfigurationError(
                f"Text {number} is not UTF-8. Expected text in the encoding of the terminal, UTF-8. Type it anew, or "
                f"convert it: iconv -f latin1 -t utf-8. Received: {_SHORT.repr(text)}"
            ) from None


def shortened(text: str) -> str:
    """Returns a text as it is shown: its beginning, if it is long."""
    return text if len(text) <= CHARACTERS else f"{text[:CHARACTERS]} …"


def listed(names: Sequence[str], separator: str = ", ") -> str:
    """Names some things, and counts them if they are more.

    >>> listed(["a", "b"]), listed(list("abcdefgh"))
    ('a, b', 'a, b, c, d, e … (8 in all)')
    """
    return separator.join(names[:NAMED]) + (f" … ({len(names)} in all)" if len(names) > NAMED else "")

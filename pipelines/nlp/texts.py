"""Texts that a user types, and how messages name texts."""

import re
import reprlib
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from data.files import FileError
from pipelines.configuration import ConfigurationError

CHARACTERS = 300  # of a text that are shown
# Characters of scripts that are written without spaces between words, for Python and RE2, which TensorFlow has: each
# counts as one. Thai to Tibetan, Myanmar, Khmer, Tai and Javanese; Han with its radicals, kana, Bopomofo and Yi.
SPACELESS = (
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\u1b00-\u1b7f\u2e80-\u2fdf\u3005\u3007"
    "\u3021-\u3029\u3038-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua980-\ua9ff"
    "\uaa60-\uaadf\uf900-\ufaff\uff66-\uff9f\U0001aff0-\U0001b16f\U00020000-\U0003ffff]"
)
SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxother = 120


TextDataError: TypeAlias = FileError
"""Text of the user that cannot be used; the message names the file, the line and the remedy."""


def refuse_undecodable(texts: Sequence[str]) -> None:
    r"""Refuses texts that came in another encoding than UTF-8.

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
                f"Text {number} is not UTF-8. Expected text without halves of surrogate pairs. Decode it with "
                f"its own encoding, or convert it: iconv -f latin1 -t utf-8. Received: {SHORT.repr(text)}"
            ) from None


def checked_texts(texts: Iterable[str]) -> list[str]:
    """Returns texts as a list; refuses what is not a string of UTF-8.

    Raises:
        ConfigurationError: there is such a text.

    Example:
        >>> checked_texts(["a", None])
        Traceback (most recent call last):
        ...
        pipelines.configuration.ConfigurationError: Text 2 is not a string. ... Received: None
    """
    every = list(texts)
    for number, text in enumerate(every, start=1):
        if not isinstance(text, str):
            raise ConfigurationError(
                f"Text {number} is not a string. Expected strings. Convert it, or leave it out. "
                f"Received: {SHORT.repr(text)}"
            )
    refuse_undecodable(every)
    return every


def count_words(text: str) -> int:
    """Returns how many words a text has.

    >>> count_words("two words"), count_words("一只猫")
    (2, 3)
    """
    return len(re.sub(SPACELESS, " _ ", text).split())


def shortened(text: str) -> str:
    """Returns a text as it is shown: its beginning, if it is long, without what would steer a terminal.

    >>> shortened("a\\x1b[31mred")
    'a�[31mred'
    """
    text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "\ufffd", text[: CHARACTERS + 1])
    return text if len(text) <= CHARACTERS else f"{text[:CHARACTERS]} …"

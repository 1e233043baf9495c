"""Languages by any of their names, and what the Unicode Common Locale Data Repository (CLDR) knows of them."""

import difflib
import re
from functools import cache

from babel import Locale, UnknownLocaleError
from babel.core import get_global


@cache
def language_code(language: str) -> str:
    """Returns the code of a language, however it is written: "en" for "EN", "eng" and "English"; "en-US" for "en_us".

    Args:
        language: a code of ISO 639, with a territory or script where one matters, or an English name; "": unknown.

    Raises:
        ValueError: it is neither a code nor a name.

    >>> language_code("DE_ch"), language_code("cze"), language_code("Swedish")
    ('de-CH', 'cs', 'sv')
    """
    parts = re.split(r"[-_]", language.strip())
    if re.fullmatch(r"[A-Za-z]{2,3}", parts[0]):
        code = parts[0].lower()
        parts[0] = get_global("language_aliases").get(code, code)
        for place, part in enumerate(parts[1:], start=1):
            parts[place] = part.title() if len(part) == 4 else part.upper()
        return "-".join(parts)
    names = {name.lower(): code for code, name in Locale("en").languages.items()}
    if language.strip().lower() in names:
        return names[language.strip().lower()].replace("_", "-")
    if not language.strip():
        return ""
    likely = difflib.get_close_matches(language.lower(), names, 1)
    raise ValueError(
        "A language has a code of two or three letters, or an English name. Expected one such as en, de-CH or Czech"
        f"{f'; perhaps {likely[0]}' if likely else ''}. Correct it. Received: {language!r}"
    )


@cache
def locale_of(language: str) -> Locale | None:
    """Returns what CLDR knows of a language, with its territory or, where that is unknown, without it; None: nothing.

    >>> locale_of("de-CH").territory, locale_of("xyz")
    ('CH', None)
    """
    code = language_code(language)
    for candidate in (code, code.split("-")[0]):
        try:
            return Locale.parse(candidate, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return None

"""Pairs of a translation memory: TMX, the exchange format of translators' tools."""

import io
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

from data.files import read_bytes
from pipelines.nlp.texts import TextDataError

_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_MARKUP = ("bpt", "ept", "ph", "it", "ut")  # elements whose text is the markup of a document, no words


def is_tmx(content: bytes) -> bool:
    """Whether a file is a translation memory."""
    return b"<tmx" in content[:2000].replace(b"\0", b"")


def read_tmx(path: Path, languages: tuple[str, str]) -> list[tuple[str, str, str]]:
    """Returns for each unit that has both languages where it is, its source and its target.

    Args:
        path: the file, also packed.
        languages: codes of source and target; `en` is any English, such as `en-GB`, too.

    Raises:
        TextDataError: the file is damaged, or no unit has both languages.
    """
    pairs, known, number = [], Counter[str](), 0
    try:
        for _, element in ElementTree.iterparse(io.BytesIO(read_bytes(path))):
            if element.tag != "tu":
                continue
            number += 1
            texts: dict[str, str] = {}
            for variant in element.iter("tuv"):
                language, segment = variant.get(_LANGUAGE) or variant.get("lang") or "", variant.find("seg")
                known[language] += 1
                if segment is not None:
                    texts.setdefault(language.lower(), _words(segment))
            source, target = (_text_in(texts, language) for language in languages)
            if source is not None and target is not None:
                pairs.append((f"{path.name}, unit {number}", source, target))
            element.clear()
    except ElementTree.ParseError as error:
        raise TextDataError(
            f"{path} cannot be read; expected a whole TMX file. Correct it, or export it again. Received: {error}"
        ) from None
    if not pairs:
        raise TextDataError(
            f"{path} has no unit in both {' and '.join(languages)}. Name the languages of the file: --data.languages. "
            f"Received: {', '.join(f'{language} ({count})' for language, count in known.most_common()) or 'no units'}"
        )
    if number > len(pairs):
        print(f"Note: {number - len(pairs)} of {number} units of {path} lack one of {' and '.join(languages)}.")
    return pairs


def _text_in(texts: dict[str, str], language: str) -> str | None:
    exact = texts.get(language.lower().replace("_", "-"))
    near = [text for name, text in texts.items() if name.replace("_", "-").partition("-")[0] == language.lower()]
    return exact if exact is not None else near[0] if near else None


def _words(segment: ElementTree.Element) -> str:
    """The text of a segment without the markup that it carries along."""
    text = segment.text or ""
    for child in segment:
        text += ("" if child.tag in _MARKUP else _words(child)) + (child.tail or "")
    return text

"""Pairs of translators' tools: translation memories (TMX), documents (XLIFF), and catalogues of programs (PO, TS)."""

import codecs
import io
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from babel.messages.pofile import PoFileError, read_po

from data.files import plain_suffix, read_bytes
from pipelines.nlp.texts import TextDataError

_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_MARKUP = ("bpt", "ept", "ph", "it", "ut")  # elements whose text is the markup of a document, no words
_BEGINNING = 50_000  # bytes in which the first element stands, behind comments
_LANGUAGE_OF_TARGETS = ("target-language", "trgLang", "language")  # as XLIFF 1, XLIFF 2 and Qt state it
_TARGETS = ("target", "translation")  # beside `source`
Found = list[tuple[str, str, str]]  # where it is, its source and its target, for each pair


def read_memory(path: Path, languages: tuple[str, str]) -> Found | None:
    """Returns for each pair of a translator's file where it is, its source and its target; None: it is another file.

    Args:
        path: the file, also packed.
        languages: codes of source and target, which a TMX file may have among others, and another file reversed.

    Raises:
        TextDataError: the file is damaged, or has no pair.
    """
    if not path.is_file():
        return None
    if plain_suffix(path) in (".po", ".pot"):
        return _catalogue(path, languages)
    begin = read_bytes(path)[:_BEGINNING].replace(b"\0", b"")
    root = re.match(rb"[^<]*+(?:<\?.*?\?>\s*|<!--.*?-->\s*|<![^-][^>]*>\s*)*+<(\w+)", begin, re.DOTALL)
    name = root[1] if root else b""
    return (
        _tmx(path, languages) if name == b"tmx" else _documents(path, languages) if name in (b"xliff", b"TS") else None
    )


def _catalogue(path: Path, languages: tuple[str, str]) -> Found:
    content = read_bytes(path).removeprefix(codecs.BOM_UTF8)
    try:
        catalogue = read_po(io.BytesIO(content), abort_invalid=True)
        messages = [each for each in catalogue if each.id]
    except (PoFileError, UnicodeError, LookupError) as error:
        raise TextDataError(f"{path} cannot be read; expected a whole PO file. Correct it. Received: {error}") from None
    pairs = [
        (f"{path.name}, line {each.lineno}", source, target)
        for each in messages
        if not each.fuzzy
        for source, target in zip(_forms(each.id), _forms(each.string), strict=False)  # of a number, one and others
        if source and target
    ]
    return _some(_in_order(pairs, catalogue.locale_identifier or "", languages, path), path, len(messages))


def _forms(text: str | Sequence[str] | None) -> Sequence[str]:
    return (text,) if isinstance(text, str) else text or ()


def _documents(path: Path, languages: tuple[str, str]) -> Found:
    pairs, number, language = [], 0, ""
    for element in _elements(path):
        language = next(filter(None, map(element.get, _LANGUAGE_OF_TARGETS)), language)
        children = {_name(child): child for child in element}
        target = next((children[name] for name in _TARGETS if name in children), None)
        if "source" in children and _name(element) != "alt-trans":
            number += 1
            # Qt has a form for one and others for several; the last one is that of most numbers.
            form = target if target is None or not len(target) or _name(target[-1]) != "numerusform" else target[-1]
            texts = [_words(each) if each is not None else "" for each in (children["source"], form)]
            if texts[1].strip() and not any(map(_is_unconfirmed, (element, target))):
                pairs.append((f"{path.name}, unit {number}", texts[0], texts[1]))
    return _some(_in_order(pairs, language, languages, path), path, number)


def _in_order(pairs: Found, language: str, languages: tuple[str, str], path: Path) -> Found:
    """Returns pairs in the wanted order; `language` is that of the targets, as the file states it."""
    stated, source, target = (each.lower().replace("_", "-").partition("-")[0] for each in (language, *languages))
    if stated != source or source == target:
        return pairs
    print(f"Note: {path} translates into {language}; its translations are the sources, as --data.languages states.")
    return [(where, second, first) for where, first, second in pairs]


def _is_unconfirmed(element: ElementTree.Element | None) -> bool:
    """Whether an element of Qt, of XLIFF 1 or of XLIFF 2 states that its text is not translated for sure."""
    state = "" if element is None else element.get("type") or element.get("state") or ""
    return state in ("unfinished", "new", "initial") or state.startswith("needs-")


def _some(pairs: Found, path: Path, number: int) -> Found:
    if not pairs:
        raise TextDataError(
            f"{path} has no translated text. Expected some. Give another file. Received: {number} texts without one"
        )
    if number > len(pairs):
        print(f"Note: {number - len(pairs)} of {number} texts of {path} are not translated, or not for sure.")
    return pairs


def _elements(path: Path) -> Iterator[ElementTree.Element]:
    try:
        for _, element in ElementTree.iterparse(io.BytesIO(read_bytes(path))):
            yield element
    except ElementTree.ParseError as error:
        raise TextDataError(
            f"{path} cannot be read; expected a whole file of XML. Correct it, or export it again. Received: {error}"
        ) from None


def _name(element: ElementTree.Element) -> str:
    """The name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def _tmx(path: Path, languages: tuple[str, str]) -> list[tuple[str, str, str]]:
    """Returns for each unit that has both languages where it is, its source and its target.

    `en` is any English, such as `en-GB`, too.
    """
    pairs, known, number = [], Counter[str](), 0
    for element in _elements(path):
        if _name(element) != "tu":
            continue  # a part of one
        number += 1
        texts: dict[str, str] = {}
        for variant in element:
            if _name(variant) != "tuv":
                continue
            language = variant.get(_LANGUAGE) or variant.get("lang") or ""
            segment = next((child for child in variant if _name(child) == "seg"), None)
            known[language] += 1
            if segment is not None:
                texts.setdefault(language.lower().replace("_", "-"), _words(segment))
        source, target = (_text_in(texts, language) for language in languages)
        if source is not None and target is not None:
            pairs.append((f"{path.name}, unit {number}", source, target))
        element.clear()
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
    near = [text for name, text in texts.items() if name.partition("-")[0] == language.lower()]
    return exact if exact is not None else near[0] if near else None


def _words(segment: ElementTree.Element) -> str:
    """The text of a segment without the markup that it carries along."""
    text = segment.text or ""
    for child in segment:
        text += ("" if _name(child) in _MARKUP else _words(child)) + (child.tail or "")
    return text

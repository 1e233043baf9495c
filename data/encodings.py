"""The encoding of a user's bytes: told for sure where that is possible, else by what each encoding would spell."""

# ruff: noqa: RUF001

import codecs
import reprlib
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import charset_normalizer

from data.files import FileError, refuse_what_is_no_text

_SHORT = reprlib.Repr()
_SHORT.maxstring = 120
UTF_8 = ("utf_8", "utf_8_sig")
SAMPLE = 65_536  # bytes that an encoding is told from
SPELLED = 4_000  # of them, of lines beyond ASCII, that are spelled in each encoding
_BYTE_ORDER_MARKS = {  # the longer ones first: that of UTF-32 begins with that of UTF-16
    codecs.BOM_UTF8: "utf_8_sig",
    codecs.BOM_UTF32_LE: "utf_32",
    codecs.BOM_UTF32_BE: "utf_32",
    codecs.BOM_UTF16_LE: "utf_16",
    codecs.BOM_UTF16_BE: "utf_16",
}
# Encodings with a byte a character, of those that spell the same the first; then the others.
_SINGLE = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "iso8859_2", "iso8859_15"),
    *("iso8859_4", "iso8859_13", "iso8859_16", "iso8859_5", "koi8_r", "koi8_u", "iso8859_7", "iso8859_9", "iso8859_8"),
    *("iso8859_6", "cp874", "cp850", "cp437", "cp852", "cp775", "cp866", "cp855", "cp737", "cp857", "cp862"),
    *("cp1125", "kz1048", "cp1258"),
    *("mac_roman", "mac_latin2", "mac_cyrillic", "mac_greek", "mac_turkish"),
)
_RARE = _SINGLE[-4:]
_MULTIPLE = ("gb18030", "big5", "cp949", "euc_jp", "cp932")  # hardly any bytes are not Shift JIS
# The letters beyond ASCII of the languages that were written in these encodings, the commonest first.
_ALPHABETS = (
    *("äüöß", "éèàêçôîûâùïëœæ", "óíáéñúü", "ãçéáóíêõâúôà", "èàùòìé", "éëïèö", "äöåé", "øåæéö", "áðíéóþöæúý"),
    *("àéèóíòúçïü", "õäüöšž", "łęążśćóńź", "íáěéřčžýšůúťňďó", "áíéčžýľšťúôňóäďĺŕ", "áéőöüóíűú", "ăîșțâ", "ăîşţâ"),
    *("čšžćđ", "ëç", "ėšžųįąūčę", "āīēšūņļžčķģ", "ıüşğçöiâîû", "əıüşöğç"),
    "đ\u0301\u0300\u0323ôươêăâ\u0309\u0303áàéèíóòúùý",  # of Vietnamese, whose tones are characters of their own
    "αοιετσνρκπμυλςήάίγόέδύθχώωηβφξζψϊϋΐ",
    "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё",
    "оанитвреісклдумпязьйбгчїхцжющєшфґ",
    "аоеитнрсвлкдпмзубчгъящжцхйшфюь",
    "аоиенртсјкдвмуплбзгцчњшжћђхљфџ",
    "анірсекдовтялмпузьйышбгўцчжхюёфэ",
    "аоеитнрсвкдлпмузјгбчшцњжќфхѓљџѕ",
    "аеынтірлсдкмоқбпғжзуүшгйөңәұияхһюэвчфцщьъё",
    "יוהלארםמבתשנחדעקגפסכזטצןךףץ",
    "اليمونترعبسدكفحقهةجىصشطأخضذغزثئءظؤإآپچژگیک",
    "านรอกเ่้งวมยลตทสัดิปแี์หพบคจไะขื็ุูใซศถญธชผภษณโฟึำๆฉฮฐฎฏฌฆฬฯ",
)
_SIGNS = frozenset("“”„‘’‚–—…«»‹›•·€§°©®£¿¡½¼¾²³µ×±№\u00a0،؟؛ªº¹¥¢™")
_LANGUAGES = Counter(letter for alphabet in _ALPHABETS for letter in alphabet)  # that have a letter
_OPENS, _CLOSES = frozenset("“„‘‚«‹¿¡"), frozenset("”“’‘»›…،؟؛")
_ROMANIAN = str.maketrans("ȘșȚț", "ŞşŢţ")  # letters that look alike, and are written in either way
_CONTROLS = {*range(1, 9), *range(14, 32)}  # which no text holds
CANDIDATES = 4  # alphabets whose letters are looked at in their places
_GOOD = -7.5  # the score of a character that fits
_FIT = 0.8  # share of characters that fit in a text that is understood
_CLEAR = 0.12  # by which a character's score in the best encoding exceeds that in the next, so that it is told
_ENOUGH = 12  # characters beyond ASCII from which a small difference is no chance


class UnclearEncodingError(FileError):
    """Bytes that several encodings could spell."""


class _Reading(NamedTuple):
    """What an encoding spells: the mean score of its characters beyond ASCII, the share that fits, and the text."""

    score: float
    fit: float
    encoding: str
    text: str


def decoded(content: bytes, name: str, encoding: str = "") -> str:
    r"""Returns bytes as text, with `\n` at the end of lines and no byte order mark.

    UTF-8 and UTF-16 are told for sure, the legacy encodings of the world's languages by what they would spell; any
    encoding but UTF-8 that is found is printed.

    Args:
        content: the bytes.
        name: of what they are from, for messages.
        encoding: Python's name of the encoding, such as `latin-1`; "": found.

    Raises:
        FileError: they are no text, or not in that encoding (the line is named), or several encodings fit.
    """
    refuse_what_is_no_text(content, name)
    encoding = encoding or reported_encoding(content, name)
    try:
        text = content.decode(encoding)
    except LookupError:  # no name that Python knows, or none of text, such as rot13
        raise FileError(
            f"There is no such encoding. Expected a name that Python knows, such as utf-8, latin-1, cp1251 or "
            f"shift_jis, or none, and it is found. Received: {encoding!r}"
        ) from None
    except UnicodeError as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        line = content[:start].decode(encoding, "replace").count("\n") + 1
        raise FileError(
            f"{name}, line {line}, is not {encoding.replace('_', '-').upper()}. Correct the line, or name the encoding "
            f"of the file, such as latin-1. Received: {content[max(0, start - 10) : start + 20]!r}"
        ) from None
    if "\0" in text:
        raise FileError(
            f"{name}, line {text.count(chr(10), 0, text.index(chr(0))) + 1}, holds a zero byte; expected text, no "
            f"binary file. Remove it, or name the file's encoding. Received: {_SHORT.repr(text)}"
        )
    # The mark of UTF-16 whose byte order was given, those of files that were joined, and the end of a file of DOS.
    text = text.removeprefix("\ufeff").replace("\n\ufeff", "\n").removesuffix("\x1a")
    return text.replace("\r\n", "\n") if "\n" in text else text.replace("\r", "\n")


def reported_encoding(content: bytes, name: str) -> str:
    """Returns the encoding of bytes as `find_encoding` does; any but UTF-8 is printed."""
    encoding = find_encoding(content, name)
    if encoding not in UTF_8:
        # Beside what a command prints, which may be piped.
        print(f"{name} is read as {encoding}, as it seems; if that is wrong, name its encoding.", file=sys.stderr)
    return encoding


def find_encoding(content: bytes, name: str) -> str:
    """Returns the encoding of bytes, as Python calls it.

    Args:
        content: the bytes.
        name: of what they are from, for messages.

    Raises:
        UnclearEncodingError: several encodings fit.
        FileError: the bytes are of a kind that holds no text.

    Example:
        >>> find_encoding("Größe und Gewicht für alle Häuser".encode("cp850"), "houses.csv")
        'cp850'
    """
    refuse_what_is_no_text(content, name)
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return encoding
    if found := _wide(content[:SAMPLE]):
        return found
    if _is_written_in("utf_8", content):
        return "iso2022_jp" if b"\x1b$B" in content or b"\x1b$@" in content else "utf_8"
    beyond_ascii = [line for line in content.split(b"\n") if not line.isascii()]
    if 2 * sum(_is_written_in("utf_8", line) for line in beyond_ascii) > len(beyond_ascii):
        return "utf_8"  # with damaged lines: no other encoding's lines are UTF-8 by chance
    return _legacy_encoding(b"\n".join(beyond_ascii)[:SAMPLE], name)


def _wide(sample: bytes) -> str:
    """UTF-32 or UTF-16 without a mark: parts of letters that are empty, or the same all over."""
    for encoding in ("utf_32_le", "utf_32_be"):  # other bytes are beyond the last character
        if sample and len(sample) % 4 == 0 and _is_written_in(encoding, sample):
            return encoding
    size, zeros = len(sample), [sample[start::2].count(0) for start in (0, 1)]
    if max(zeros) > 0.15 * size > 2 * min(zeros):
        return "utf_16_be" if zeros[0] > zeros[1] else "utf_16_le"
    if not sum(zeros) or (sample.isascii() and not _CONTROLS & set(sample)):
        return ""
    found = {}
    for encoding in ("utf_16_le", "utf_16_be"):
        text = sample[: size // 2 * 2].decode(encoding, "replace")
        if not any(unicodedata.category(each) in ("Cn", "Co") or each in "\0\ufffd" for each in text):
            found[encoding] = sum(each.isascii() or each in "、。，" for each in text)
    return max(found, key=lambda encoding: found[encoding], default="")


def _legacy_encoding(sample: bytes, name: str) -> str:
    lines = sample[:SPELLED] if b"\n" not in sample[:SPELLED] else sample[: sample[:SPELLED].rindex(b"\n")]
    readings = sorted(_readings(lines), reverse=True)
    best = readings[0] if readings else None
    matches = charset_normalizer.from_bytes(sample, cp_isolation=list(_MULTIPLE))
    multiple = [
        (int(10 * match.chaos), -match.coherence, _MULTIPLE.index(encoding), encoding)
        for match in matches
        for encoding in match.could_be_from_charset
        if encoding in _MULTIPLE
    ]
    if multiple and (best is None or best.fit < _FIT or (best.score < -3 and min(multiple)[0] == 0)):
        return _japanese(sample) or min(multiple)[-1]
    if best is None:
        return "utf_8"  # whose message names the bytes
    others = [each for each in readings if each.text.translate(_ROMANIAN) != best.text.translate(_ROMANIAN)]
    characters = sum(not each.isascii() for each in best.text)
    gap = 99.0
    if others:  # in the characters that differ
        differ = sum(one != other for one, other in zip(best.text, others[0].text, strict=True))
        gap = (best.score - others[0].score) * characters / differ
    if best.fit < _FIT or gap < _CLEAR * (0.25 if characters >= _ENOUGH else max(1, 4 / characters)):
        raise UnclearEncodingError(
            f"The encoding of {name} is not clear. Expected UTF-8, or text from which the encoding is told. Save the "
            f"file as UTF-8; a training on texts also takes --data.encoding {best.encoding}. Received: what could be "
            + " or ".join(f"{each.encoding}, {_around(each.text)!r}" for each in [best, *others[:2]])
        )
    return best.encoding


def _japanese(sample: bytes) -> str:
    """EUC-JP, if it spells kana, which Chinese has in the same places; or Shift JIS, if it spells full letters."""
    text = sample.decode("euc_jp", "replace")
    kana = sum("\u3041" <= each <= "\u30fc" for each in text)
    if text.count("\ufffd") < 2 and kana > 0.2 * sum(not each.isascii() for each in text):  # a cut may break one
        return "euc_jp"
    text = sample.decode("cp932", "replace")
    narrow = sum("\uff61" <= each <= "\uff9f" or each == "\ufffd" for each in text)  # what other bytes spell
    is_chinese_or_korean = any(_is_written_in(encoding, sample) for encoding in ("gb2312", "euc_kr"))
    return "cp932" if not is_chinese_or_korean and narrow < 0.1 * sum(not each.isascii() for each in text) else ""


def _around(text: str) -> str:
    """A few words around the first character beyond ASCII."""
    place = next(number for number, each in enumerate(text) if not each.isascii())
    return text[max(0, place - 15) : place + 25].strip()


def _readings(sample: bytes) -> Iterator[_Reading]:
    for encoding in _SINGLE:
        try:
            text = sample.decode(encoding)
        except UnicodeDecodeError:
            continue
        counts = Counter(each for each in text.lower() if not each.isascii())
        fitting = sorted(_ranks(), key=lambda ranks: -sum(counts[each] * (9 + ranks[each]) for each in ranks))
        scores = max((_scores(text, ranks) for ranks in fitting[:CANDIDATES]), key=sum)
        if scores:
            mean = sum(scores) / len(scores)
            fit = sum(score > _GOOD for score in scores) / len(scores)
            # Of encodings that spell the same the first; those of the old Macintosh are rare.
            rarity = 1e-6 * _SINGLE.index(encoding) + 0.2 * (encoding in _RARE)
            yield _Reading(mean - rarity, fit, encoding, text)


@cache
def _ranks() -> list[dict[str, float]]:
    """The score of each letter of each alphabet, about the logarithm of its share."""
    return [
        {form: -0.5 - rank / 6 for rank, letter in enumerate(alphabet) for form in {letter.upper(), letter}}
        for alphabet in _ALPHABETS
    ]


def _scores(text: str, ranks: dict[str, float]) -> list[float]:
    """The score of each character beyond ASCII in a language: how common, and whether it stands where it may."""
    is_latin = next(iter(ranks)) < "\u0250"
    scores = []
    for place, each in enumerate(text):
        if each.isascii():
            continue
        before, after = text[place - 1 : place] or " ", text[place + 1 : place + 2] or " "
        if each in ranks:
            score = ranks[each]
            if each.isupper():
                score -= 6 if before.islower() else 0 if before.isupper() else 1
            elif each.islower() and before.isupper() and text[place - 2 : place - 1].isupper():
                score -= 4
            if not is_latin and ("a" <= before.lower() <= "z" or "a" <= after.lower() <= "z"):
                score -= 4
            if is_latin and not before.isascii() and before.isalpha() and not after.isascii() and after.isalpha():
                score -= 3
            if before.isdigit() and after.isdigit():
                score -= 8
        elif each in _SIGNS:
            inside = before.isalpha() and after.isalpha()
            score = 0.0 if _is_placed(each, before, after) else -10.0 if inside else -4.0
        elif each.isalpha():
            score = -9.0 + 0.3 * _LANGUAGES[each.lower()]  # of a foreign word; of those letters the usual ones
        else:
            score = -10.0 if each.isprintable() else -14.0
        scores.append(score)
    return scores


def _is_placed(sign: str, before: str, after: str) -> bool:
    """Whether a sign stands where it may: quotes around words, dashes between them, units and currencies at numbers."""
    inside = before.isalpha() and after.isalpha()
    return (
        (sign in "’\u00ad\u200c" and inside)
        or (sign in _OPENS and not before.isalnum() and not after.isspace())
        or (sign in _CLOSES and not before.isspace() and not after.isalnum())
        or (sign == "\u00a0" and not inside)  # between thousands, before units and French punctuation
        or (sign in "–—·•" and before.isspace() and after.isspace())
        or (sign == "·" and before in "lL" and after in "lL")
        or (sign == "°" and not before.isalpha() and (after in "CFK" or not after.isalpha()))
        or (sign in "²³" and before.isalpha() and not after.isalpha())
        or (sign == "µ" and after.isalpha() and not before.isalpha())
        or (sign in "€£¥¢" and not before.isalpha() and not after.isalpha())
    )


def _is_written_in(encoding: str, content: bytes) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True

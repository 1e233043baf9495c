"""One spelling for texts that look alike: composed characters, and none that are invisible; in a TensorFlow graph.

A text comes decomposed from some systems, with soft hyphens from the web, and with ligatures and wide letters from PDF.
"""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.nlp.texts import shortened

# Of Unicode's Default_Ignorable_Code_Point: what no script and no emoji is written with, and what some are.
_NEVER_SEEN = r"\x{00AD}\x{034F}\x{061C}\x{200B}\x{200E}\x{200F}\x{202A}-\x{202E}\x{2060}-\x{206F}\x{FEFF}"
_JOINERS = (
    r"\x{115F}\x{1160}\x{17B4}\x{17B5}\x{180B}-\x{180F}\x{200C}\x{200D}\x{3164}\x{FE00}-\x{FE0F}\x{FFA0}"
    r"\x{FFF0}-\x{FFF8}\x{1BCA0}-\x{1BCA3}\x{1D173}-\x{1D17A}\x{E0000}-\x{E0FFF}"
)
INVISIBLE = f"[{_NEVER_SEEN}{_JOINERS}]"
# Kinds of compatibility forms that are another drawing of the same letter. Wide signs are how Chinese is written.
_DRAWINGS = ("<wide>", "<narrow>", "<font>", "<initial>", "<medial>", "<final>", "<isolated>")
_LIGATURES = range(0xFB00, 0xFB18)
_HYPHENS = {0x2010: (0x2D,), 0x2011: (0x2D,)}
_MOST_JOINED = 32  # characters that are composed to one; as Unicode's Stream-Safe Text Format bounds the marks of one
_PLANES = 0x30000  # code points below it; none above has another form
_CODES = 0x110000  # of Unicode
_FIRST, _VOWEL, _LAST, _SYLLABLE = 0x1100, 0x1161, 0x11A7, 0xAC00  # of Hangul, whose syllables are computed
_FIRSTS, _VOWELS, _LASTS, _SYLLABLES = 19, 21, 28, 11172


class _Tables(NamedTuple):
    """Decompositions by code point, combining classes by code point, and compositions by pair; the keys sorted."""

    decomposed: tuple[np.ndarray, np.ndarray, np.ndarray]  # keys; values; where the values of each key begin, and end
    classes: tuple[np.ndarray, np.ndarray]
    compositions: tuple[np.ndarray, np.ndarray]
    seconds: np.ndarray  # code points of class 0 that are composed with the one before
    concerned: str  # pattern of what may have another form


def canonical(texts: tf.Tensor, joiners: bool = True) -> tf.Tensor:
    r"""Returns strings (batch,) in Unicode's normal form C, without what is never seen, such as a soft hyphen.

    What is no UTF-8 becomes U+FFFD.

    Args:
        joiners: whether joiners and variation selectors stay, which some scripts and emoji are written with.

    Example:
        >>> canonical(tf.constant(["cafe\u0301", "won\u00adder\ufeff"])).numpy()[0].decode()
        'café'
    """
    return _composed(False)(_visible(texts, joiners))


def folded(texts: tf.Tensor) -> tf.Tensor:
    r"""Returns strings (batch,) as `canonical`, and with one drawing of each letter: no ligatures and wide letters.

    Joiners and variation selectors are left out.

    Example:
        >>> [text.decode() for text in folded(tf.constant(["a ﬁne \uff26ILM", "❤\ufe0f"])).numpy()]
        ['a fine FILM', '❤']
    """
    return _composed(True)(_visible(texts, joiners=False))


def canonical_strings(texts: Sequence[str], name: str) -> list[str]:
    """Returns strings as `canonical` does, and reports how many have changed; `name` is that of their file."""
    found = [text.decode() for text in canonical(tf.constant(texts, tf.string)).numpy()]
    if changed := [text for text, other in zip(texts, found, strict=True) if text != other]:
        print(
            f"Note: {len(changed)} texts of {name} are read with composed characters and without invisible ones, such "
            f"as {shortened(changed[0])!r}."
        )
    return found


def folded_strings(texts: Sequence[str]) -> list[str]:
    """Returns strings as `folded` does."""
    return [text.decode() for text in folded(tf.constant(texts, tf.string)).numpy()]


def _visible(texts: tf.Tensor, joiners: bool) -> tf.Tensor:
    valid = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
    return tf.strings.regex_replace(valid, f"[{_NEVER_SEEN}{'' if joiners else _JOINERS}]+", "")


@cache
def _composed(drawings: bool) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function from texts to their composed form; most batches have nothing to compose.

    It is one function for all graphs, so that an export with many signatures holds its tables once.
    """
    tables = _tables(drawings)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)], autograph=False)
    def composed(texts: tf.Tensor) -> tf.Tensor:
        concerned = tf.strings.regex_full_match(texts, f"(?s).*[{tables.concerned}].*")

        def compose() -> tf.Tensor:
            some = tf.strings.unicode_decode(tf.boolean_mask(texts, concerned), "UTF-8")
            done = tf.strings.unicode_encode(_compose(_ordered(_decompose(some, tables), tables), tables), "UTF-8")
            return tf.tensor_scatter_nd_update(texts, tf.where(concerned), done)

        return tf.cond(tf.reduce_any(concerned), compose, lambda: texts)

    return composed


def _decompose(codes: tf.RaggedTensor, tables: _Tables) -> tf.RaggedTensor:
    """Returns code points (batch, characters) with each one that has parts replaced by them."""
    keys, values, starts = (tf.constant(each) for each in tables.decomposed)
    flat = codes.flat_values
    place = tf.minimum(tf.searchsorted(keys, flat), len(tables.decomposed[0]) - 1)
    whole = tf.gather(keys, place) != flat
    # Behind the parts stand the characters themselves; each takes its part of both.
    begin = tf.where(whole, tf.size(values) + tf.range(tf.size(flat)), tf.gather(starts, place))
    size = tf.where(whole, 1, tf.gather(starts, place + 1) - tf.gather(starts, place))
    parts = tf.gather(tf.concat([values, flat], 0), tf.ragged.range(begin, begin + size))  # (characters, parts)
    return codes.with_flat_values(parts).merge_dims(1, 2)


def _ordered(codes: tf.RaggedTensor, tables: _Tables) -> tf.RaggedTensor:
    """Returns code points (batch, characters) with the marks of each character in the order of their classes."""
    flat = codes.flat_values
    classes = _looked_up(flat, tables.classes, 0)
    segment = tf.cumsum(tf.cast((classes == 0) | _first_of_row(codes), tf.int64))
    size = tf.cast(tf.size(flat), tf.int64)
    key = (segment * 256 + tf.cast(classes, tf.int64)) * size + tf.range(size)
    return codes.with_flat_values(tf.gather(flat, tf.argsort(key)))


def _compose(codes: tf.RaggedTensor, tables: _Tables) -> tf.RaggedTensor:
    """Returns code points (batch, characters) with those composed that belong together (Unicode, section 3.11)."""
    flat = codes.flat_values
    classes = _looked_up(flat, tables.classes, 0)
    joins = (classes > 0) | _is_in(flat, tables.seconds) | _between(flat, _VOWEL, _VOWELS)
    joins |= _between(flat, _LAST + 1, _LASTS - 1)
    begins = ~joins | _first_of_row(codes)
    places = tf.RaggedTensor.from_value_rowids(tf.range(tf.size(flat)), tf.cumsum(tf.cast(begins, tf.int32)) - 1)
    places = tf.ragged.boolean_mask(places, places.row_lengths() > 1)[:, :_MOST_JOINED].to_tensor(-1)
    rows = tf.range(tf.shape(places)[0])  # places: (segments, characters)

    def at(values: tf.Tensor) -> tf.Tensor:
        return tf.where(places < 0, -1, tf.gather(values, tf.maximum(places, 0)))

    found, its_class = at(flat), at(classes)

    def step(
        column: tf.Tensor, matrix: tf.Tensor, starter: tf.Tensor, last: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """`starter` is the column of the character that may be composed, `last` the class of what it kept last."""
        code, own = matrix[:, column], its_class[:, column]
        composition = _composition(tf.gather(matrix, starter, batch_dims=1), code, tables)
        composes = (composition >= 0) & ((last == 0) | (last < own))
        code_after = tf.where(composes, -1, code)
        matrix = tf.tensor_scatter_nd_update(matrix, tf.stack([rows, tf.fill(tf.shape(rows), column)], 1), code_after)
        kept = tf.where(composes, composition, tf.gather(matrix, starter, batch_dims=1))
        matrix = tf.tensor_scatter_nd_update(matrix, tf.stack([rows, starter], 1), kept)
        starts = ~composes & (own == 0)
        last = tf.where(composes, last, tf.maximum(own, 0))
        return column + 1, matrix, tf.where(starts, column, starter), last

    columns = tf.shape(found)[1]
    zeros = tf.zeros_like(rows)
    _, found, _, _ = tf.while_loop(lambda column, *_: column < columns, step, (1, found, zeros, zeros))
    inside = places >= 0
    flat = tf.tensor_scatter_nd_update(flat, tf.boolean_mask(places, inside)[:, tf.newaxis], found[inside])
    return tf.ragged.boolean_mask(codes.with_flat_values(flat), codes.with_flat_values(flat >= 0))


def _composition(first: tf.Tensor, second: tf.Tensor, tables: _Tables) -> tf.Tensor:
    """Returns what pairs of code points (segments,) are composed to, −1 for nothing."""
    pair = tf.cast(first, tf.int64) * _CODES + tf.cast(second, tf.int64)
    found = _looked_up(pair, tables.compositions, -1)
    syllable = _SYLLABLE + ((first - _FIRST) * _VOWELS + second - _VOWEL) * _LASTS
    found = tf.where(_between(first, _FIRST, _FIRSTS) & _between(second, _VOWEL, _VOWELS), syllable, found)
    is_open = _between(first, _SYLLABLE, _SYLLABLES) & ((first - _SYLLABLE) % _LASTS == 0)
    return tf.where(is_open & _between(second, _LAST + 1, _LASTS - 1), first + second - _LAST, found)


def _looked_up(wanted: tf.Tensor, table: tuple[np.ndarray, np.ndarray], absent: int) -> tf.Tensor:
    """Returns the values of keys in a table of sorted keys and their values, `absent` for one that it lacks."""
    keys, values = (tf.constant(each) for each in table)
    place = tf.minimum(tf.searchsorted(keys, wanted), len(table[0]) - 1)
    return tf.where(tf.gather(keys, place) == wanted, tf.gather(values, place), absent)


def _is_in(flat: tf.Tensor, keys: np.ndarray) -> tf.Tensor:
    place = tf.minimum(tf.searchsorted(tf.constant(keys), flat), len(keys) - 1)
    return tf.gather(tf.constant(keys), place) == flat


def _between(flat: tf.Tensor, first: int, count: int) -> tf.Tensor:
    return (flat >= first) & (flat < first + count)


def _first_of_row(codes: tf.RaggedTensor) -> tf.Tensor:
    """Whether each character (characters,) is the first one of its text."""
    starts = tf.boolean_mask(codes.row_starts(), codes.row_lengths() > 0)
    return tf.scatter_nd(starts[:, tf.newaxis], tf.ones_like(starts, tf.bool), tf.shape(codes.flat_values, tf.int64))


@cache
def _tables(drawings: bool) -> _Tables:
    parts, classes, compositions = {}, {}, {}
    for code in (*range(_SYLLABLE), *range(_SYLLABLE + _SYLLABLES, 0xD800), *range(0xE000, _PLANES)):
        character = chr(code)
        if combining := unicodedata.combining(character):
            classes[code] = combining
        if (decomposed := _parts(code, drawings)) != (code,):
            parts[code] = decomposed
        kind, *pair = unicodedata.decomposition(character).split() or [""]
        if len(pair) == 1 and not kind.startswith("<") and unicodedata.normalize("NFC", character) == character:
            compositions[int(kind, 16) * _CODES + int(pair[0], 16)] = code
    sizes = [len(each) for each in parts.values()]
    values = [part for each in parts.values() for part in each]
    pairs = sorted(compositions)
    seconds = sorted({pair % _CODES for pair in pairs} - set(classes))
    hangul = [*range(_VOWEL, _VOWEL + _VOWELS), *range(_LAST + 1, _LAST + _LASTS)]
    return _Tables(
        (np.array([*parts], np.int32), np.array(values, np.int32), np.cumsum([0, *sizes]).astype(np.int32)),
        (np.array([*classes], np.int32), np.array([*classes.values()], np.int32)),
        (np.array(pairs, np.int64), np.array([compositions[pair] for pair in pairs], np.int32)),
        np.array(seconds, np.int32),
        _pattern({*classes, *seconds, *hangul, *(code for code in parts if not _is_stable(code, parts[code]))}),
    )


def _parts(code: int, drawings: bool) -> tuple[int, ...]:
    """Returns what a code point is decomposed to."""
    if not drawings:
        return tuple(map(ord, unicodedata.normalize("NFD", chr(code))))
    if code in _HYPHENS:
        return _HYPHENS[code]
    kind, *mapped = unicodedata.decomposition(chr(code)).split() or [""]
    if unicodedata.category(chr(code))[0] in "LNM" and (kind in _DRAWINGS or code in _LIGATURES):
        return tuple(part for each in mapped for part in _parts(int(each, 16), drawings))
    return tuple(map(ord, unicodedata.normalize("NFD", chr(code))))


def _is_stable(code: int, parts: tuple[int, ...]) -> bool:
    """Whether a code point that has parts is what they are composed to again."""
    return unicodedata.normalize("NFC", "".join(map(chr, parts))) == chr(code)


def _pattern(codes: Iterable[int]) -> str:
    """Returns the inside of a character class of RE2."""
    ranges: list[list[int]] = []
    for code in sorted(codes):
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(rf"\x{{{first:X}}}-\x{{{last:X}}}" for first, last in ranges)

"""The phonemes of transcripts, which the first layer of a network can learn in place of the letters."""

import logging
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from babel.core import get_global

from data.languages import language_code
from pipelines.configuration import ConfigurationError

BETWEEN_WORDS = "|"


def pronounced(texts: Iterable[str], language: str) -> dict[str, str]:
    """Returns the phonemes of each text, as eSpeak NG would speak it.

    Args:
        texts: transcripts.
        language: its code, such as en-US; without a territory, that of most speakers is taken.

    Returns:
        By text, symbols of the International Phonetic Alphabet without stress, and `|` between words, a space between
        any two of them.

    Raises:
        ConfigurationError: eSpeak NG does not speak this language.

    Example:
        >>> pronounced(["then press ten"], "en")
        {'then press ten': 'ð ɛ n | p ɹ ɛ s | t ɛ n'}
    """
    from phonemizer.separator import Separator

    texts = list(dict.fromkeys(texts))
    separator = Separator(phone=" ", word=f" {BETWEEN_WORDS} ")
    spoken = _speaker(language).phonemize(texts, separator=separator, strip=True)
    return {text: " ".join(phonemes.split()) for text, phonemes in zip(texts, spoken, strict=True)}


def symbols_of(pronunciations: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the symbols of pronunciations, sorted.

    >>> symbols_of({"a": "ɐ", "a number": "ɐ | n ʌ m b ɚ"})
    ('b', 'm', 'n', '|', 'ɐ', 'ɚ', 'ʌ')
    """
    return tuple(sorted({symbol for phonemes in pronunciations.values() for symbol in phonemes.split()}))


def is_spoken(language: str) -> bool:
    """Returns whether eSpeak NG speaks a language.

    >>> is_spoken("cs"), is_spoken("km"), is_spoken("")
    (True, False, False)
    """
    try:
        return _speaker(language) is not None
    except ConfigurationError:
        return False


@cache
def _speaker(language: str) -> Any:
    """Returns what speaks a language: `phonemize(texts)`."""
    import espeakng_loader
    from phonemizer.backend import EspeakBackend
    from phonemizer.backend.espeak.wrapper import EspeakWrapper

    EspeakWrapper.set_library(espeakng_loader.get_library_path())
    EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
    spoken = EspeakBackend.supported_languages()
    voices = {language_code(voice): voice for voice in spoken if voice != "piqd"}  # Klingon, which has no such code
    base = language.split("-")[0]
    most = get_global("likely_subtags").get(base, base).split("_")[-1]  # the territory of most speakers
    code = next((code for code in (language, f"{base}-{most}", base) if code in voices), None)
    if code is None:
        raise ConfigurationError(
            f"network.phonemes: eSpeak NG does not speak this language. Expected one of {', '.join(sorted(voices))}. "
            f'Choose another, or --network.phonemes "", and all layers learn letters. Received: {language!r}'
        )
    logger = logging.getLogger("phonemizer")
    logger.setLevel(logging.ERROR)  # it warns of every word of another language
    return EspeakBackend(voices[code], language_switch="remove-flags", logger=logger)

"""The phonemes of transcripts, which the first layer of a network can learn in place of the letters."""

import logging
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from babel.core import get_global

from pipelines.configuration import ConfigurationError
from unrolled_installation import check_libraries

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


@cache
def _speaker(language: str) -> Any:
    """Returns what speaks a language: `phonemize(texts)`."""
    check_libraries(["espeakng_loader", "phonemizer"], "speech")
    import espeakng_loader
    from phonemizer.backend import EspeakBackend
    from phonemizer.backend.espeak.wrapper import EspeakWrapper

    EspeakWrapper.set_library(espeakng_loader.get_library_path())
    EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
    known = EspeakBackend.supported_languages()
    base = language.split("-")[0]
    most = get_global("likely_subtags").get(base, base).split("_")[-1]  # the territory of most speakers
    codes = [code.lower() for code in (language, f"{base}-{most}", base)]
    voice = next((code for code in codes if code in known), None)
    if voice is None:
        raise ConfigurationError(
            f"network.phonemes: eSpeak NG does not speak this language. Expected one of {', '.join(sorted(known))}. "
            f"Choose another, or leave the option out: the network then learns letters alone. Received: {language!r}"
        )
    logger = logging.getLogger("phonemizer")
    logger.setLevel(logging.ERROR)  # it warns of every word of another language
    return EspeakBackend(voice, language_switch="remove-flags", logger=logger)

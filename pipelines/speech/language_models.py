"""The language models that a search may use: of characters, of words that are spelled, or of an ARPA file."""

import io
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from data.files import UNPACKING_ERRORS, FileError, open_unpacked
from data.synthetic_speech import all_sentences
from models.decoding import BackOffModel, CharacterLanguageModel
from models.decoding.arpa import END, START, UNKNOWN, back_off_model, read_arpa, renamed
from models.decoding.spelling import spelled, word_model
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.data import DataConfiguration, Speech, held_out_texts
from pipelines.speech.texts import EXAMPLES, own_texts, writer

LanguageModel = CharacterLanguageModel | BackOffModel
KENLM_BINARY = b"mmap lm http://kheafield.com/code"
SPACES = ("<space>", "<sp>", "|", "▁", "_", " ")  # what stands for the space in a model of characters


class ArpaModel(NamedTuple):
    """The language model of an ARPA file, and what is reported of it."""

    model: BackOffModel
    summary: str


def language_models(configuration: SpeechConfiguration, speech: Speech) -> list[LanguageModel]:
    """Returns the language models between which the validation recordings decide; that of an ARPA file alone.

    One knows characters, the other words, with the spelling of those that it has not seen.
    """
    decoding = configuration.decoding
    if decoding.arpa:
        return [arpa_model(configuration, speech).model]
    texts, weights = learned_texts(configuration, speech)
    order = decoding.language_model_order
    found: list[LanguageModel] = [CharacterLanguageModel(order).fit(texts, weights, speech.alphabet)]
    if decoding.word_order:
        found.append(spelled(word_model(texts, weights, decoding.word_order), speech.alphabet, order))
    return found


def report_own_words(configuration: SpeechConfiguration, speech: Speech) -> None:
    """Prints what becomes of the texts or the language model that the user gives.

    Raises:
        SpeechDataError: they cannot be used.
    """
    if configuration.decoding.texts:
        print(own_texts(configuration.decoding.texts, configuration.data, speech).summary)
    if configuration.decoding.arpa:
        print(arpa_model(configuration, speech).summary)


def learned_texts(configuration: SpeechConfiguration, speech: Speech) -> tuple[list[str], list[float]]:
    """Returns what a language model may learn from, with weights: transcripts, synthetic sentences, the user's texts.

    The synthetic sentences are those of six hours, also where only one hour of them is spoken.
    """
    transcripts = [utterance.text for utterance in speech.utterances["train"]]
    sentences: list[str] = []
    if speech.pretraining is not None:
        held_out, alphabet = held_out_texts(speech.utterances), set(speech.alphabet)
        sentences = [text for text in all_sentences() if text not in held_out and set(text) <= alphabet]
    sentences += own_texts(configuration.decoding.texts, configuration.data, speech).sentences
    weight = configuration.decoding.transcript_weight
    return transcripts + sentences, [weight] * len(transcripts) + [1.0] * len(sentences)


def arpa_model(configuration: SpeechConfiguration, speech: Speech) -> ArpaModel:
    """Returns the language model of the user's ARPA file, whose words get the writing of the recogniser.

    A model whose symbols are characters is taken as one of characters; one of words spells the words that it has not.

    Raises:
        SpeechDataError: the file is none, is too large, or knows no word that the recogniser can write.
    """
    path = Path(configuration.decoding.arpa).expanduser()
    changed = path.stat().st_mtime_ns if path.is_file() else 0
    order = configuration.decoding.language_model_order
    model, words, summary = _read_model(path, changed, configuration.data, tuple(speech.alphabet), order)
    if words:
        spoken = {word for utterance in speech.utterances["train"] for word in utterance.text.split()}
        summary += f" It has {len(spoken & words)} of the {len(spoken)} words of the training transcripts."
    return ArpaModel(model, summary)


@lru_cache(maxsize=1)  # a training reads it when it begins, to refuse it in time, and when it ends
def _read_model(
    path: Path, changed: int, data: DataConfiguration, alphabet: tuple[str, ...], order: int
) -> tuple[BackOffModel, frozenset[str], str]:
    """Returns the model of an ARPA file that was `changed` then, its words, of one of words, and what was left out."""
    try:
        ngrams = read_arpa(_lines(path))
    except SpeechDataError:
        raise
    except ValueError as error:
        raise SpeechDataError(f"{path}: {error}") from error
    symbols = {each[0] for each in ngrams if len(each) == 1} - {START, END, UNKNOWN}
    of_characters = all(len(symbol) == 1 or symbol in SPACES for symbol in symbols)
    write, known = writer(data), set(alphabet)
    left_out: Counter[str] = Counter()
    examples: dict[str, list[str]] = {}

    def name(symbol: str) -> str:
        if of_characters and symbol in SPACES:
            return " "
        written = write(symbol)
        reason = ""
        if not written or " " in written:
            reason = "that are not one word"
        elif not set(written) <= known:
            reason = "with characters that no training transcript has"
        if reason:
            left_out[reason] += 1
            examples.setdefault(reason, []).append(symbol)
        return "" if reason else written

    ngrams = renamed(ngrams, name)
    if not any(len(each) == 1 and each[0] not in (START, END, UNKNOWN) for each in ngrams):
        raise SpeechDataError(
            f"{path} knows nothing that the recogniser can write. Expected words, or characters, of its alphabet "
            f"{''.join(alphabet)!r}. Name a model of its language. Received: {sorted(symbols)[:EXAMPLES]}"
        )
    model = back_off_model(ngrams, alphabet if of_characters else None)
    kind = "characters" if of_characters else f"words, {len(model.alphabet)} of them"
    summary = f"Language model of {path}: {model.order}-grams of {kind}."
    for reason, count in left_out.items():
        summary += f" Left out: {count} {reason} ({', '.join(f'“{each}”' for each in examples[reason][:EXAMPLES])})."
    if of_characters:
        return model, frozenset(), summary
    return spelled(model, alphabet, order), frozenset(model.alphabet), summary


def _lines(path: Path) -> Iterator[str]:
    """Yields the lines of a text file of any packing."""
    try:
        with open_unpacked(path) as file:
            head = file.read(len(KENLM_BINARY))
        if head == KENLM_BINARY:
            raise SpeechDataError(
                f"{path} is a binary file of KenLM. Expected the ARPA file that it was made of. Name that one, or "
                "write it anew: lmplz -o 3 < texts.txt > model.arpa. Received: a binary file"
            )
        with io.TextIOWrapper(open_unpacked(path), encoding="utf-8-sig") as lines:
            yield from lines
    except UnicodeDecodeError as error:
        raise SpeechDataError(
            f"{path} is not UTF-8. Expected an ARPA file. Convert it: iconv -t UTF-8. "
            f"Received: {error.object[error.start : error.start + 10]!r}"
        ) from error
    except FileError as error:
        raise SpeechDataError(str(error)) from error
    except UNPACKING_ERRORS as error:
        raise SpeechDataError(
            f"The language model {path} cannot be read: {getattr(error, 'strerror', None) or error}. Expected an ARPA "
            f"file. Correct --decoding.arpa. Received: {path}"
        ) from error

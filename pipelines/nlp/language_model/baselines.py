"""What the model is compared with: compressors and n-grams that have read the same training text, byte by byte."""

import lzma
import math
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.decoding import CharacterLanguageModel
from pipelines.nlp.text_files import Document

PPMD_ORDER, PPMD_MEMORY = 12, 1 << 30  # bytes
ZPAQ = "zpaq"
NGRAM_ORDER = 6  # bytes, the best of 5 to 8 on validation text of the Bible
FIRST_SIGN = 0x100  # stands for byte 0, and so on: each byte a character that is printable


class Costs(NamedTuple):
    """Bits of parts of a text, in its order, and the characters of each: float64 (parts,) both."""

    bits: np.ndarray
    characters: np.ndarray


class Baseline(NamedTuple):
    """A `note` on how it works, and the `costs` of documents to one that has read others."""

    note: str
    costs: Callable[[Sequence[Document], Sequence[Document]], Costs]


def available(slow_baselines: bool = True) -> dict[str, Baseline]:
    """Returns the baselines by name, without those that take minutes if so asked, and without what is not installed."""
    found = {"xz": Baseline("Lempel–Ziv with Markov chains, the whole training text in its window", xz)}
    try:
        import pyppmd  # noqa: F401  (of the extra `peers`)
    except ImportError:
        print("PPMd is left out: it needs the extra `peers`, pip install pyppmd.")
    else:
        note = f"prediction by partial matching, order {PPMD_ORDER}, which has read the training text"
        found["PPMd"] = Baseline(note, ppmd)
    if slow_baselines and shutil.which(ZPAQ):
        found[ZPAQ] = Baseline("context mixing, method 5, which has read the training text", zpaq)
    elif slow_baselines:
        print("zpaq is left out: it needs the program of that name, apt install zpaq.")
    if slow_baselines:
        note = f"interpolated {NGRAM_ORDER}-grams of bytes (Witten and Bell)"
        found["n-gram"] = Baseline(note, ngram)
    return found


def xz(training: Sequence[Document], documents: Sequence[Document]) -> Costs:
    """What xz adds to the compressed training text."""
    return _added(lambda text: lzma.compress(text, preset=9 | lzma.PRESET_EXTREME), training, documents)


def ppmd(training: Sequence[Document], documents: Sequence[Document]) -> Costs:
    """What PPMd, variant H, adds to the compressed training text."""
    import pyppmd

    return _added(
        lambda text: pyppmd.compress(text, max_order=PPMD_ORDER, mem_size=PPMD_MEMORY, variant="H"), training, documents
    )


def zpaq(training: Sequence[Document], documents: Sequence[Document]) -> Costs:
    """What zpaq adds to the compressed training text."""

    def compress(text: bytes) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "text").write_bytes(text)
            command = [ZPAQ, "add", "text.zpaq", "text", "-method", "5", "-threads", "1"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
            return Path(folder, "text.zpaq").read_bytes()

    return _added(compress, training, documents)


def ngram(training: Sequence[Document], documents: Sequence[Document], order: int = NGRAM_ORDER) -> Costs:
    """What each byte costs after those before it, to an n-gram model of the training documents."""
    alphabet = [chr(FIRST_SIGN + byte) for byte in range(256)]  # so that nothing is unknown
    model = CharacterLanguageModel(order).fit([_signs(document.text) for document in training], alphabet=alphabet)
    bits, characters = [], []
    for document in documents:
        text = _signs(document.text)
        bits += [-model.log_probability(text[max(0, at - order) : at], sign) for at, sign in enumerate(text)]
        characters += [starts_character(ord(sign) - FIRST_SIGN) for sign in text]
    return Costs(np.array(bits) / math.log(2), np.array(characters, np.float64))


def starts_character(byte: int) -> bool:
    """Whether a byte of UTF-8 is the first of a character.

    >>> [starts_character(byte) for byte in "aé".encode()]
    [True, True, False]
    """
    return byte & 0b1100_0000 != 0b1000_0000


def _added(compress: Callable[[bytes], bytes], training: Sequence[Document], documents: Sequence[Document]) -> Costs:
    before, text = ("".join(document.text for document in each) for each in (training, documents))
    size = len(compress((before + text).encode())) - len(compress(before.encode()))
    return Costs(np.array([8.0 * size]), np.array([float(len(text))]))


def _signs(text: str) -> str:
    return "".join(chr(FIRST_SIGN + byte) for byte in text.encode())

"""N-gram language models of other programs: ARPA files, as KenLM, SRILM and IRSTLM write them."""

import math
import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from models.decoding.back_off import BackOffModel

START, END, UNKNOWN = "<s>", "</s>", "<unk>"
_IMPOSSIBLE = -1e9  # as a logarithm
_LEAST = -99.0  # what SRILM writes for the logarithm of 0, which others write as -inf
_BLANKS = " \t\r\n"  # between fields; other spaces of Unicode may belong to a word
_SPLIT = re.compile(f"[{_BLANKS}]+").split
_LEAST_SHARE = 1e-4  # of unknown symbols, where a model knows of none

NGrams = dict[tuple[str, ...], tuple[float, float]]  # log p and log b of each, in nats


def read_arpa(lines: Iterable[str], maximum: int = 10_000_000) -> NGrams:
    """Returns the n-grams of an ARPA file, each with its probability and the weight of its context, in nats.

    Args:
        lines: of the file.
        maximum: n-grams, of which each takes some 200 bytes.

    Raises:
        ValueError: it is no ARPA file, it is not whole, or it has more n-grams.

    Example:
        >>> read_arpa(["\\\\data\\\\", "ngram 1=1", "", "\\\\1-grams:", "-1.0\\ta\\t-0.5", "", "\\\\end\\\\"])
        {('a',): (-2.302585092994046, -1.151292546497023)}
    """
    found: NGrams = {}
    promised: dict[int, int] = {}
    counted: dict[int, int] = {}
    order, ended = -1, False
    for number, line in enumerate(lines, start=1):
        text = line.strip(_BLANKS)
        if order < 0:  # what stands before is a remark
            order = 0 if text == "\\data\\" else -1
        elif text == "\\end\\":
            ended = True
            break
        elif size := re.fullmatch(r"ngram\s+(\d+)\s*=\s*(\d+)", text):
            promised[int(size[1])] = int(size[2])
        elif head := re.fullmatch(r"\\(\d+)-grams:", text):
            order = int(head[1])
            if sum(promised.values()) > maximum:
                raise ValueError(
                    f"the model has more n-grams than the search holds. Expected at most {maximum}. Leave out "
                    f"rare ones: lmplz --prune 0 1 1. Received: {sum(promised.values())}"
                )
        elif text:
            fields = _SPLIT(text)
            try:
                log_probability = max(float(fields[0]), _LEAST)  # NaN stays
                back_off = max(float(fields[order + 1]), _LEAST) if len(fields) == order + 2 else 0.0
                if not (1 <= order <= len(fields) - 1 <= order + 1 and log_probability <= 0 and back_off < math.inf):
                    raise ValueError
            except ValueError:
                raise ValueError(
                    f"line {number}: expected a logarithm of a probability, {max(order, 1)} words, and perhaps the "
                    f"logarithm of a weight. Write the model anew. Received: {text[:100]!r}"
                ) from None
            symbols = tuple(_name(field) for field in fields[1 : order + 1])
            found[symbols] = (log_probability * math.log(10), back_off * math.log(10))
            counted[order] = counted.get(order, 0) + 1
    if order < 0:
        raise ValueError(r"no line \data\ is there. Expected an ARPA file, as `lmplz` writes it. Received: other text")
    if not ended or not counted or any(counted.get(order, 0) != count for order, count in promised.items()):
        raise ValueError(
            f"the model is not whole: n-grams of each length are {counted}. Expected {promised}, and a line \\end\\ "
            f"behind them. Copy or write it anew. Received: {sum(counted.values())} n-grams"
        )
    return found


def renamed(ngrams: NGrams, name: Callable[[str], str]) -> NGrams:
    """Returns n-grams whose symbols have other names; where several become one, their probabilities are added.

    Args:
        ngrams: as `read_arpa` returns them.
        name: returns the new name of a symbol; "" leaves out the n-grams that hold it. It is not asked for `START`,
            `END` and `UNKNOWN`.

    Example:
        >>> found = renamed({("A",): (-1.0, 0.0), ("a",): (-1.0, 0.0)}, str.lower)
        >>> {symbols: round(log_probability, 2) for symbols, (log_probability, _) in found.items()}
        {('a',): -0.31}
    """
    names = {symbol: symbol for symbol in (START, END, UNKNOWN)}
    found: NGrams = {}
    for symbols, (log_probability, back_off) in ngrams.items():
        for symbol in symbols:
            if symbol not in names:
                names[symbol] = name(symbol)
        new = tuple(names[symbol] for symbol in symbols)
        if all(new):
            before = found.get(new, (-math.inf, -math.inf))
            found[new] = (float(np.logaddexp(before[0], log_probability)), max(before[1], back_off))
    return found


def back_off_model(ngrams: NGrams, alphabet: Sequence[str] | None = None) -> BackOffModel:
    """Returns n-grams as a language model.

    Args:
        ngrams: as `read_arpa` returns them, those of single symbols among them.
        alphabet: the symbols of the model. Those without an n-gram share what the model leaves to unknown ones. None:
            those of the n-grams.

    Example:
        >>> ngrams = {("a",): (math.log(0.5), 0.0), ("</s>",): (math.log(0.4), 0.0), ("<unk>",): (math.log(0.1), 0.0)}
        >>> model = back_off_model(ngrams, "ab")
        >>> [round(math.exp(model.step(model.start, symbol)[0]), 2) for symbol in ("a", "b", "")]
        [0.5, 0.1, 0.4]
    """
    specials = (START, END, UNKNOWN)
    if alphabet is None:
        alphabet = sorted({symbols[0] for symbols in ngrams if len(symbols) == 1} - set(specials))
    number = {symbol: place for place, symbol in enumerate([*alphabet, END, START])}
    unknown = ngrams.get((UNKNOWN,), (math.log(_LEAST_SHARE), 0.0))[0]
    without = [symbol for symbol in [*alphabet, END] if (symbol,) not in ngrams]
    listed = {each: both for each, both in ngrams.items() if all(symbol in number for symbol in each)}
    listed |= {(symbol,): (unknown - math.log(len(without)), 0.0) for symbol in without}
    listed[(START,)] = (_IMPOSSIBLE, listed.get((START,), (0.0, 0.0))[1])

    order = max(map(len, listed))
    contexts = {each[:-1] for each in listed} | {
        each for each, (_, back_off) in listed.items() if back_off and len(each) < order
    }
    state = {each: place for place, each in enumerate(sorted(contexts, key=lambda each: (len(each), each)))}

    def longest(symbols: tuple[str, ...]) -> int:
        while symbols not in state:
            symbols = symbols[1:]
        return state[symbols]

    rows = sorted(
        (state[each[:-1]] * len(number) + number[each[-1]], log_probability, longest(each))
        for each, (log_probability, _) in listed.items()
    )
    keys, log_probabilities, following = zip(*rows, strict=True)
    return BackOffModel(
        alphabet,
        np.array(keys, np.int64),
        np.maximum(np.array(log_probabilities), _IMPOSSIBLE),
        np.array(following),
        np.array([longest(each[1:]) if each else 0 for each in state]),
        np.array([listed.get(each, (0.0, 0.0))[1] if each else unknown for each in state]),
        state.get((START,), 0),
        order,
    )


def _name(symbol: str) -> str:
    """Returns a symbol by its usual name: SRILM writes <UNK>, others <S>."""
    return symbol.lower() if symbol.lower() in (START, END, UNKNOWN) else symbol

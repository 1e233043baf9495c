"""ARPA files, read and written."""

import math

import pytest

from models.decoding.arpa import back_off_model, read_arpa, renamed

# What lmplz writes of "a b", "a a b", with probabilities made simple.
FILE = r"""
\data\
ngram 1=5
ngram 2=3

\1-grams:
-1.0	<unk>	0
0	<s>	-0.30103
-0.60206	</s>	0
-0.30103	a	-0.1
-0.69897	b	-0.2

\2-grams:
-0.1	<s> a
-0.2	a b
-0.05	b </s>

\end\
""".splitlines()


def test_probabilities_are_those_that_the_file_means() -> None:
    """Written down by hand, by the rule of the format: the weight of the context where an n-gram is not listed."""
    model = back_off_model(read_arpa(FILE))
    assert model.alphabet == ("a", "b") and model.order == 2
    by_hand = {
        ("a", "b"): -0.1 - 0.2 - 0.05,
        ("b", "a"): (-0.30103 - 0.69897) + (-0.2 - 0.30103) + (-0.1 - 0.60206),
        (): -0.30103 - 0.60206,
    }
    for text, expected in by_hand.items():
        assert model.text_log_probability(text) / math.log(10) == pytest.approx(expected, abs=1e-6)


def test_words_may_hold_spaces_of_unicode_and_have_no_probability() -> None:
    """As KenLM counts words of the web, divided at ASCII blanks alone; and as others write the logarithm of 0."""
    for word in ("10\u00a0000", "\u3000", "\u0085"):
        lines = [line.replace("a", word) if line.startswith("-") else line for line in FILE]
        found = read_arpa(lines)
        assert found[(word,)] == read_arpa(FILE)[("a",)] and found[("<s>", word)] == read_arpa(FILE)[("<s>", "a")]
    lines = [line.replace("-0.69897\tb\t-0.2", "-inf\tb\t-inf") for line in FILE]
    assert read_arpa(lines)[("b",)] == pytest.approx((-99 * math.log(10), -99 * math.log(10)))


def test_a_model_without_some_contexts_is_read() -> None:
    """As after pruning: the n-gram `a b c` without `b c`, whose shorter context is then `c`."""
    lines = r"""\data\
ngram 1=4
ngram 2=1
ngram 3=1
\1-grams:
-1 a -0.5
-1 b -0.5
-1 c -0.5
-1 </s>
\2-grams:
-0.2 a b -0.25
\3-grams:
-0.1 a b c
\end\ """.splitlines()
    model = back_off_model(read_arpa(lines))
    assert model.text_log_probability("abc") / math.log(10) == pytest.approx(-1 - 0.2 - 0.1 + (-0.5 - 1), abs=1e-6)
    assert model.text_log_probability("aba") / math.log(10) == pytest.approx(
        -1 - 0.2 + (-0.25 - 0.5 - 1) - 1.5, abs=1e-6
    )


def test_symbols_get_other_names_or_leave() -> None:
    ngrams = renamed(read_arpa(FILE), lambda symbol: {"a": "A", "b": ""}[symbol])
    assert set(ngrams) == {("<unk>",), ("<s>",), ("</s>",), ("A",), ("<s>", "A")}
    both = renamed(read_arpa(FILE), lambda symbol: "c")
    assert math.exp(both[("c",)][0]) == pytest.approx(0.5 + 0.2, rel=1e-4)
    assert ("c", "c") in both


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a text", "of lines"], "no line"),
        (FILE[:-3], "is not whole"),
        ([line for line in FILE if "a b" not in line], "is not whole"),
        ([line.replace("-0.2\ta b", "often a b") for line in FILE], "line 15: expected a logarithm"),
        ([line.replace("-0.2\ta b", "0.5 a b") for line in FILE], "line 15: expected a logarithm"),
        ([line.replace("-0.2\ta b", "nan\ta b") for line in FILE], "line 15: expected a logarithm"),
        ([line.replace("b\t-0.2", "b\tinf") for line in FILE], "line 11: expected a logarithm"),
    ],
)
def test_what_is_no_model_is_refused(lines: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        read_arpa(lines)
    assert "Expected" in str(caught.value) or "expected" in str(caught.value)
    assert "Received" in str(caught.value)


def test_more_than_memory_holds_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="Expected at most 4"):
        read_arpa(FILE[:9], maximum=4)

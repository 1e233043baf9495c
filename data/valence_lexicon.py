"""VADER's lexicon: English words with the mean valence that ten people gave them, from −4 to 4."""

from data.packages import fetch
from data.rated_snippets import PACKAGE
from data.time_series import locate

FILE = "vader_lexicon.txt"


def read_valences() -> dict[str, float]:
    """Returns the valence of each word and emoticon of the lexicon (Hutto and Gilbert 2014, MIT).

    The people rated words alone, not the texts of `RatedSnippets`. The package is downloaded on first use.
    """
    rows = locate(fetch(PACKAGE), PACKAGE, FILE).read_text(encoding="utf-8").splitlines()
    return {word: float(valence) for word, valence, *_ in (row.split("\t") for row in rows if row)}

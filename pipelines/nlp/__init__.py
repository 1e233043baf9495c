"""Text: sentiment, language model and generation, translation, tagging; one package each, and what they share."""

from unrolled_installation import check_libraries

check_libraries(["charset_normalizer", "nervaluate", "pyarrow", "pysword", "sacrebleu", "sklearn", "tokenizers"], "nlp")

DEFAULT = "sentiment"
"""The task that `train nlp` trains unless a preset names another."""

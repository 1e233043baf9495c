"""Speech to text: log-mel features, recurrent layers, CTC."""

from unrolled_installation import check_libraries

check_libraries(
    ["av", "charset_normalizer", "espeakng_loader", "jiwer", "librosa", "phonemizer", "soundfile", "soxr"], "speech"
)

HOT_WORD_WEIGHT = 5.0
"""What a text's score gains by each hot word that comes without a weight, in nats."""

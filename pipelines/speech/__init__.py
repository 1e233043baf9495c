"""Speech to text: log-mel features, recurrent layers, CTC."""

from unrolled_installation import check_libraries

check_libraries(["av", "jiwer", "librosa", "soundfile", "soxr"], "speech")

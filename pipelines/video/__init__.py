"""Video: the frames that come next, and what a clip shows; one package each, and what they share."""

from unrolled_installation import check_libraries

check_libraries(["PIL", "av", "charset_normalizer", "cv2", "skimage", "sklearn", "tifffile"], "video")

DEFAULT = "next-frames"
"""The task that `train video` trains unless a preset names another."""

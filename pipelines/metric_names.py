"""What a metric's name tells of its direction, and the metric that chooses the best weights."""

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

HIGHER = {"accuracy", "auc", "bleu", "chrf", "coverage", "f1", "iou", "precision", "psnr", "r2", "recall", "skill"}
HIGHER |= {"csi", "direction", "fss", "pod", "ssim"}
LOWER = {"bits", "brier", "cer", "crps", "entropy", "error", "errors", "far", "loss", "mae", "mape", "mase", "mse"}
LOWER |= {"nats", "nll", "perplexity", "pinball", "rmse", "smape", "wer"}


def higher_is_better(name: str) -> bool | None:
    """Returns whether more of a metric is better, judged by the words of its name; None if they do not tell.

    Example:
        >>> higher_is_better("macro_f1"), higher_is_better("cross_entropy"), higher_is_better("minutes")
        (True, False, None)
    """
    words = set(re.split(r"[^a-z0-9]+", name.lower()))
    if words & LOWER:  # first, for the error of a precision is an error
        return False
    return True if words & HIGHER else None


class Criterion(NamedTuple):
    """The validation value that decides which weights are the best."""

    name: str
    maximised: bool

    @classmethod
    def of(cls, minimise: str | None, maximise: str | None) -> "Criterion":
        """Returns the criterion that `fit` is asked for.

        Raises:
            ValueError: both or neither are given, or the name states the opposite direction.

        Example:
            >>> Criterion.of("cer", None).is_better(0.1, 0.2)
            True
        """
        if (minimise is None) == (maximise is None):
            raise ValueError(
                'Expected one of minimise and maximise, such as minimise="loss". '
                f"Received: minimise={minimise!r}, maximise={maximise!r}"
            )
        criterion = cls(str(minimise or maximise), maximised=minimise is None)
        if higher_is_better(criterion.name) is (not criterion.maximised):
            given, other = ("maximise", "minimise") if criterion.maximised else ("minimise", "maximise")
            better = "lower" if criterion.maximised else "higher"
            raise ValueError(
                f"By its name, a {better} {criterion.name} is better. Write {other}={criterion.name!r}, or rename it. "
                f"Received: {given}={criterion.name!r}"
            )
        return criterion

    @property
    def worst(self) -> float:
        """The value that any other improves on."""
        return -math.inf if self.maximised else math.inf

    def is_better(self, value: float, best: float) -> bool:
        """Whether a value improves on the best one."""
        return value > best if self.maximised else value < best

    def among(self, values: Mapping[str, float]) -> float:
        """Returns the value among those of a validation.

        Raises:
            ValueError: it is not among them.
        """
        if self.name not in values:
            raise ValueError(
                "The value to minimise or maximise is not among those that validation returns. "
                f"Expected one of {', '.join(values)}. Received: {self.name!r}"
            )
        return values[self.name]

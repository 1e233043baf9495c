"""When an LSTM runs as one fused operation: the rule, and the argument that overrules it."""

from typing import Any, Literal

import tensorflow as tf

from models.recurrence import Recurrence
from models.recurrence.fused_lstm import RECURRENCE, fused_lstm
from models.recurrence.loop import is_within_xla

# With more units in all rows together, the products of gates that run side by side are faster.
MOST_UNITS = 1024


class Fused:
    """Gives an LSTM the argument `fused`: whether inference runs as TensorFlow's one operation for all steps.

    It is about twice as fast as a loop where `batch · units` is at most 1024. `"auto"` takes it there in eager calls,
    and not in a graph, which may be exported, since ONNX, LiteRT and XLA do not know the operation.
    `True` takes it for batches of any size, in exports too, which TensorFlow Serving can run; `False` never. It
    computes in float32, with tanh and sigmoid, without a mask; everything else runs as a loop.
    """

    def __init__(self, *args: Any, fused: bool | Literal["auto"] = "auto", **kwargs: Any) -> None:
        if fused not in ("auto", True, False):
            raise ValueError(
                'fused says whether inference runs as one operation for all steps: "auto", True or False. '
                f"Received: fused={fused!r}."
            )
        super().__init__(*args, **kwargs)
        self.fused = fused

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **({} if self.fused == "auto" else {"fused": self.fused})}  # type: ignore[misc]

    def run_fused(self, recurrence: Recurrence, sequences: tf.Tensor, state: Any) -> Any:
        """Returns the hidden states (batch, time, units) and the last state; None where the operation is not taken."""
        cell: Any = self.cell  # type: ignore[attr-defined]
        if not self.fused or recurrence != RECURRENCE or sequences.dtype != tf.float32 or is_within_xla():
            return None

        if self.fused == "auto" and (
            not tf.executing_eagerly()
            or sequences.shape[0] * cell.units > MOST_UNITS
            or tf.config.list_physical_devices("GPU")
        ):
            return None
        inputs = tf.transpose(sequences, (1, 0, 2))  # (time, batch, features)
        kernel, recurrent_kernel = map(tf.convert_to_tensor, (cell.kernel, cell.recurrent_kernel))
        hidden, last = fused_lstm(inputs, state, kernel, recurrent_kernel, cell.bias)
        return tf.transpose(hidden, (1, 0, 2)), last

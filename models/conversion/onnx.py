"""Models as ONNX, with recurrent layers as ONNX's own operators, whose runtimes have fast kernels for them."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.conversion.signature import signature_of
from models.layers.recurrent import whole_layers
from models.recurrence import GRURecurrence, LSTMRecurrence, Recurrence

# For each block of ONNX's weights, Keras's block of the same gate.
_BLOCKS = {"LSTM": (0, 3, 1, 2), "GRU": (0, 1, 2)}  # LSTM: input, output, forget, candidate
# Names, and alpha and beta where the operator has them; where it has not, runtimes expect none.
_ACTIVATIONS: dict[str, tuple[str, float | None, float | None]] = {
    "tanh": ("Tanh", None, None),
    "sigmoid": ("Sigmoid", None, None),
    "relu": ("Relu", None, None),
    "softsign": ("Softsign", None, None),
    "hard_sigmoid": ("HardSigmoid", 1 / 6, 0.5),
}
# A stock operator with the arguments of a whole layer, which only stands in the graph until it is replaced.
_PLACEHOLDER = "CudnnRNNV3"


def to_onnx(model: keras.Layer, path: str | Path, opset: int = 17, **shapes: Sequence[int | None]) -> None:
    """Writes a model, or layer, as an ONNX file that reads any number of rows and steps.

    `LSTM` and `GRU` without a mask become ONNX's operators of these names; with a mask or with options, and every other
    layer, loops of plain operators. So does `SimpleRNN`: onnxruntime runs the operator `RNN` at half the speed of such
    a loop, but for single rows. Dropout is left out.

    Args:
        model: a model, or a layer that is built. To stream, make the state an input and an output of the model.
        path: the file.
        opset: version of ONNX's operators; default 17.
        **shapes: of inputs by their names, where another than the model's own is wanted.

    Raises:
        ModuleNotFoundError: `tf2onnx` is missing.
        ValueError: a stateful layer, whose state a file cannot keep.
    """
    Path(path).write_bytes(onnx_of(*signature_of(model, shapes), opset))


def onnx_of(function: Callable[..., Any], signature: Sequence[tf.TensorSpec], opset: int = 17) -> bytes:
    """Returns a function as an ONNX file.

    Args:
        function: of one tensor for each of the signature. What it returns in a dictionary has these names in the file;
            none may be that of an input.
        signature: shapes, types and names of the tensors.
        opset: version of ONNX's operators.

    Raises:
        ModuleNotFoundError: `tf2onnx` is missing.
    """
    try:
        import onnx
        from tf2onnx import convert
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'ONNX files are written by libraries that are missing. Install them: pip install "unrolled[onnx]". '
            f"Received: no {error.name}."
        ) from error
    operators: list[Any] = []

    def operator(layer: Any, recurrence: Recurrence, sequences: tf.Tensor, state: Any) -> Any:
        """A placeholder in the graph, with the number of its weights; None for a layer that no operator computes."""
        found = _attributes(recurrence)
        if found is None or sequences.dtype != tf.float32:
            return None
        with tf.init_scope():
            operators.append((*found, _weights(layer, found[0])))
        number = tf.constant([len(operators) - 1], tf.float32)
        fields = [tf.expand_dims(field, 0) for field in state]
        outputs = tf.raw_ops.CudnnRNNV3(
            input=tf.transpose(sequences, (1, 0, 2)),  # (time, batch, features)
            input_h=fields[0],
            input_c=fields[-1],
            params=number,
            sequence_lengths=tf.fill(tf.shape(sequences)[:1], tf.shape(sequences)[1]),
            rnn_mode="lstm" if len(state) == 2 else "gru",
        )
        hidden = tf.ensure_shape(tf.transpose(outputs[0], (1, 0, 2)), (*sequences.shape[:2], layer.units))
        last = (
            tf.ensure_shape(tf.squeeze(field, 0), its.shape) for field, its in zip(outputs[1:3], state, strict=False)
        )
        return hidden, type(state)(*last)

    def written(context: Any, node: Any, name: str, _arguments: Any) -> None:
        kind, attributes, weights = operators[int(node.inputs[3].get_tensor_value()[0])]
        arrays = [context.make_const(f"{name}_{index}", array).output[0] for index, array in enumerate(weights)]
        sequences, *fields = node.input[: 3 if kind == "LSTM" else 2]
        ends = node.output[1 : 3 if kind == "LSTM" else 2]
        hidden = node.output[0]
        context.remove_node(node.name)
        apart = f"{name}_directions"  # (time, directions, batch, units)
        attributes = {**attributes, "hidden_size": weights[1].shape[2]}
        context.make_node(kind, [sequences, *arrays, "", *fields], attr=attributes, outputs=[apart, *ends], name=name)
        axis = context.make_const(f"{name}_axis", np.array([1], np.int64)).output[0]
        context.make_node("Squeeze", [apart, axis], outputs=[hidden])

    def chosen(_context: Any, node: Any, _name: str, _arguments: Any) -> None:
        node.type = "Where"  # tf2onnx multiplies by 0 what is not chosen, and NaN stays NaN

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    with whole_layers(operator):
        proto, _ = convert.from_function(
            tf.function(function, autograph=False, input_signature=signature),
            list(signature),
            opset=opset,
            custom_op_handlers={_PLACEHOLDER: (written, []), "SelectV2": (chosen, [])},
        )
    onnx.checker.check_model(proto)
    content: bytes = proto.SerializeToString()
    return content


def _attributes(recurrence: Recurrence) -> tuple[str, dict[str, Any]] | None:
    """The operator that computes a recurrence, and its attributes; None where there is none."""
    names = [recurrence.activation]  # type: ignore[attr-defined]
    attributes: dict[str, Any] = {}
    if type(recurrence) is LSTMRecurrence:
        kind, names = "LSTM", [recurrence.recurrent_activation, *names * 2]
    elif isinstance(recurrence, GRURecurrence):
        kind, names = "GRU", [recurrence.recurrent_activation, *names]
        attributes["linear_before_reset"] = int(recurrence.reset_after)
    else:
        return None
    if not set(names) <= _ACTIVATIONS.keys():
        return None
    found = [_ACTIVATIONS[name] for name in names]
    attributes["activations"] = [name for name, *_ in found]
    for index, name in ((1, "activation_alpha"), (2, "activation_beta")):
        values = [activation[index] for activation in found if activation[index] is not None]
        if values:
            attributes[name] = values
    return kind, attributes


def _weights(layer: Any, kind: str) -> list[np.ndarray]:
    """The operator's `W` (1, gates · units, inputs), `R` (1, gates · units, units) and `B` (1, 2 · gates · units)."""

    def laid_out(weight: Any) -> np.ndarray:
        blocks = np.split(np.asarray(weight, np.float32), len(_BLOCKS[kind]), axis=-1)
        return np.concatenate([blocks[gate] for gate in _BLOCKS[kind]], axis=-1)

    cell = layer.cell
    kernels = [laid_out(kernel.numpy()).T[np.newaxis] for kernel in (cell.kernel, cell.recurrent_kernel)]
    zeros = np.zeros(kernels[0].shape[1], np.float32)
    biases = [zeros if bias is None else laid_out(np.asarray(bias)) for bias in layer._biases()]
    return [*kernels, np.concatenate(biases)[np.newaxis]]

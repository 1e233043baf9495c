"""Weights of recurrent layers to and from PyTorch's `torch.nn.RNN`, `torch.nn.LSTM` and `torch.nn.GRU`.

PyTorch is not needed here: its side is a dictionary of NumPy arrays, laid out and named as in the module's
`state_dict`. With PyTorch at hand, each way is one line:

    module.load_state_dict({name: torch.from_numpy(array) for name, array in to_torch(layers).items()})
    from_torch(layers, module.state_dict())

Layers of `models` and those of `keras.layers` have the same weights in the same order; between them
`ours.set_weights(theirs.get_weights())` is enough.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from models.layers.options import WithOptions

# For each block of PyTorch's weights, Keras's block of the same gate. Each of these orders is its own inverse.
_BLOCKS: dict[type[Any], tuple[int, ...]] = {
    keras.layers.SimpleRNN: (0,),
    keras.layers.LSTM: (0, 1, 2, 3),  # both: input, forget, candidate, output
    keras.layers.GRU: (1, 0, 2),  # PyTorch: reset, update, candidate; Keras: update, reset, candidate
}


def to_torch(layers: keras.layers.Layer | Sequence[keras.layers.Layer]) -> dict[str, np.ndarray]:
    """Returns the weights of recurrent layers as the `state_dict` of the PyTorch module that computes the same.

    The module is `torch.nn.RNN` (with `nonlinearity="relu"` where that is the activation), `torch.nn.LSTM` or
    `torch.nn.GRU`, with `batch_first=True`, `num_layers` as many as `layers`, `bidirectional=True` for
    `keras.layers.Bidirectional`, `bias=False` for `use_bias=False`, and `proj_size` for `projection`.

    PyTorch has two biases where Keras's `SimpleRNN` and `LSTM` have one: `bias_ih` is Keras's, `bias_hh` is zero.

    Args:
        layers: a built `SimpleRNN`, `LSTM` or `GRU`, of `models` or of `keras.layers`, or such a layer within
            `keras.layers.Bidirectional`; or several, from the first to the last, alike but for the size of their input.

    Returns:
        `weight_ih_l0` (G · units, inputs), `weight_hh_l0` (G · units, units), `bias_ih_l0` and `bias_hh_l0`
        (G · units) with G gates, the same with the ending `_reverse` for the backward direction, and so on for
        `_l1`, `_l2`, …. With a projection, `weight_hh_l0` is (G · units, projection), and `weight_hr_l0`
        (projection, units) is there as well.

    Raises:
        ValueError: PyTorch has no module that computes what the layers compute, or a layer has no weights yet.

    Example:
        >>> import models
        >>> from models.conversion import to_torch
        >>> layer = models.GRU(5)
        >>> layer.build((None, None, 3))
        >>> {name: array.shape for name, array in to_torch(layer).items()}
        {'weight_ih_l0': (15, 3), 'weight_hh_l0': (15, 5), 'bias_ih_l0': (15,), 'bias_hh_l0': (15,)}
    """
    state = {}
    for layer, ending in _directions(_checked(layers)):
        if not layer.built:
            raise ValueError(
                "A layer without weights cannot be converted. Build it, or call it on data, first. "
                f"Received: {_describe(layer)}."
            )
        weights = layer.get_weights()
        if _projection(layer):
            state[f"weight_hr{ending}"] = np.ascontiguousarray(weights.pop().T)
        weights = [_reorder(layer, weight) for weight in weights]
        state[f"weight_ih{ending}"], state[f"weight_hh{ending}"] = (np.ascontiguousarray(w.T) for w in weights[:2])
        if layer.use_bias:
            bias = weights[2]  # (gates · units), GRU: (2, gates · units)
            input_bias, recurrent_bias = (bias, np.zeros_like(bias)) if bias.ndim == 1 else bias
            state[f"bias_ih{ending}"], state[f"bias_hh{ending}"] = input_bias, recurrent_bias
    return state


def from_torch(layers: keras.layers.Layer | Sequence[keras.layers.Layer], state: Mapping[str, Any]) -> None:
    """Gives recurrent layers the weights of a `torch.nn.RNN`, `torch.nn.LSTM` or `torch.nn.GRU`.

    Where Keras has one bias, it is the sum of PyTorch's two. Nothing is changed when an error is raised.

    Args:
        layers: as for `to_torch`; layers without weights yet are built.
        state: the module's `state_dict`: arrays by name, as `to_torch` returns them, or tensors on the CPU.

    Raises:
        ValueError: names or shapes do not fit the layers, or PyTorch has no module that computes what they compute.

    Example:
        >>> import models
        >>> from models.conversion import from_torch, to_torch
        >>> source, copy = models.LSTM(5), models.LSTM(5)
        >>> source.build((None, None, 3))
        >>> from_torch(copy, to_torch(source))
        >>> all((a == b).all() for a, b in zip(source.get_weights(), copy.get_weights(), strict=True))
        True
    """
    layers = _checked(layers)
    arrays = {name: _array(value) for name, value in state.items()}
    expected = _expected_shapes(layers, arrays)
    missing, surplus = sorted(expected.keys() - arrays.keys()), sorted(arrays.keys() - expected.keys())
    if missing or surplus:
        prefixed = any(name.endswith(tuple(f".{ending}" for ending in missing)) for name in surplus)
        raise ValueError(
            "PyTorch's weights do not belong to these layers: as many layers as `num_layers` are expected, within "
            "`Bidirectional` for `bidirectional=True`, with `use_bias=False` for `bias=False` and `projection` for "
            f"`proj_size`{', and names without the prefix of a larger module' * prefixed}. "
            f"Missing: {missing}. Not expected: {surplus}. Received: {_describe(*layers)}."
        )
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise ValueError(
                f"The shape of `{name}` does not fit the layers: {shape} was expected. Make the layers, or the module, "
                f"of the same kind, units and inputs. Received: {arrays[name].shape} for {_describe(*layers)}."
            )

    for index, layer in enumerate(layers):
        if not layer.built:
            layer.build((None, None, arrays[f"weight_ih_l{index}"].shape[1]))
    _checked(layers)  # Which weights a layer has is known only now.
    for layer, ending in _directions(layers):
        weights = [arrays[f"weight_ih{ending}"].T, arrays[f"weight_hh{ending}"].T]
        if layer.use_bias:
            biases = np.stack([arrays[f"bias_ih{ending}"], arrays[f"bias_hh{ending}"]])
            weights.append(biases if isinstance(layer, keras.layers.GRU) else biases.sum(axis=0))
        projection = [arrays[f"weight_hr{ending}"].T] if _projection(layer) else []
        layer.set_weights([*(_reorder(layer, weight) for weight in weights), *projection])


def _array(value: Any) -> np.ndarray:
    """An array of a tensor, of a parameter too; NumPy has no bfloat16, so that of a tensor becomes float32."""
    value = value.detach() if hasattr(value, "detach") else value
    return np.asarray(value.float() if str(getattr(value, "dtype", "")) == "torch.bfloat16" else value)


def _checked(layers: Any) -> list[Any]:
    """The layers in a list, if there is a PyTorch module that computes the same."""
    layers = [layers] if isinstance(layers, keras.layers.Layer) else list(layers)
    if len(set(map(id, layers))) < len(layers):
        raise ValueError(
            "Every layer of a PyTorch module has weights of its own: layers that differ were expected. Make one for "
            f"each. Received: the same layer more than once, among {_describe(*layers)}."
        )
    for layer in layers:
        if isinstance(layer, keras.layers.Bidirectional) and layer.merge_mode != "concat":
            raise _unlike_torch(layer, "merge_mode", '"concat"')
        for part, backwards in _parts(layer):
            _check_part(part)
            if part.go_backwards != backwards:
                raise _unlike_torch(part, "go_backwards", "False, unless as second direction of two,")
    parts = [part for part, _ in _directions(layers)]
    directions = {len(_parts(layer)) for layer in layers}
    if len({_describe(part) for part in parts}) != 1 or len(directions) != 1:
        raise ValueError(
            "The layers of one PyTorch module are of one kind: at least one layer was expected, all of the same class, "
            f"units, activation and `use_bias`, and all or none within `Bidirectional`. Received: {_describe(*layers)}."
        )
    width = _width(parts[0]) * directions.pop()
    for part, ending in _directions(layers):
        if part.built and not ending.startswith("_l0") and part.cell.kernel.shape[0] != width:
            raise ValueError(
                f"A layer of a PyTorch module reads what the layer before it returns: {width} inputs were expected "
                f"after the first layer. Received: {part.cell.kernel.shape[0]}."
            )
    return layers


def _check_part(layer: Any) -> None:
    """Raises `ValueError` if PyTorch has no such direction of a layer."""
    base = _base(layer)
    simple = base is keras.layers.SimpleRNN
    if layer.activation not in (keras.activations.tanh, *([keras.activations.relu] if simple else [])):
        raise _unlike_torch(layer, "activation", '"tanh" or "relu"' if simple else '"tanh"')
    if not simple and layer.recurrent_activation is not keras.activations.sigmoid:
        raise _unlike_torch(layer, "recurrent_activation", '"sigmoid"')
    if base is keras.layers.GRU and not layer.reset_after:
        raise _unlike_torch(layer, "reset_after", "True")
    options = layer.options.config() if isinstance(layer, WithOptions) else {}
    if options.keys() - {"projection", "weight_dropout"}:
        raise ValueError(
            "PyTorch has no such layer: of the options beyond Keras's it has the projection alone, and weights dropped "
            f"in training make no difference. Leave the others out. Received: {options}."
        )
    if layer.built and len(layer.weights) != 2 + layer.use_bias + bool(_projection(layer)):
        raise ValueError(
            "PyTorch's layers have a kernel, a recurrent kernel, a bias and a projection: no further weights were "
            f"expected. Received: {[weight.name for weight in layer.weights]}."
        )


def _projection(layer: Any) -> int | None:
    return layer.options.projection if isinstance(layer, WithOptions) else None


def _width(layer: Any) -> int:
    """How wide the output of a direction is."""
    return _projection(layer) or layer.units


def _unlike_torch(layer: Any, option: str, expected: str) -> ValueError:
    return ValueError(
        f"PyTorch has no such layer: `{option}` {expected} was expected of `{type(layer).__name__}`. Use a layer with "
        f"that option. Received: {getattr(layer, option)!r}."
    )


def _parts(layer: Any) -> list[tuple[Any, bool]]:
    """The layer's directions, each with whether it reads backwards."""
    if isinstance(layer, keras.layers.Bidirectional):
        return [(layer.forward_layer, False), (layer.backward_layer, True)]
    return [(layer, False)]


def _directions(layers: list[Any]) -> Iterator[tuple[Any, str]]:
    """Every direction of every layer, with the ending of its weights' names in PyTorch."""
    for index, layer in enumerate(layers):
        for part, backwards in _parts(layer):
            yield part, f"_l{index}" + "_reverse" * backwards


def _describe(*layers: Any) -> str:
    """The layers' kinds, such as `Bidirectional(GRU(5, activation=tanh, use_bias=True))`."""

    def kind(layer: Any) -> str:
        if isinstance(layer, keras.layers.Bidirectional):
            return f"Bidirectional({', '.join(kind(part) for part, _ in _parts(layer))})"
        activation = keras.activations.serialize(layer.activation)
        projection = f", projection={_projection(layer)}" if _projection(layer) else ""
        return f"{_base(layer).__name__}({layer.units}, activation={activation}, use_bias={layer.use_bias}{projection})"

    return ", ".join(map(kind, layers)) or "no layer"


def _base(layer: Any) -> type[Any]:
    for base in _BLOCKS:
        if isinstance(layer, base):
            return base
    raise ValueError(
        "Only `SimpleRNN`, `LSTM` and `GRU`, alone or within `Bidirectional`, have a counterpart in PyTorch. "
        f"Received: {layer!r}."
    )


def _expected_shapes(layers: list[Any], arrays: Mapping[str, np.ndarray]) -> dict[str, tuple[Any, ...]]:
    """The shape of each of PyTorch's weights; the number of inputs is the arrays' where the layers have none yet."""
    shapes: dict[str, tuple[Any, ...]] = {}
    for layer, ending in _directions(layers):
        rows = len(_BLOCKS[_base(layer)]) * layer.units  # gates · units
        inputs: Any = _width(layer) * len(_parts(layers[0]))
        if ending.startswith("_l0"):
            given = arrays["weight_ih_l0"].shape if "weight_ih_l0" in arrays else ()
            inputs = layer.cell.kernel.shape[0] if layer.built else given[1] if len(given) == 2 else "inputs"
        shapes |= {f"weight_ih{ending}": (rows, inputs), f"weight_hh{ending}": (rows, _width(layer))}
        if _projection(layer):
            shapes[f"weight_hr{ending}"] = (_width(layer), layer.units)
        if layer.use_bias:
            shapes |= {f"bias_ih{ending}": (rows,), f"bias_hh{ending}": (rows,)}
    return shapes


def _reorder(layer: Any, weight: np.ndarray) -> np.ndarray:
    """A weight (…, gates · units) with its blocks in the order of the other framework."""
    order = _BLOCKS[_base(layer)]
    blocks = np.split(weight, len(order), axis=-1)
    return np.concatenate([blocks[gate] for gate in order], axis=-1)

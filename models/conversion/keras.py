"""Whole models with our recurrent layers in place of those of `keras.layers`, and the other way round."""

from typing import Any

import keras

import models

# The layers that have a namesake in `keras.layers`.
NAMESAKES = {"SimpleRNN": models.SimpleRNN, "LSTM": models.LSTM, "GRU": models.GRU, "ConvLSTM2D": models.ConvLSTM2D}


def from_keras(model: keras.Layer) -> Any:
    """Returns a copy of a model, or layer, with our layers in place of those of the same names in `keras.layers`.

    Those within `Bidirectional`, `TimeDistributed` and inner models are replaced too, and all weights are kept. A
    compiled model stays compiled, with a new optimizer. `SimpleRNN`, `LSTM`, `GRU` and `ConvLSTM2D` have namesakes.

    Args:
        model: a `Sequential` or functional model, or a layer that is built.

    Raises:
        ValueError: a subclassed model, whose layers only its own code knows; a model without weights yet.

    Example:
        >>> import keras, numpy as np
        >>> from models.conversion import from_keras
        >>> trained = keras.Sequential([keras.Input((None, 3)), keras.layers.LSTM(4), keras.layers.Dense(1)])
        >>> model = from_keras(trained)
        >>> type(model.layers[0]).__module__, bool(np.allclose(model(np.ones((1, 5, 3))), trained(np.ones((1, 5, 3)))))
        ('models.layers.recurrent', True)
    """
    return _copy(model, lambda layer: NAMESAKES.get(type(layer).__name__) if _is_of_keras(layer) else None)


def to_keras(model: keras.Layer) -> Any:
    """Returns a copy of a model, or layer, with the layers of `keras.layers` in place of ours of the same names.

    What it returns needs nothing of ours. Options that Keras has not are refused.

    Args:
        model: as for `from_keras`.

    Raises:
        ValueError: a layer that Keras has not, or whose options it has not; otherwise as for `from_keras`.

    Example:
        >>> import models
        >>> from models.conversion import to_keras
        >>> layer = models.GRU(4)
        >>> layer.build((None, None, 3))
        >>> type(to_keras(layer)).__module__
        'keras.src.layers.rnn.gru'
    """

    def namesake(layer: keras.Layer) -> type[keras.Layer] | None:
        if not type(layer).__module__.startswith("models."):
            return None
        options = layer.options.config() if hasattr(layer, "options") else {}
        name = type(layer).__name__
        if NAMESAKES.get(name) is not type(layer) or options:
            raise ValueError(
                f"Keras has no such layer: {', '.join(NAMESAKES)} without further options were expected. "
                f"Received: {name}{f' with {options}' if options else ''}."
            )
        return getattr(keras.layers, name)

    return _copy(model, namesake)


# Arguments of ours that change no result, and that Keras does not know.
HOW_IT_RUNS = ("jit_compile", "differentiable_twice", "fused")


def _is_of_keras(layer: keras.Layer) -> bool:
    return type(layer) is getattr(keras.layers, type(layer).__name__, None)


def _copy(model: keras.Layer, namesake: Any) -> Any:
    if not model.built:
        raise ValueError(
            "A model without weights cannot be copied with them. Build it, or call it on data, first. "
            f"Received: {model.name}, not built."
        )
    if isinstance(model, keras.Model):
        if not isinstance(model, keras.Sequential) and not hasattr(model, "operations"):
            raise ValueError(
                "The layers of a subclassed model are made by its own code, so that none can be replaced: a Sequential "
                "or functional model was expected. Convert its layers one by one. "
                f"Received: {type(model).__name__}."
            )
        copy = keras.models.clone_model(model, clone_function=lambda layer: _replaced(layer, namesake))
        if model.compiled:
            copy.compile_from_config(model.get_compile_config())
    else:
        copy = _replaced(model, namesake)
        copy.build_from_config(model.get_build_config())
    copy.set_weights(model.get_weights())
    return copy


def _replaced(layer: keras.Layer, namesake: Any) -> Any:
    """The layer made anew, without its weights, or its namesake; also where it is within another."""
    if isinstance(layer, keras.Model):
        return keras.models.clone_model(layer, clone_function=lambda inner: _replaced(inner, namesake))
    config = layer.get_config()
    if found := namesake(layer):
        return found.from_config({name: value for name, value in config.items() if name not in HOW_IT_RUNS})
    for name, attribute in (("layer", "layer"), ("layer", "forward_layer"), ("backward_layer", "backward_layer")):
        if name in config and hasattr(layer, attribute):  # a wrapper
            config[name] = keras.saving.serialize_keras_object(_replaced(getattr(layer, attribute), namesake))
    return type(layer).from_config(config)

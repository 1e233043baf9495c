"""What the classifier is made of: sizes, and the encoder of single frames."""

from pathlib import Path
from typing import Literal

import keras
from pydantic import Field

from pipelines.configuration import Configuration, ConfigurationError


class NetworkConfiguration(Configuration):
    """Sizes of the network."""

    encoder: Literal["convolutional", "mobilenet_v2"] = Field(
        "convolutional",
        description="encoder of single frames: a small one trained from scratch, or MobileNetV2 of Keras",
    )
    weights: str = Field(
        "", description="file of MobileNetV2's weights, without the top; default: start from random weights"
    )
    filters: int = Field(16, ge=1, description="channels of the first convolution; each further one doubles them")
    stages: int = Field(3, ge=1, le=6, description="convolutions, each of which halves height and width")
    features: int = Field(96, ge=1, description="size of the encoding of a frame")
    differences: bool = Field(True, description="input each frame together with its difference from the previous one")
    recurrent: Literal["simple_rnn", "lstm", "gru", "min_gru", "min_lstm"] = Field("gru", description="recurrent layer")
    units: int = Field(96, ge=1, description="units of a recurrent layer")
    layers: int = Field(1, ge=1, le=12, description="recurrent layers")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout before each recurrent layer, one mask for all frames")


def frame_encoder(
    network: NetworkConfiguration, frame_shape: tuple[int, int, int], differences: bool
) -> keras.Sequential:
    """Returns the encoder of frames (batch, height, width, channels), in −1 … 1, to (batch, features).

    MobileNetV2: Sandler et al. 2018, https://arxiv.org/abs/1801.04381.

    Args:
        differences: as many channels more hold the difference from the frame before.

    Raises:
        ConfigurationError: the weights are not there, or belong to another network.
    """
    height, width, channels = frame_shape
    shape = (height, width, channels * (2 if differences else 1))
    if network.encoder == "mobilenet_v2":
        body = [_mobilenet(network, shape)]
    else:
        if network.weights:
            raise ConfigurationError(
                "network.weights: the convolutional encoder takes none. Set --network.encoder mobilenet_v2, or leave "
                f"the weights out. Received: {network.weights!r}"
            )
        body = [
            keras.layers.Conv2D(
                network.filters * 2**stage, 3, 2, "same", activation="relu", kernel_initializer="he_normal"
            )
            for stage in range(network.stages)
        ]
        body.append(keras.layers.Flatten())
    head = [keras.layers.Dense(network.features), keras.layers.LayerNormalization(), keras.layers.ReLU()]
    return keras.Sequential([keras.Input(shape), *body, *head], name="encoder")


def _mobilenet(network: NetworkConfiguration, shape: tuple[int, int, int]) -> keras.Model:
    if shape[2] != 3 or min(shape[:2]) < 32:
        raise ConfigurationError(
            "network.encoder: MobileNetV2 takes frames of three channels and at least 32×32 pixels. Set --data.colour "
            "rgb, --network.no_differences, and --data.height and --data.width of 32 or more. "
            f"Received: {shape[0]}×{shape[1]} pixels of {shape[2]} channels"
        )
    if network.weights and not Path(network.weights).expanduser().is_file():
        raise ConfigurationError(
            "network.weights: there is no such file. Expected the weights of MobileNetV2 without its top, as Keras "
            "publishes them. Correct the path, or leave it out to start from random weights. "
            f"Received: {network.weights!r}"
        )
    model = keras.applications.MobileNetV2(input_shape=shape, include_top=False, weights=None, pooling="avg")
    if network.weights:
        try:
            model.load_weights(Path(network.weights).expanduser())
        except (ValueError, OSError) as error:
            raise ConfigurationError(
                "network.weights: the file holds no weights of MobileNetV2 without its top. Expected those that Keras "
                f"publishes, of width 1.0. Give them, or none. Received: {network.weights!r} ({error})"
            ) from error
    return model

"""Layers and models to and from other libraries and formats.

| target | function | needs |
|---|---|---|
| PyTorch | `to_torch`, `from_torch`: the weights of recurrent layers | nothing |
| `keras.layers` | `to_keras`, `from_keras`: whole models | nothing |
| ONNX | `to_onnx`: `LSTM`, `GRU` and `SimpleRNN` become ONNX's own operators | `unrolled[onnx]` |
| LiteRT | `to_litert`: builtin operators alone, float32 or int8 | nothing |
"""

from models.conversion.keras import from_keras, to_keras
from models.conversion.litert import to_litert
from models.conversion.onnx import to_onnx
from models.conversion.torch import from_torch, to_torch

__all__ = ["from_keras", "from_torch", "to_keras", "to_litert", "to_onnx", "to_torch"]

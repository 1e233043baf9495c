"""Layers and models to and from other libraries and formats."""

from models.conversion.keras import from_keras, to_keras
from models.conversion.litert import to_litert
from models.conversion.onnx import to_onnx
from models.conversion.torch import from_torch, to_torch

__all__ = ["from_keras", "from_torch", "to_keras", "to_litert", "to_onnx", "to_torch"]

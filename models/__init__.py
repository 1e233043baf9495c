"""Recurrent layers, losses and decoding for sequences: tensors in, tensors out."""

from models.layers import (
    GRU,
    LSTM,
    BahdanauAttention,
    ConvLSTM2D,
    LuongAttention,
    MinGRU,
    MinLSTM,
    SimpleRNN,
    SpatiotemporalLSTM,
    Stack,
    positive,
)

__all__ = [
    "GRU",
    "LSTM",
    "BahdanauAttention",
    "ConvLSTM2D",
    "LuongAttention",
    "MinGRU",
    "MinLSTM",
    "SimpleRNN",
    "SpatiotemporalLSTM",
    "Stack",
    "positive",
]

"""Keras layers on top of the recurrences."""

from models.layers.attention import BahdanauAttention, LuongAttention
from models.layers.convolutional import ConvLSTM2D
from models.layers.minimal import MinGRU, MinLSTM, positive
from models.layers.recurrent import GRU, LSTM, SimpleRNN
from models.layers.spatiotemporal import SpatiotemporalLSTM
from models.layers.stack import Stack

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

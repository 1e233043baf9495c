"""Keras layers on top of the recurrences."""

from models.layers.attention import BahdanauAttention, LuongAttention
from models.layers.minimal import MinGRU, MinLSTM, positive
from models.layers.recurrent import GRU, LSTM, SimpleRNN

__all__ = ["GRU", "LSTM", "BahdanauAttention", "LuongAttention", "MinGRU", "MinLSTM", "SimpleRNN", "positive"]

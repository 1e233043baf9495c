"""Recurrent layers, losses and decoding for sequences: tensors in, tensors out."""

from models.layers import GRU, LSTM, MinGRU, MinLSTM, SimpleRNN, positive

__all__ = ["GRU", "LSTM", "MinGRU", "MinLSTM", "SimpleRNN", "positive"]

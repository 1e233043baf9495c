"""Recurrent layers, losses and decoding for sequences: tensors in, tensors out."""

from models.layers import GRU, LSTM, SimpleRNN

__all__ = ["GRU", "LSTM", "SimpleRNN"]

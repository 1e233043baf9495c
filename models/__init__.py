"""Recurrent layers, losses and decoding for sequences: tensors in, tensors out."""

from models.layers import GRU, LSTM, BahdanauAttention, LuongAttention, MinGRU, MinLSTM, SimpleRNN, positive

__all__ = ["GRU", "LSTM", "BahdanauAttention", "LuongAttention", "MinGRU", "MinLSTM", "SimpleRNN", "positive"]

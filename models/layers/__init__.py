"""Keras layers on top of the recurrences."""

from models.layers.recurrent import GRU, LSTM, SimpleRNN

__all__ = ["GRU", "LSTM", "SimpleRNN"]

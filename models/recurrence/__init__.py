"""The mathematics: one pure step and its hand-derived gradient per recurrence, and the loop they share."""

from models.recurrence.gru import GRURecurrence, GRUState
from models.recurrence.lstm import LSTMRecurrence, LSTMState
from models.recurrence.scan import Recurrence, Weights, scan
from models.recurrence.simple_rnn import SimpleRNNRecurrence, SimpleRNNState

__all__ = [
    "GRURecurrence",
    "GRUState",
    "LSTMRecurrence",
    "LSTMState",
    "Recurrence",
    "SimpleRNNRecurrence",
    "SimpleRNNState",
    "Weights",
    "scan",
]

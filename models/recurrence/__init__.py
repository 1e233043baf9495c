"""The mathematics: one pure step and its hand-derived gradient per recurrence, and the loop they share."""

from models.recurrence.conv_lstm import ConvLSTMRecurrence, ConvLSTMWeights
from models.recurrence.convolutional_scan import ConvolutionalRecurrence, convolutional_scan
from models.recurrence.gru import GRURecurrence, GRUState
from models.recurrence.lstm import LSTMRecurrence, LSTMState
from models.recurrence.lstm_extended import ExtendedLSTMRecurrence
from models.recurrence.min_gru import MinGRURecurrence, MinGRUState
from models.recurrence.min_lstm import MinLSTMRecurrence, MinLSTMState
from models.recurrence.parallel import LinearRecurrenceResult, linear_recurrence
from models.recurrence.recurrence import Recurrence, Weights
from models.recurrence.scan import scan
from models.recurrence.simple_rnn import SimpleRNNRecurrence, SimpleRNNState
from models.recurrence.spatiotemporal_lstm import (
    SpatiotemporalLSTMRecurrence,
    SpatiotemporalState,
    SpatiotemporalWeights,
)

__all__ = [
    "ConvLSTMRecurrence",
    "ConvLSTMWeights",
    "ConvolutionalRecurrence",
    "ExtendedLSTMRecurrence",
    "GRURecurrence",
    "GRUState",
    "LSTMRecurrence",
    "LSTMState",
    "LinearRecurrenceResult",
    "MinGRURecurrence",
    "MinGRUState",
    "MinLSTMRecurrence",
    "MinLSTMState",
    "Recurrence",
    "SimpleRNNRecurrence",
    "SimpleRNNState",
    "SpatiotemporalLSTMRecurrence",
    "SpatiotemporalState",
    "SpatiotemporalWeights",
    "Weights",
    "convolutional_scan",
    "linear_recurrence",
    "scan",
]

"""Speech to text: log-mel features, recurrent layers, CTC."""

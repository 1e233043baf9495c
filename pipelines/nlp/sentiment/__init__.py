"""Sentiment: the label or labels of a text, and its rating."""

"""Sentiment: what a text says, as one of some labels and as a rating."""

"""Tagging: a label for each word, such as its part of speech or the name that it belongs to."""

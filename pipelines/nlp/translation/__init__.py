"""Translation: from sentences of one language to those of another."""

"""Language model: the probability of a text, and texts that it makes up."""

"""Text: sentiment, language model and generation, translation; one package each, and what they share."""

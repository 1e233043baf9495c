"""From the outputs of a network to text: greedy, or a beam search with a language model."""

from models.decoding.beam import Hypothesis, LanguageModel, Word, beam_decode
from models.decoding.greedy import GreedyTranscript, greedy_decode
from models.decoding.language_model import CharacterLanguageModel

__all__ = [
    "CharacterLanguageModel",
    "GreedyTranscript",
    "Hypothesis",
    "LanguageModel",
    "Word",
    "beam_decode",
    "greedy_decode",
]

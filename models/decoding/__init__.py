"""From the outputs of a network to text: greedy, or a beam search with a language model; of sequences in a graph."""

from models.decoding.alignment import Word
from models.decoding.back_off import BackOffModel, BackOffTable
from models.decoding.beam import Hypothesis, LanguageModel, beam_decode
from models.decoding.greedy import greedy_decode
from models.decoding.hot_words import HotWords
from models.decoding.language_model import CharacterLanguageModel
from models.decoding.prefix_search import PrefixSearch
from models.decoding.search_stream import Heard, SearchState, advance_search, finish_search, initial_search
from models.decoding.sequences import Found, search_sequences
from models.decoding.spelling import spelled, word_model
from models.decoding.transcription import NBest, search_decode
from models.decoding.words import Transcript

__all__ = [
    "BackOffModel",
    "BackOffTable",
    "CharacterLanguageModel",
    "Found",
    "Heard",
    "HotWords",
    "Hypothesis",
    "LanguageModel",
    "NBest",
    "PrefixSearch",
    "SearchState",
    "Transcript",
    "Word",
    "advance_search",
    "beam_decode",
    "finish_search",
    "greedy_decode",
    "initial_search",
    "search_decode",
    "search_sequences",
    "spelled",
    "word_model",
]

"""A language model of words as one of characters: a lexicon, and the spelling of words that it does not hold."""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from models.decoding.back_off import BackOffModel
from models.decoding.language_model import CharacterLanguageModel

_FIRST_CODE = 0x10000  # words are counted as characters from here on
_LEAST = 1e-30


def word_model(texts: Sequence[str], weights: Sequence[float] | None = None, order: int = 3) -> BackOffModel:
    """Returns a language model of the words of texts, smoothed as `CharacterLanguageModel` is.

    Args:
        texts: words with one space between them.
        weights: how often each text counts.
        order: the longest n-gram, in words.

    Example:
        >>> model = word_model(["yes", "no no"], order=2)
        >>> model.alphabet
        ('no', 'yes')
    """
    vocabulary = sorted({word for text in texts for word in text.split()})
    code = {word: chr(_FIRST_CODE + number) for number, word in enumerate(vocabulary)}
    coded = ["".join(code[word] for word in text.split()) for text in texts]
    counted = CharacterLanguageModel(order).fit(coded, weights, list(code.values())).back_off_model()
    return BackOffModel(
        vocabulary,
        counted.keys,
        counted.log_probabilities,
        counted.following,
        counted.shorter,
        counted.back_off,
        counted.start,
        counted.order,
    )


def spelled(words: BackOffModel, alphabet: Sequence[str], order: int = 8) -> BackOffModel:
    """Returns the language model of characters that a model of words stands for.

    With P(v | h) the words' probabilities after a context h, P_s the model that spells words outside of the vocabulary
    letter by letter, u the probability of such a word (b of the empty context), and ε the empty context,

        P(v | ε) = (1 − u) P_words(v) + u P_s(v)
        M_h(p)   = sum of P(v | h) over all words v that begin with p
        P(c | h, p) = M_h(p c) / M_h(p)

    A character is thus as probable as the words that it may lead to. Where no word listed after h begins with p c,
    M_h(p c) is b(h) M_h'(p c), so that this is a model in back-off form itself: its contexts are (h, p), the shorter
    one of (h, p) is (h', p), and that of (ε, p) is what the spelling knows of p. A space, or the end of the text, ends
    a word; it has the share that h and the word leave to the end.

    Ortmanns, Ney, Eiden, "Language-model look-ahead for large vocabulary speech recognition", ICSLP 1996.

    Args:
        words: of a vocabulary whose words have the characters of the alphabet.
        alphabet: the characters, " " among them.
        order: the longest n-gram of letters in the spelling, which is learned from the vocabulary.

    Example:
        >>> import math
        >>> model = spelled(word_model(["no", "no no"], order=2), " on")
        >>> math.exp(model.text_log_probability("no")) > math.exp(model.text_log_probability("on"))
        True
    """
    letters = [character for character in alphabet if character != " "]
    speller = CharacterLanguageModel(order).fit(words.alphabet, alphabet=letters).back_off_model()
    trie = _Trie(words.alphabet, speller)
    size = len(trie.parents)
    end_symbol, share = len(words.alphabet), np.exp(words.back_off)  # b of each context

    # The n-grams that end in a word, and what each adds to what its shorter one gives.
    context, word = np.divmod(words.keys, words.symbols)
    is_word = word < end_symbol
    context, word, after = context[is_word], word[is_word], words.following[is_word]
    probability = np.exp(words.log_probabilities[is_word])
    is_long = context > 0
    added = np.where(is_long, 0.0, (1 - share[0]) * probability / probability[~is_long].sum())
    _, shorter = words.find(words.shorter[context[is_long]], word[is_long])
    added[is_long] = probability[is_long] - share[context[is_long]] * np.exp(shorter)

    # Each n-gram adds to all beginnings of its word: pairs of a context and a node of the trie.
    lengths = trie.lengths[word]
    first = np.repeat(trie.starts[word] - np.cumsum(lengths) + lengths, lengths)
    nodes = trie.paths[first + np.arange(lengths.sum())]
    pairs, inverse = np.unique(np.repeat(context, lengths) * size + nodes, return_inverse=True)
    mass = np.bincount(inverse, weights=np.repeat(added, lengths))  # M of each pair
    context_of, node = np.divmod(pairs, size)
    is_shortest = context_of == 0
    mass[is_shortest] += share[0] * np.exp(trie.log_spelled[node[is_shortest]])
    below, spent = (
        np.zeros(len(pairs), np.int64),
        np.where(is_shortest, share[0], 1.0),
    )  # the shorter pair, b on the way
    depth = _depths(words.shorter)[context_of]
    for level in range(1, words.order):
        at = np.flatnonzero(depth == level)
        target, on_the_way = words.shorter[context_of[at]], share[context_of[at]]
        while True:
            places = np.searchsorted(pairs, target * size + node[at])
            missing = pairs[np.minimum(places, len(pairs) - 1)] != target * size + node[at]
            if not missing.any():
                break
            on_the_way = np.where(missing, on_the_way * share[target], on_the_way)
            target = np.where(missing, words.shorter[target], target)
        below[at], spent[at] = places, on_the_way
        mass[at] += on_the_way * mass[places]
    mass = np.log(np.maximum(mass, _LEAST))

    # Pairs of a context and the beginning of a word are states, behind those of the spelling.
    is_state = node < trie.prefixes
    state = len(speller.shorter) + np.cumsum(is_state) - 1
    roots = _roots(words.shorter, context_of[node == 0], state[node == 0])
    ends = np.clip(np.exp(words.find(np.arange(len(share)), np.full(len(share), end_symbol))[1]), _LEAST, 1 - 1e-9)
    is_start = (pairs == words.start * size) & (words.start > 0)  # where a text may end without a word
    begins = np.where(is_start, np.log1p(-ends[words.start]), 0.0)
    lower = np.where(is_shortest, np.log(share[0]) + trie.log_spelled[node], np.log(spent) + mass[below])
    back_off = (lower - mass + begins)[is_state]
    shorter_state = np.where(is_shortest, trie.states[node], state[below])[is_state]

    # The n-grams of the spelling, of the beginnings of words, and of their ends.
    number = {character: place for place, character in enumerate(alphabet)}
    space, end, marker, symbols = number[" "], len(alphabet), len(alphabet) + 1, len(alphabet) + 2
    known = np.array([*(number[letter] for letter in letters), space, marker])  # of the speller's symbols
    spelling_state, letter = np.divmod(speller.keys, speller.symbols)
    ends_word = letter == len(letters)
    moves = [
        (
            spelling_state * symbols + known[letter],
            speller.log_probabilities + np.where(ends_word, np.log1p(-ends[0]), 0.0),
            np.where(ends_word, roots[0], speller.following),
        ),
        (
            spelling_state[ends_word] * symbols + end,
            speller.log_probabilities[ends_word] + np.log(ends[0]),
            np.zeros(ends_word.sum(), np.int64),
        ),
    ]
    inner = np.flatnonzero(node > 0)
    parent = np.searchsorted(pairs, context_of[inner] * size + trie.parents[node[inner]])
    gain = mass[inner] - mass[parent] + begins[parent]
    grows = is_state[inner]
    letters_of = np.array([number.get(character, 0) for character in trie.characters])
    moves.append((state[parent][grows] * symbols + letters_of[node[inner]][grows], gain[grows], state[inner][grows]))
    finished = inner[~grows]
    wanted = context_of[finished] * words.symbols + node[finished] - trie.prefixes
    following = after[np.searchsorted(context * words.symbols + word, wanted)]
    moves.append((state[parent][~grows] * symbols + space, gain[~grows] + np.log1p(-ends[following]), roots[following]))
    moves.append((state[parent][~grows] * symbols + end, gain[~grows] + np.log(ends[following]), 0 * following))
    if is_start.any():
        moves.append((state[is_start] * symbols + end, np.log(ends[[words.start]]), np.array([0])))

    keys, log_probabilities, next_states = (np.concatenate(each) for each in zip(*moves, strict=True))
    ordered = np.argsort(keys)
    return BackOffModel(
        alphabet,
        keys[ordered],
        log_probabilities[ordered],
        next_states[ordered],
        np.concatenate([speller.shorter, shorter_state]),
        np.concatenate([speller.back_off, back_off]),
        int(roots[words.start]),
        words.order + speller.order,
    )


class _Trie:
    """The beginnings of words as nodes, the empty one first, and behind them a node for the end of each word.

    Attributes:
        prefixes: how many beginnings there are.
        parents: (nodes,)
        characters: the last one of each node.
        log_spelled: (nodes,), log P_s of each, in nats.
        states: (nodes,), those of the spelling; of no meaning at the end of a word.
        paths: the nodes of all words, from the empty beginning to the end, one word after the other.
        starts: (words,), where each begins in `paths`.
        lengths: (words,), how many nodes each has there.
    """

    def __init__(self, words: Sequence[str], speller: BackOffModel) -> None:
        nodes = {"": 0}
        self.characters, parents, log_spelled, states = [""], [0], [0.0], [speller.start]
        paths: list[list[int]] = []
        for word in words:
            path = [0]
            for prefix in accumulate(word):
                node = nodes.setdefault(prefix, len(nodes))
                if node == len(parents):
                    gain, state = speller.step(states[path[-1]], prefix[-1])
                    parents.append(path[-1])
                    self.characters.append(prefix[-1])
                    log_spelled.append(log_spelled[path[-1]] + gain)
                    states.append(state)
                path.append(node)
            paths.append(path)
        self.prefixes = len(nodes)
        for number, path in enumerate(paths):
            last = path[-1]
            parents.append(last)
            self.characters.append("")
            log_spelled.append(log_spelled[last] + speller.step(states[last], speller.END)[0])
            states.append(0)
            path.append(self.prefixes + number)
        self.parents, self.log_spelled, self.states = map(np.array, (parents, log_spelled, states))
        self.lengths = np.array([len(path) for path in paths])
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.paths = np.array([node for path in paths for node in path])


def _depths(shorter: np.ndarray) -> np.ndarray:
    """Returns how many steps each context is from the empty one."""
    depths, context = np.zeros(len(shorter), np.int64), np.arange(len(shorter))
    while context.any():
        depths += context > 0
        context = shorter[context]
    return depths


def _roots(shorter: np.ndarray, contexts: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Returns the state in which a word begins after each context: of the longest part of it that lists words."""
    roots, context = np.full(len(shorter), -1), np.arange(len(shorter))
    own = np.full(len(shorter), -1)
    own[contexts] = states
    while (missing := roots < 0).any():
        roots = np.where(missing, own[context], roots)
        context = shorter[context]
    return roots

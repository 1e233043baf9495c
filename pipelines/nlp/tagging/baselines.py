"""The baseline: each word has the tag that it has most often in training, and a new word the commonest tag of all."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from pipelines.nlp.tagged_files import UNTAGGED, Sentence


def commonest_tags(learned: Sequence[Sentence], sentences: Sequence[Sentence]) -> list[list[str]]:
    """Returns the tags of the words of sentences, by those of the training split; case does not count."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for _, words, tags in learned:
        for word, tag in zip(words, tags, strict=True):
            if tag != UNTAGGED:
                counts[word.lower()][tag] += 1
    commonest = {word: count.most_common(1)[0][0] for word, count in counts.items()}
    other = sum(counts.values(), Counter[str]()).most_common(1)[0][0]
    return [[commonest.get(word.lower(), other) for word in each.words] for each in sentences]

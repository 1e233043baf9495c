"""Files of tagged words: every form is read as it is written, what is not is named, and spans are those of a peer."""

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from nervaluate import Evaluator

from pipelines.nlp.tagged_files import Sentence, read_sentences, spans_of
from pipelines.nlp.text_files import TextDataError

CONLL_2003 = (
    "-DOCSTART- -X- -X- O\n\nEU NNP I-NP B-ORG\nrejects VBZ I-VP O\n\n\n# id 17 domain=en\n# NN I-NP O\n1 CD I-NP O\n"
)
CONLL_U = """# sent_id = 1
# text = vámonos al mar
1-2\tvámonos\t_\t_\t_\t_\t_\t_\t_\t_
1\tvamos\tir\tVERB\tV\t_\t0\troot\t_\t_
2\tnos\tnosotros\tPRON\tP\t_\t1\tobj\t_\t_
2.1\tno\t_\tX\t_\t_\t_\t_\t_\t_
3\tNew York\tmar\t_\tN\t_\t1\tobl\t_\t_

"""


def read(path: Path, content: str, words: str = "", tags: str = "") -> tuple[list[Sentence], list[str]]:
    path.write_text(content, encoding="utf-8")
    notes: list[str] = []
    return read_sentences(words, tags, "", notes, path), notes


def test_columns(tmp_path: Path) -> None:
    found, notes = read(tmp_path / "a.txt", CONLL_2003)
    assert [each[1:] for each in found] == [(("EU", "rejects"), ("B-ORG", "O")), (("#", "1"), ("O", "O"))]
    assert [each.where.rpartition("/")[2] for each in found] == ["a.txt, line 3", "a.txt, line 8"]
    assert len(notes) == 1 and "a.txt, line 7" in notes[0]
    assert read(tmp_path / "a.txt", CONLL_2003, tags="2")[0][0].tags == ("NNP", "VBZ")
    assert read(tmp_path / "b.tsv", "a b\tX\r\nc\tY\r\n")[0][0][1:] == (("a b", "c"), ("X", "Y"))
    found, notes = read(tmp_path / "b.conll", "# text = a b c\na X\nb Y\n")  # more words in a comment than columns
    assert found[0][1:] == (("a", "b"), ("X", "Y")) and len(notes) == 1
    with gzip.open(tmp_path / "c.conll.gz", "wt") as file:
        file.write("a X\n")
    assert read_sentences("", "", "", [], tmp_path / "c.conll.gz")[0].words == ("a",)


def test_universal_dependencies(tmp_path: Path) -> None:
    for name in ("a.conllu", "a.txt"):
        found, notes = read(tmp_path / name, CONLL_U)
        assert found[0][1:] == (("vamos", "nos", "New York"), ("VERB", "PRON", ""))
        assert read(tmp_path / name, CONLL_U, tags="5")[0][0].tags == ("V", "P", "N")
        assert notes == []


def test_json_lines(tmp_path: Path) -> None:
    rows = [{"tokens": ["a", "b"], "ner_tags": [0, "X"]}, {"words": ["c"], "tags": [None]}]
    found, _ = read(tmp_path / "a.jsonl", "\n\n".join(map(json.dumps, rows)))
    assert [each[1:] for each in found] == [(("a", "b"), ("0", "X")), (("c",), ("",))]
    assert read(tmp_path / "b.jsonl", '{"w": ["a"], "t": ["X"]}', "w", "t")[0][0].tags == ("X",)


def test_columns_of_parquet(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"tokens": [["a", "b"]], "ner_tags": [[0, 3]]}), tmp_path / "a.parquet")
    (found,) = read_sentences("", "", "", [], tmp_path / "a.parquet")
    assert found[1:] == (("a", "b"), ("0", "3"))


def test_names_of_numbers_in_hugging_face_sets(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    kind = {"names": ["O", "B-PER"], "_type": "ClassLabel"}
    metadata = {"huggingface": json.dumps({"info": {"features": {"ner_tags": {"feature": kind, "_type": "Sequence"}}}})}
    table = pyarrow.table({"tokens": [["a", "b", "c"]], "ner_tags": [[1, 0, -1]]}).replace_schema_metadata(metadata)
    parquet.write_table(table, tmp_path / "a.parquet")
    (found,) = read_sentences("", "", "", [], tmp_path / "a.parquet")
    assert found.tags == ("B-PER", "O", "")


def test_texts_with_spans(tmp_path: Path) -> None:
    text = "Émile Zola wrote, in Paris."
    spans = [[21, 26, "LOC"], {"start": 0, "end": 10, "label": "PER"}]
    rows = [
        {"text": text, "spans": spans},
        {"text": "none", "label": []},
        {"text": "cut off", "entities": [[1, 3, "X"]]},
    ]
    found, notes = read(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    assert found[0].words == ("Émile", "Zola", "wrote", ",", "in", "Paris", ".")
    assert found[0].tags == ("B-PER", "I-PER", "O", "O", "O", "B-LOC", "O")
    assert found[1].tags == ("O",) and found[2].tags == ("B-X", "O")
    assert len(notes) == 1 and "line 3 ('ut')" in notes[0]


EU = [{"text": "EU rejects", "spans": [{"start": 0, "end": 2, "label": "ORG"}]}]
PRODIGY = EU[0] | {"tokens": [{"text": "EU", "id": 0}, {"text": "rejects", "id": 1}], "_input_hash": 1}


@pytest.mark.parametrize(
    "content",
    [
        json.dumps([{"tokens": ["EU", "rejects"], "ner_tags": ["B-ORG", "O"]}]),
        json.dumps({"tokens": ["EU", "rejects"], "ner_tags": ["B-ORG", "O"]}, indent=1),
        json.dumps(
            {"text": "EU rejects", "entities": [{"label": "ORG", "start_offset": 0, "end_offset": 2}]}
        ),  # doccano
        json.dumps([{"text": "EU rejects", "label": [{"start": 0, "end": 2, "labels": ["ORG"]}]}]),  # Label Studio
        json.dumps([EU[0], {"text": "nothing"}]),  # Label Studio, of a text in which nothing is labelled
        json.dumps([["EU rejects", {"entities": [[0, 2, "ORG"]]}]]),  # spaCy
        json.dumps(PRODIGY | {"answer": "accept"}) + "\n" + json.dumps(PRODIGY | {"answer": "reject"}),
    ],
)
def test_what_annotation_tools_write(tmp_path: Path, content: str) -> None:
    (found, *_), _ = read(tmp_path / "a.json", content)
    assert found[1:] == (("EU", "rejects"), ("B-ORG", "O"))


@pytest.mark.parametrize(
    "name, content, words, tags",
    [
        ("a.conllup", "# global.columns = ID FORM UPOS NOTE\n1\tEU\tX\t_\n", ("EU",), ("X",)),
        ("a.conll", "#begin document (a)\nbc/a 0 0 EU NNP (NP*) -\n\n#end document\n", ("EU",), ("NNP",)),
        ("a.tsv", "# a page\n1\tEU\tO\n2\trejects\tX\n", ("EU", "rejects"), ("O", "X")),
        ("a.txt", "EU/NNP 1/2/CD ./.\n", ("EU", "1/2", "."), ("NNP", "CD", ".")),
        ("a.txt", "10\u00a0000 CD X\n全\u3000角 N O\n", ("10\u00a0000", "全\u3000角"), ("X", "O")),
        ("a.txt", "EU_NNP rejects_VBZ\n", ("EU", "rejects"), ("NNP", "VBZ")),
        ("a.csv", """id,tokens,ner_tags\n1,"['EU', ""isn't""]","['O', 'X']"\n""", ("EU", "isn't"), ("O", "X")),
        ("a.tsv", 'words\ttags\n["EU"]\t[3]\n', ("EU",), ("3",)),
        ("a.csv", "words,tag\nEU rejects,\"['O', 'X']\"\n", ("EU", "rejects"), ("O", "X")),  # Kaggle
        ("a.csv", "text,labels\nEU rejects,O X\n", ("EU", "rejects"), ("O", "X")),
        ("a.csv", 'EU,O\n",",X\n', ("EU", ","), ("O", "X")),
        ("a.txt", "1;EU;O\n2;rejects;X\n", ("1", "2"), ("O", "X")),
        ("a.tsv", "EU\tO\t\nrejects\tX\t\n", ("EU", "rejects"), ("O", "X")),  # a tab at the end of each line
        ("a.jsonl", '{"text": "EU rejects", "tags": ["O", "X"]}', ("EU", "rejects"), ("O", "X")),
    ],
)
def test_other_columns_and_running_text(
    tmp_path: Path, name: str, content: str, words: tuple[str, ...], tags: tuple[str, ...]
) -> None:
    assert [each[1:] for each in read(tmp_path / name, content)[0]] == [(words, tags)]


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.conll", "a\nb\n", "expected a column of words and one of tags.*--data.words"),
        ("a.conll", "a X\nb\n", "line 2: expected a word in column 1 and its tag in column 2.*Received: .*'b'"),
        (
            "a.csv",
            "tokens,ner_tags\n['EU' 'is'],['X' 'O']\n",
            r"line 2: expected a list such as .*Write the table as JSON",
        ),
        ("a.conll", "", "expected words with their tags.*Received: ''"),
        ("a.jsonl", '{"words": ["a"], "tags": []}', "line 1: expected a tag for each word.*1 words, 0 tags"),
        (
            "a.jsonl",
            '{"words": ["a", ""], "tags": ["X", "X"]}',
            r"line 1: expected .* no empty word.*Received: \['a', ''\]",
        ),
        ("a.jsonl", '{"words": ["a"], "tag": ["X"]}', "line 1: expected .* a list under tags or .*: 'words, tag'"),
        ("a.jsonl", '{"text": "a", "spans": [[0, 2, "X"]]}', r"line 1: expected spans .*Received: \[0, 2, 'X'\]"),
        ("a.jsonl", '{"text": "a", "spans": [[0]]}', r"line 1: expected spans .*Received: \[0\]"),
        ("a.jsonl", r'{"words": ["\ud83d"], "tags": ["X"]}', "line 1: expected whole characters.*Received: "),
        ("a.csv", "text,labels\na b,O X\na b c,O X\n", "line 3: expected a tag for each word.*3 words, 2 tags"),
        ("a.tsv", "a\tX\nb\t\n", "line 2: expected a word in column 1 and its tag in column 2"),
        ("a.ann", "T1\tPER 0 3\tAda\n", "is a file of brat"),
        ("a.tsv", "#FORMAT=WebAnno TSV 3.3\n\n1-1\t0-3\tAda\tPER\t\n", "is a file of WebAnno"),
        ("a.xml", '<?xml version="1.0"?>\n<a> b</a>\n', "is XML"),
        ("a.jsonl", '{"text": "a", "spans": "X"}', "line 1: expected spans .*Received: 'X'"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(TextDataError, match=message):
        read(tmp_path / name, content)


@pytest.mark.parametrize("sentences", [("Sentence: 1", "", "Sentence: 2", "Sentence: 2"), ()])
def test_tables_with_a_row_for_each_word(tmp_path: Path, sentences: tuple[str, ...]) -> None:
    words, tags = ["EU", ",", '"', "Zola"], ["B-org", "O", "O", "B-per"]
    rows = [[*each] for each in zip(words, ["NNP", ",", '"', "NNP"], tags, strict=True)]
    if sentences:  # as on Kaggle
        header, rows = ["Sentence #", "Word", "POS", "Tag"], [[s, *row] for s, row in zip(sentences, rows, strict=True)]
    else:
        header, rows = ["word", "pos", "ner"], [*rows[:2], [], *rows[2:]]
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    content = (tmp_path / "a.csv").read_text()
    found = [(*each[1:],) for each in read(tmp_path / "a.csv", content)[0]]
    assert found == [(("EU", ","), ("B-org", "O")), (('"', "Zola"), ("O", "B-per"))]
    assert read(tmp_path / "a.csv", content, tags=header[-2])[0][0].tags == ("NNP", ",")
    with pytest.raises(TextDataError, match=r"line 2: expected a word under .* and its tag under"):
        read(tmp_path / "a.csv", content.replace("B-org", ""))


def test_sentences_of_several_documents_are_told_apart(tmp_path: Path) -> None:
    found, _ = read(tmp_path / "a.csv", "doc_id,sentence_id,token,label\n1,0,a,X\n1,0,b,X\n2,0,c,X\n2,1,d,X\n")
    assert [each.words for each in found] == [("a", "b"), ("c",), ("d",)]


def test_a_file_without_sentences_is_noted(tmp_path: Path) -> None:
    for content, is_noted in (("word,tag\n" + "a,X\n" * 300, True), ("word,tag\n" + "a,X\n\n" * 300, False)):
        assert any("nothing separates sentences" in note for note in read(tmp_path / "a.csv", content)[1]) == is_noted


def test_numbers_of_columns_are_checked(tmp_path: Path) -> None:
    for words in ("word", "0", "-1"):
        with pytest.raises(TextDataError, match="expected numbers of columns, from 1"):
            read(tmp_path / "a.conll", "a X\n", words)


def test_spans_are_those_of_nervaluate() -> None:
    random = np.random.default_rng(0)
    known = ["O", "B-A", "I-A", "B-B", "I-B"]
    pairs = []
    for _ in range(60):
        tags: list[str] = []
        for _ in range(12):
            allowed = [tag for tag in known if tag[0] != "I" or (tags and tags[-1][2:] == tag[2:])]
            tags.append(str(random.choice(allowed)))
        pairs.append(tags)
    truth, answers = pairs[:30], pairs[30:]
    found = Evaluator(truth, answers, tags=["A", "B"], loader="list").evaluate()["overall"]["strict"]
    ours = [[set(spans_of(each, known)) for each in part] for part in (truth, answers)]
    right = sum(len(one & two) for one, two in zip(*ours, strict=True))
    assert right and found.correct == right
    assert found.f1 == pytest.approx(2 * right / sum(len(each) for part in ours for each in part))


def test_spans_of_other_schemes() -> None:
    known = ["O", "B-A", "I-A", "E-A", "S-A", "I-B"]
    assert spans_of(["B-A", "E-A", "S-A", "I-A", "I-B", "O"], known) == [
        (0, 1, "A"),
        (2, 2, "A"),
        (3, 3, "A"),
        (4, 4, "B"),
    ]
    assert spans_of(["B-A", "M-A", "E-A", "S-A"], [*known, "M-A"]) == [(0, 2, "A"), (3, 3, "A")]  # of Chinese words

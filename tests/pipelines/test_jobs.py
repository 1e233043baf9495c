"""Work on many inputs: killed and gone on with, nothing twice, nothing lost; inputs that cannot be answered."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from data.files import FileError
from pipelines import jobs
from pipelines.configuration import ConfigurationError
from pipelines.inputs import Input, files_of, texts_of
from pipelines.jobs import Done, run_job
from pipelines.run_files import RunError
from pipelines.tasks import tasks_named

REPOSITORY = Path(__file__).parents[2]
COUNT, PART = 60, 4


def doubled(log: Path, seconds: float, asked: Sequence[str]) -> list[Mapping[str, Any]]:
    """Answers slowly, notes what it was asked, cannot answer some, and dies of others."""
    time.sleep(seconds)
    if "41" in asked:
        os._exit(1)
    if "13" in asked:
        raise ValueError("unlucky")
    with log.open("a") as file:
        file.write(f"{' '.join(asked)}\n")
    return [{"double": 2 * int(text)} for text in asked]


def load(log: Path, seconds: float) -> Any:
    return partial(doubled, log, seconds)


def numbers() -> Iterator[Input]:
    """Yields the inputs, of which two have an `error` of the user's own."""
    for number in range(COUNT):
        yield Input({"number": number} | ({"error": "noted"} if number in (20, 41) else {}), str(number))


def run(folder: Path, seconds: float = 0.0, share: tuple[int, int] = (1, 1)) -> Done | None:
    log = folder / "log.txt"
    return run_job(partial(load, log, seconds), numbers(), {"job": 1}, folder / "answers.jsonl", 2, PART, share)


@pytest.mark.slow
def test_a_killed_job_goes_on(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, __file__, str(tmp_path)], env=os.environ | {"PYTHONPATH": str(REPOSITORY)}
    )
    parts = tmp_path / "answers.jsonl.parts"
    while process.poll() is None and len(list(parts.glob("0*.jsonl"))) < 3:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the job ended before it could be killed"
    assert not (tmp_path / "answers.jsonl").exists()
    time.sleep(1)  # its processes end with it
    before = {path.name: path.stat().st_mtime_ns for path in parts.glob("0*.jsonl")}
    log = (tmp_path / "log.txt").read_text()
    time.sleep(0.5)
    assert (tmp_path / "log.txt").read_text() == log, "a process of the killed job still works"
    assert len(before) < COUNT // PART

    assert run(tmp_path) == Done(COUNT, 2, "ValueError: unlucky")

    rows = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    expected: list[dict[str, Any]] = [{"number": number, "double": 2 * number} for number in range(COUNT)]
    expected[20]["error"] = "noted"
    expected[13] = {"number": 13, "error": "ValueError: unlucky"}
    expected[41] = {"number": 41, "error": "the process that was to answer it ended, twice"}
    assert rows == expected
    assert not parts.exists()
    again = (tmp_path / "log.txt").read_text()[len(log) :].split()
    done = {number for name in before for number in range(int(name[:9]) * PART, int(name[:9]) * PART + PART)}
    assert not done & set(map(int, again)), "what was done was asked again"
    with pytest.raises(ConfigurationError, match="exists already"):
        run(tmp_path)


def test_the_last_share_joins_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a job that several processes divide; here one after the other, the first share's parts being there."""
    parts = tmp_path / "answers.jsonl.parts"
    parts.mkdir()
    (parts / "job.json").write_text('{"job": 1, "shares": 2}')
    lines = [f'{{"number": {number}, "double": {2 * number}}}\n' for number in range(COUNT)]
    for first in range(0, COUNT, 2 * PART):
        (parts / f"{first // PART:09d}.jsonl").write_text("".join(lines[first : first + PART]))
    last = parts / f"{COUNT // PART - 1:09d}.jsonl"  # of the first share, too
    last.rename(tmp_path / "kept")
    assert run(tmp_path, share=(2, 2)) is None
    assert "kept" not in capsys.readouterr().err, "the parts of another share are not its own"
    assert not (tmp_path / "answers.jsonl").exists()
    (tmp_path / "kept").rename(last)
    assert run(tmp_path, share=(1, 2)) == Done(COUNT, 1, "ValueError: unlucky")
    assert "goes on: 8 parts, of 32 inputs, are kept" in capsys.readouterr().err
    assert not parts.exists()


def test_another_job_does_not_go_on(tmp_path: Path) -> None:
    parts = tmp_path / "answers.jsonl.parts"
    parts.mkdir()
    (parts / "job.json").write_text('{"job": 2}')
    with pytest.raises(ConfigurationError, match=r"another job.*Delete .*answers\.jsonl\.parts"):
        run(tmp_path)


def test_texts_keep_their_names_and_their_faults(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl.gz"
    rows = ['{"id": 7, "text": "Ä"}', "", '{"id": 8}', '{"text": 3}', "[1]", '{"text": ""}']
    path.write_bytes(gzip.compress("\n".join(rows).encode()))
    found = list(texts_of(path))
    assert found[0] == Input({"line": 1, "id": 7, "text": "Ä"}, "Ä")
    assert found.pop() == Input({"line": 6, "text": ""}, ""), "a blank text is answered"
    assert [each.asked for each in found[1:]] == [None] * 4
    assert all("xpected" in each.error or "is not JSON" in each.error for each in found[1:])
    assert all("Received: " in each.error for each in found[1:])
    assert "Received: id" in found[2].error and "--column" in found[2].error
    plain = tmp_path / "texts.txt"
    plain.write_bytes(b"\xef\xbb\xbfone\r\n\xff\n\ntwo")
    assert [each.asked for each in texts_of(plain)] == ["one", None, "", "two"]


def test_several_columns_are_one_text(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text('{"title": "A", "body": "B"}\n{"title": null, "body": "C"}\n{"title": null}')
    assert [each.asked for each in texts_of(path, ("title", "body"))] == ["A\nB", "C", None]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_job_reads_the_columns_of_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    """As the command without --workers does; other columns only where --column names them."""
    row = {"id": 7, "review": "one", "title": "two"}
    given = tmp_path / f"reviews.{suffix}"
    if suffix == "parquet":
        pytest.importorskip("pyarrow.parquet").write_table(
            pytest.importorskip("pyarrow").Table.from_pylist([row]), given
        )
    else:
        given.write_text(json.dumps(row))
    asked = asked_by_a_job(monkeypatch, tmp_path, Done(1, 0, ""))
    for columns, options, expected in (
        (("review",), [], ["one"]),
        (("review", "title"), [], ["one\ntwo"]),
        (("review",), ["--column", "title"], ["two"]),
    ):
        assert asked(columns, ["--file", str(given), *options]) == expected
    for columns, options in (((), []), (("review",), ["--column", "text"])):
        with pytest.raises(ConfigurationError, match=r"no column text.*--column.*Received: id, review, title"):
            asked(columns, ["--file", str(given), *options])


def test_lines_have_no_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "texts.txt").write_text("one")
    asked = asked_by_a_job(monkeypatch, tmp_path, Done(1, 0, ""))
    assert asked(("review",), ["--file", str(tmp_path / "texts.txt")]) == ["one"]
    with pytest.raises(ConfigurationError, match=r"--column names .*Received: --column review"):
        asked((), ["--file", str(tmp_path / "texts.txt"), "--column", "review"])


def test_a_job_without_any_answer_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "texts.txt").write_text("one")
    asked_by_a_job(monkeypatch, tmp_path, Done(404, 401, "unlucky"))((), ["--file", str(tmp_path / "texts.txt")])
    assert "Answered 3 of 404 texts" in capsys.readouterr().err
    with pytest.raises(RunError, match=r"(?s)None of 404 texts.*Received: unlucky"):
        asked_by_a_job(monkeypatch, tmp_path, Done(404, 404, "unlucky"))((), ["--file", str(tmp_path / "texts.txt")])
    assert "Wrote" in capsys.readouterr().err


def asked_by_a_job(monkeypatch: pytest.MonkeyPatch, folder: Path, done: Done) -> Any:
    """Returns what runs a job of `classify`, without a model, on a run of some columns, and returns what is asked."""

    def asked(columns: Sequence[str], options: Sequence[str]) -> list[str | None]:
        found: list[str | None] = []

        def run_job(load: Any, inputs: Iterator[Input], *_: Any) -> Done:
            found.extend(each.asked for each in inputs)
            return done

        configuration = SimpleNamespace(data=SimpleNamespace(text=tuple(columns)))
        trained = SimpleNamespace(read_configuration=lambda _: configuration)
        monkeypatch.setattr(jobs, "run_job", run_job)
        monkeypatch.setattr(jobs.predictors, "find", lambda *_: SimpleNamespace(run=trained))
        output = ["--run", str(folder), "--output", str(folder / "answers.jsonl")]
        jobs.answer(tasks_named("sentiment")[0], "classify", [*options, *output])
        return found

    return asked


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.csv", b"text\none\n", "does not support tables"),
        ("a.txt", "one".encode("utf-16"), "not in UTF-8"),
        ("a.txt", b"%PDF-1.7", "a PDF document"),
        ("a.txt.gz", gzip.compress(b"one\n" * 9000, mtime=0)[:-20], "after line .* whole file"),
    ],
    ids=["table", "UTF-16", "PDF", "damaged"],
)
def test_what_is_no_file_of_texts_is_refused(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises((ConfigurationError, FileError), match=rf"(?s){what}.* Received: ") as caught:
        list(texts_of(path))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_job_that_was_joined_but_not_cleared_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """It was killed between; and of Parquet, values of several kinds, and such as one part alone has."""
    output, parts = tmp_path / f"answers.{suffix}", tmp_path / f"answers.{suffix}.parts"
    parts.mkdir()
    (parts / "job.json").write_text('{"job": 1, "shares": 1}')
    rows = [{"number": 0, "double": 0, "tags": ["Ä"]}, {"number": 1, "double": 2.5}, {"number": 2, "error": "unlucky"}]
    for number, row in enumerate(rows):
        (parts / f"{number:09d}.jsonl").write_text(json.dumps(row) + "\n")

    def one(load: Any, inputs: Any, *_: Any) -> int:
        return len(rows)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(jobs, "answer_parts", one)
        patched.setattr(jobs, "_remove", killed)
        with pytest.raises(KeyboardInterrupt):
            run_job(partial(load, tmp_path, 0.0), numbers(), {"job": 1}, output, 1, PART)
    if suffix == "parquet":
        written = pytest.importorskip("pyarrow.parquet").read_table(output).to_pylist()
        assert [{name: value for name, value in row.items() if value is not None} for row in written] == rows
    assert run_job(partial(load, tmp_path, 0.0), numbers(), {"job": 1}, output, 1, PART) == Done(3, 1, "unlucky")
    assert not parts.exists()


def test_parquet_keeps_its_columns(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pytest.importorskip("pyarrow").Table.from_pylist([{"id": 7, "body": "Ä"}, {"id": 8, "body": None}])
    parquet.write_table(table, tmp_path / "texts.parquet")
    found = list(texts_of(tmp_path / "texts.parquet", ("body",)))
    assert found[0] == Input({"row": 1, "id": 7, "body": "Ä"}, "Ä")
    assert found[1].asked is None and found[1].error
    with pytest.raises(ConfigurationError, match=r"no column text.*--column.*Received: id, body"):
        texts_of(tmp_path / "texts.parquet")
    (tmp_path / "texts.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(FileError, match="whole Parquet file"):
        list(texts_of(tmp_path / "texts.parquet", ("body",)))


def test_files_of_a_folder(tmp_path: Path) -> None:
    for name in ("b.wav", "a/c.wav", ".hidden", "a/.git/d", "a/b.wav", "out.jsonl", "out.jsonl.parts/job.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    found = files_of([tmp_path, tmp_path / "a" / "c.wav"], [tmp_path / "out.jsonl", tmp_path / "out.jsonl.parts"])
    assert [each.asked for each in found] == [str(tmp_path / name) for name in ("a/b.wav", "a/c.wav", "b.wav")]


if __name__ == "__main__":
    run(Path(sys.argv[1]), seconds=0.2)

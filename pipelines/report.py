"""The report of a run: one page that opens in any browser, without a network and without other files."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from pipelines import plots
from pipelines.advice import run_advice
from pipelines.evaluation import Evaluation, columns_that_fit
from pipelines.runs import Run

CHARACTERS = 120  # of a line of a table that fits a page


class Table(NamedTuple):
    """A table of text.

    Args:
        heads: One for each column.
        rows: As many cells each; cells that look like numbers stand to the right.
        caption: A line below.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = ""


class Picture(NamedTuple):
    """A picture.

    Args:
        image: A Matplotlib figure, or the bytes of a PNG or a GIF, which may move.
        description: What is to be seen, for readers and for screen readers.
    """

    image: Figure | bytes
    description: str


class Code(NamedTuple):
    """Text whose spaces and lines are kept, such as a command or a configuration.

    Args:
        text: The text.
    """

    text: str


class Section(NamedTuple):
    """A part of a report under its own head.

    Args:
        title: The head.
        blocks: Plain text (an empty line parts paragraphs), tables, pictures and code, in their order.
    """

    title: str
    blocks: Sequence[str | Table | Picture | Code]


def evaluation_tables(evaluation: Evaluation) -> list[Table]:
    """Returns an evaluation as tables of a report: as many as the metrics need to fit a page, and one of the notes.

    Example:
        >>> from pipelines.evaluation import Metric, Row
        >>> evaluation_tables(Evaluation("test", 2, [Row("model", {"wer": Metric(0.25, 0.125, 0.5)})]))[0].rows
        [['model', '0.250 [0.125, 0.500]']]
    """
    heads, rows = evaluation.without_notes().cells()
    tables = [
        Table([heads[place] for place in places], [[row[place] for place in places] for row in rows])
        for places in columns_that_fit(heads, rows, CHARACTERS)
    ]
    caption = f"{evaluation.split} split, {evaluation.examples} examples; in brackets the interval by bootstrap."
    tables[-1] = tables[-1]._replace(caption=caption)
    notes = [[row.name, row.notes] for row in evaluation.rows if row.notes]
    return [*tables, Table(["", "notes"], notes)] if notes else tables


def write_evaluation(
    run: Run,
    evaluation: Evaluation,
    title: str,
    metric: str,
    explanation: str | Sequence[str | Table | Picture | Code],
    sections: Sequence[Section] = (),
    answers: Mapping[str, object] | None = None,
) -> None:
    """Writes `evaluation.json` and `report.html` into a run's folder; another split than test has names of its own.

    The page has the frame of every task's page: results with advice, the task's own sections, training, configuration.

    Args:
        run: The run.
        evaluation: The table, the model's row first.
        title: What was evaluated, such as "Speech to text".
        metric: The one that the bars show.
        explanation: What the metrics mean, for the reader, and whatever else stands above the table.
        sections: What this task shows beside.
        answers: What the model answered, for `answers-<split>.json`.
    """
    run.write_json(evaluation.file_name("evaluation.json"), evaluation.to_json())
    if answers is not None:
        run.write_json(f"answers-{evaluation.split}.json", answers)
    above = [explanation] if isinstance(explanation, str) else explanation
    bars = Picture(plots.bars(evaluation, metric), f"{metric} of each row, with its interval.")
    frame = [
        Section("Results", [*run_advice(run, evaluation), *above, *evaluation_tables(evaluation), bars]),
        *sections,
        Section("Training", [Picture(plots.learning_curves(run.history()), "Loss and metrics after each epoch.")]),
        Section("Configuration", [Code((run.folder / "configuration.json").read_text(encoding="utf-8"))]),
    ]
    name = evaluation.file_name("report.html")
    write_report(run, f"{title}: {run.preset}, {evaluation.split} split", frame, name)


def write_report(run: Run, title: str, sections: Sequence[Section], name: str = "report.html") -> Path:
    """Writes a page into the run folder, whole or not at all, and returns its path.

    All text is escaped; pictures are embedded.

    Args:
        run: The run.
        title: Head of the page.
        sections: Its parts.
        name: Of the file.
    """
    return run.write_text(name, page(title, sections))


def page(title: str, sections: Sequence[Section]) -> str:
    """Returns a page of HTML that needs no other file, for what is no run.

    Args:
        title: Head of the page.
        sections: Its parts.
    """
    parts = []
    for section in sections:
        blocks = "\n".join(_block(block) for block in section.blocks)
        parts.append(f"<section>\n<h2>{_escape(section.title)}</h2>\n{blocks}\n</section>")
    body = "\n".join(parts)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{_escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{_escape(title)}</h1>
{body}
</main>
</body>
</html>
"""


def _block(block: str | Table | Picture | Code) -> str:
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Picture):
        return _picture(block)
    if isinstance(block, Code):
        return f"<pre>{_escape(block.text)}</pre>"
    return "\n".join(f"<p>{_escape(part.strip())}</p>" for part in block.split("\n\n") if part.strip())


def _table(table: Table) -> str:
    if wrong := [row for row in table.rows if len(row) != len(table.heads)]:
        raise ValueError(
            f"Each row of a table needs as many cells as there are heads, {len(table.heads)}. Received: {wrong[0]}"
        )
    rows = [[str(cell) for cell in row] for row in table.rows]
    # A column stands to the right if all that it holds are numbers (or nothing).
    numeric = [all(_is_number(row[place]) for row in rows) for place in range(len(table.heads))]
    kinds = [' class="number"' if each else "" for each in numeric]
    heads = "".join(f"<th{kind}>{_escape(head)}</th>" for kind, head in zip(kinds, table.heads, strict=True))
    lines = "\n".join(
        "<tr>" + "".join(f"<td{kind}>{_escape(cell)}</td>" for kind, cell in zip(kinds, row, strict=True)) + "</tr>"
        for row in rows
    )
    caption = f"<figcaption>{_escape(table.caption)}</figcaption>" if table.caption else ""
    return (
        f'<figure><div class="wide"><table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}\n</tbody>\n'
        f"</table></div>{caption}</figure>"
    )


def _is_number(cell: str) -> bool:
    return not cell or (cell.lstrip("-")[:1].isdigit() and set(cell) <= set("0123456789.,eE+-[]% "))


def _picture(picture: Picture) -> str:
    image = picture.image
    if isinstance(image, Figure):
        buffer = io.BytesIO()
        plots.save(image, buffer, dpi=144)  # sharp on dense screens
        image = buffer.getvalue()
    kind = "gif" if image.startswith(b"GIF8") else "png"
    source = f"data:image/{kind};base64,{base64.b64encode(image).decode('ascii')}"
    description = _escape(picture.description)
    return f'<figure><img src="{source}" alt="{description}"><figcaption>{description}</figcaption></figure>'


def _escape(text: str) -> str:
    return html.escape(text, quote=True)


STYLE = """
:root { --ink: #1b1f24; --faint: #57606a; --line: #d0d7de; --page: #ffffff; --box: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --faint: #9aa5b1; --line: #3a424c; --page: #14181d; --box: #1e242b; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; overflow-wrap: anywhere; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0.5rem 0 1.5rem; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 0.75rem; padding-bottom: 0.25rem;
  border-bottom: 1px solid var(--line); }
p { max-width: 44rem; }
figure { margin: 1rem 0; }
figcaption { color: var(--faint); font-size: 0.875rem; margin-top: 0.4rem; }
img { display: block; max-width: 100%; height: auto; background: #ffffff; border: 1px solid var(--line);
  border-radius: 6px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
th, td { padding: 0.35rem 0.9rem 0.35rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th { color: var(--faint); font-weight: 600; font-size: 0.875rem; }
.number { text-align: right; white-space: nowrap; }
pre { background: var(--box); border: 1px solid var(--line); border-radius: 6px; padding: 0.75rem;
  font: 0.8125rem/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
"""

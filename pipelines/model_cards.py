"""Model cards: what an export says of its data, licence, metrics and limits, in Markdown."""

from collections.abc import Callable, Mapping
from inspect import cleandoc

from pipelines import hints
from pipelines.evaluation import Evaluation, markdown_table
from pipelines.predictors import task_of
from pipelines.runs import Run, RunError
from pipelines.served import Signature

CARD = "model_card.md"


def card(run: Run, title: str, about: str, data: str, examples: str, limits: str) -> str:
    """Returns a model card in Markdown.

    Args:
        run: The run that is exported.
        title: What the model does.
        about: Its input, its signatures, and how to call them.
        data: What it learned from, and the licence of that.
        examples: What the examples of its evaluation are, in the plural: "recordings".
        limits: What it does badly.
    """
    seed = run.read_json("configuration.json")["seed"]
    parts = [
        f"# {title}, preset {run.preset}",
        f"From the run {run.folder.name}, seed {seed}.",
        about,
        f"## Data and licence\n\n{data.strip()}",
        f"## Metrics\n\n{_metrics(run, examples)}",
        f"## Limits\n\n{limits.strip()}",
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def documented(signatures: Callable[..., Mapping[str, Signature]]) -> str:
    """Returns the section of a model card on the signatures: what stands below the first line of their docstring."""
    return f"## Signatures\n\n{cleandoc(signatures.__doc__ or '').partition(chr(10))[2].strip()}"


def _metrics(run: Run, examples: str) -> str:
    try:
        evaluation = Evaluation.from_json(run.read_json("evaluation.json"))
    except RunError:
        return f"Not evaluated. Run `{hints.command('evaluate', task_of(run).name)}` before the export.\n"
    return (
        f"{evaluation.split} split, {evaluation.examples} {examples}, 95 % intervals:\n\n{markdown_table(evaluation)}\n"
    )

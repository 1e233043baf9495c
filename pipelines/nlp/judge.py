"""Prints what texts say: `python -m pipelines.nlp.judge TEXT… [--run FOLDER]`, by the latest run of sentiment."""

import tyro
from pydantic import Field
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines import commands, tasks
from pipelines.configuration import ConfigurationError
from pipelines.nlp.sentiment.trained import load_classifier, read_texts


class JudgeOptions(commands.RunOptions):
    """Options of the judgement."""

    texts: tyro.conf.Positional[tuple[str, ...]] = Field((), description="texts, each in quotes")


def main(arguments: list[str]) -> None:
    options = commands.run_options(JudgeOptions, "nlp", "judge", arguments, __doc__ or "")
    if not options.texts:
        raise ConfigurationError(
            "There is nothing to judge. Expected at least one text. Give some, each in quotes: "
            'make judge TEXT="A good one!". Received: no text'
        )
    run = tasks.latest_run("nlp", "sentiment", "sentiment") if options.run is None else options.open("nlp")
    if tasks.task_of(run) != "sentiment":
        raise ConfigurationError(
            f"The run is of another task. Expected one of sentiment. Name such a one. Received: {tasks.task_of(run)!r}"
        )
    classifier = load_classifier(run)
    probabilities, ratings = read_texts(classifier, options.texts)
    table = Table("text", "label", "probability", *(["rating"] * classifier.rated))
    for text, shares, rating in zip(options.texts, probabilities, ratings, strict=True):
        cells = [
            text,
            classifier.labels[shares.argmax()],
            f"{shares.max():.2f}",
            *([f"{rating:.1f}"] * classifier.rated),
        ]
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table)
    print(f"Judged {len(options.texts)} texts with {run.folder}\nNext: make export-nlp, to serve this model")


if __name__ == "__main__":
    commands.main(main)

"""Prints what texts say: `python -m pipelines.nlp.judge TEXT… [--run FOLDER]`, by the latest run of sentiment.

After `--` all is text, even what begins with a dash: `python -m pipelines.nlp.judge --run FOLDER -- "- no good"`.
"""

import tensorflow as tf
import tyro
from pydantic import Field
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines import commands, tasks
from pipelines.configuration import ConfigurationError
from pipelines.counting import counted
from pipelines.nlp.sentiment.trained import load_classifier, read_texts
from pipelines.nlp.sentiment.words import divide
from pipelines.nlp.texts import refuse_undecodable, shortened


class JudgeOptions(commands.RunOptions):
    """Options of the judgement."""

    texts: tyro.conf.Positional[tuple[str, ...]] = Field((), description="texts, each in quotes")


def main(arguments: list[str]) -> None:
    options = commands.run_options(JudgeOptions, "nlp", "judge", arguments, __doc__ or "")
    if empty := [number for number, text in enumerate(options.texts, start=1) if not text.strip()]:
        raise ConfigurationError(
            "There is nothing to judge in an empty text. Expected words. Leave it out. "
            f"Received: text {empty[0]} of {len(options.texts)}, which is empty"
        )
    if not options.texts:
        raise ConfigurationError(
            "There is nothing to judge. Expected at least one text. Give some, each in quotes: "
            'make judge TEXT="A good one!". Received: no text'
        )
    refuse_undecodable(options.texts)
    run = tasks.open_run("nlp", "sentiment", "sentiment", options.run)
    classifier = load_classifier(run)
    probabilities, ratings = read_texts(classifier, options.texts)
    table = Table("text", "label", "probability", *(["rating"] * classifier.rated))
    for text, shares, rating in zip(options.texts, probabilities, ratings, strict=True):
        cells = [
            shortened(text),
            classifier.labels[shares.argmax()],
            f"{shares.max():.2f}",
            *([f"{rating:.1f}"] * classifier.rated),
        ]
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table)
    longest = classifier.words.longest
    for number, words in enumerate(divide(tf.constant(options.texts)).row_lengths().numpy(), start=1):
        if words > longest:
            print(f"Note: of the {words} words of text {number} the first {longest} were read.")
    print(f"Judged {counted(len(options.texts), 'text')} with {run.folder}\nNext: make export-nlp, to serve this model")


if __name__ == "__main__":
    commands.main(main)

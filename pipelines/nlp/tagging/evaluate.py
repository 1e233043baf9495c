"""Evaluates a tagger beside the baseline."""

from pipelines.commands import EvaluationOptions
from pipelines.comparison import compared_rows
from pipelines.evaluation import Evaluation
from pipelines.nlp.tagging import data
from pipelines.nlp.tagging.baselines import commonest_tags
from pipelines.nlp.tagging.config import TaggingConfiguration
from pipelines.nlp.tagging.predictor import load
from pipelines.nlp.tagging.report import write_tagging_report
from pipelines.nlp.tagging.scoring import comparison, metrics, tallies
from pipelines.preparation import report_changed_data
from pipelines.runs import Run

__all__ = ["EvaluationOptions", "evaluate"]

NOTES = {
    "model": "unseen words are those that the training split does not have",
    "commonest tag": "that of each word in training; of a new word, the commonest of all",
}


def evaluate(run: Run, split: str = "test") -> Evaluation:
    """Tags a split with a run's tagger and the baseline; writes table and page into its folder."""
    sets = data.load(run.read_configuration(TaggingConfiguration).data)
    sentences, learned = sets.splits[split], sets.splits["train"]
    report_changed_data(run, sets, data.identities(learned), data.identities(sentences))
    model = load(run).tags_of(sentences)
    answers = {"model": model, "commonest tag": commonest_tags(learned, sentences)}
    words = {word.lower() for each in learned for word in each.words}
    tally = {name: tallies(sentences, each, words, sets.tags) for name, each in answers.items()}
    evaluation = Evaluation(split, len(sentences), compared_rows(tally, metrics, comparison, NOTES))
    write_tagging_report(run, evaluation, sets, model)
    return evaluation

"""Presets of the NLP pipeline, those of all its tasks."""

from pipelines.nlp.language_model import config as language_model
from pipelines.nlp.sentiment import config as sentiment
from pipelines.nlp.translation import config as translation
from pipelines.tasks import TaskCommand

PRESETS: dict[str, TaskCommand] = {**sentiment.PRESETS, **language_model.PRESETS, **translation.PRESETS}
"""Named configurations, the default first. The tasks' own `config.py` say what each is."""

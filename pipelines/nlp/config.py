"""Presets of the NLP pipeline, those of all its tasks."""

from pipelines.tasks import TaskCommand

PRESETS: dict[str, TaskCommand] = {}
"""Named configurations, the default first. The tasks' own `config.py` say what each is."""

"""Presets of the video pipeline, those of all its tasks."""

from pipelines.tasks import TaskCommand
from pipelines.video.classification import config as classification

PRESETS: dict[str, TaskCommand] = {**classification.PRESETS}
"""Named configurations, the default first. The tasks' own `config.py` say what each is."""

"""Names of the columns of users' tables, however they are written."""

import re


def plain_name(name: str) -> str:
    """Returns the name of a column in small letters, with underscores between its words.

    >>> plain_name("startTime (ms)"), plain_name("Audio File")
    ('start_time_ms', 'audio_file')
    """
    return re.sub(r"[\W_]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()).strip("_")

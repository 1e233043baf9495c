"""Public data sets of TensorFlow Datasets, by the name that a user gives."""

import tensorflow_datasets as tfds

from pipelines.configuration import ConfigurationError


def public_builder(name: str, setting: str, expected: str) -> tfds.core.DatasetBuilder:
    """Returns the builder of a public data set, not prepared yet.

    Args:
        name: of the data set.
        setting: that names it, for the message.
        expected: what may be given, for the message.

    Raises:
        ConfigurationError: TensorFlow Datasets has none of that name.
    """
    try:
        return tfds.builder(name)
    except (tfds.core.DatasetNotFoundError, ValueError) as error:
        raise ConfigurationError(
            f"{setting}: TensorFlow Datasets has no such data set. Expected {expected}. "
            f"Received: {name!r} ({str(error).splitlines()[0]})"
        ) from None

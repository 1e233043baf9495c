"""What every speech data set here has in common: its features, and the folder that it is prepared in."""

from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from data.builder import Builder

ALTERNATIVE = "use the preset `librispeech`, whose data TensorFlow Datasets downloads"  # without apt


class PackedAudio(tfds.features.Audio):
    """Mono audio kept as the bytes of its int16 samples, two a sample.

    (`tfds.features.Audio` ignores its `encoding` when it is given an array, and spends up to ten bytes on a
    sample.)
    """

    def encode_example(self, audio: np.ndarray) -> Any:
        return tfds.features.Tensor.encode_example(self, np.asarray(audio, np.int16))


class SpeechCorpus(Builder, skip_registration=True):  # type: ignore[call-arg]
    """A TFDS builder of speech, prepared in our cache directory unless `data_dir` names another.

    The features of an example are `audio` (int16 [samples]), `text` (normalised), `transcript` (as
    published), and `key` (its unique name).
    """

    def corpus_info(self, sample_rate: int, more_features: dict[str, Any] | None = None, **about: Any) -> Any:
        """Returns the `DatasetInfo` of a corpus.

        Args:
            sample_rate: In Hz.
            more_features: Features beside the four that every corpus has.
            about: Description, homepage, citation and license.
        """
        audio = PackedAudio(
            shape=(None,), dtype=np.int16, sample_rate=sample_rate, encoding=tfds.features.Encoding.BYTES
        )
        text_features = {name: tfds.features.Text() for name in ("text", "transcript", "key")}
        return self.info_of(
            {"audio": audio, **text_features, **(more_features or {})},
            supervised_keys=("audio", "text"),
            metadata=tfds.core.MetadataDict(),  # what was left out; filled when the data set is prepared
            **about,
        )

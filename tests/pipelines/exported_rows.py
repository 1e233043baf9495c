"""What an export's signatures reach on the whole test split, task by task: as the row `model` of an evaluation says."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from pipelines.evaluation import Metric
from pipelines.nlp.language_model import data as language_data
from pipelines.nlp.language_model.config import LanguageModelConfiguration
from pipelines.nlp.language_model.data import BOUNDARY
from pipelines.nlp.sentiment import data as sentiment_data
from pipelines.nlp.sentiment import scoring as sentiment_scoring
from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.tagging import data as tagging_data
from pipelines.nlp.tagging import scoring as tagging_scoring
from pipelines.nlp.tagging.config import TaggingConfiguration
from pipelines.nlp.translation import data as translation_data
from pipelines.nlp.translation import scoring as translation_scoring
from pipelines.nlp.translation.config import TranslationConfiguration
from pipelines.nlp.unicode_forms import canonical
from pipelines.runs import Run
from pipelines.series import baselines, evaluate
from pipelines.series import data as series_data
from pipelines.series import scoring as series_scoring
from pipelines.series.backtest import Forecasts, stacked
from pipelines.series.config import Description, SeriesConfiguration
from pipelines.served import Served
from pipelines.speech import batching as speech_batching
from pipelines.speech import data as speech_data
from pipelines.speech import scoring as speech_scoring
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.model import alphabet_of_run
from pipelines.video.clip_classes import data as clip_data
from pipelines.video.clip_classes import scoring as clip_scoring
from pipelines.video.clip_classes.config import ClipClassesConfiguration
from pipelines.video.clip_classes.scoring import by_video
from pipelines.video.next_frames import data as film_data
from pipelines.video.next_frames import scoring as film_scoring
from pipelines.video.next_frames.config import NextFramesConfiguration

Reached = Mapping[str, Metric]


def clip_classes(run: Run, ask: Served) -> Reached:
    """The clips of a video are averaged."""
    configuration = run.read_configuration(ClipClassesConfiguration).data
    examples = clip_data.load(configuration).splits["test"]
    batches = clip_data.batches(examples, configuration).as_numpy_iterator()
    answers = [ask("serving_default", frames=frames)["probabilities"] for frames in batches]
    return clip_scoring.metrics(*by_video(examples, np.concatenate(answers)))


def language_model(run: Run, ask: Served) -> Reached:
    """The end of a document, which a text that goes on has not, is the first subword behind its `prompt`."""
    configuration = run.read_configuration(LanguageModelConfiguration)
    documents = language_data.load(configuration.data, configuration.vocabulary).corpus.test
    texts = [each.text for each in documents]
    begins = ask("serving_default", text=texts)["log_probability"].sum()
    ends = sum(tf.nn.log_softmax(ask("prefill", prompt=[text])["logits"])[0, BOUNDARY] for text in texts)
    characters = tf.reduce_sum(tf.strings.length(canonical(tf.constant(texts)), unit="UTF8_CHAR"))
    return {"bits_per_character": Metric(float(-(begins + ends) / math.log(2) / float(characters)))}


def next_frames(run: Run, ask: Served) -> Reached:
    """Frames come in and go out as whole numbers."""
    configuration = run.read_configuration(NextFramesConfiguration).data
    clips = np.concatenate(list(film_data.fixed_batches(film_data.load(configuration), "test")))
    watched = configuration.watched_frames
    future = ask("serving_default", frames=clips[:, :watched])["future"]
    return film_scoring.metrics(film_scoring.score(future / np.float32(255), clips[:, watched:] / np.float32(255)))


def sentiment(run: Run, ask: Served) -> Reached:
    """Labels and ratings."""
    sets = sentiment_data.load(run.read_configuration(SentimentConfiguration).data)
    examples = sets.splits["test"]
    found = ask("serving_default", text=[each.text for each in examples])
    probabilities = found["probabilities"]
    answers = sentiment_scoring.Answers(probabilities.argmax(axis=1), probabilities, found["rating"])
    truth = sentiment_scoring.Truth(*sentiment_data.truth(examples, sets.labels))
    return sentiment_scoring.metrics(answers, truth, len(sets.labels))


def series(run: Run, ask: Served) -> Reached:
    """Each series is read once, from its first step on, by `steps`."""
    configuration, description = run.read_configuration(SeriesConfiguration), Description.of_run(run)
    sets = series_data.load(configuration.data, description.columns, offsets=description.known_offsets)
    task = evaluate.task_of(configuration, sets, "test", "", "")
    known, parts = len(description.columns.known), []
    for index in task.chosen:
        one, origins = sets.series[index], task.steps(index)
        end, values = origins[-1] + 1, np.where(one.observed, one.values, np.nan)
        answer = ask(
            "steps",
            observations=values[np.newaxis, :end],
            times=one.times[np.newaxis, :end],
            future=values[np.newaxis, end : end + task.horizon, -known:],
            **ask("initial_state", series=[one.name]),
        )
        parts.append(Forecasts(answer["quantiles"][0, origins], answer["mean"][0, origins]))
    origins = task.origins()
    scale = np.array([baselines.seasonal_error(task, index) for index in origins.series])
    ours, naive = (
        series_scoring.losses(each, origins.truth, task.levels, scale)
        for each in (stacked(parts), baselines.last_value(task))
    )
    return series_scoring.metrics(ours, naive, origins)


def speech(run: Run, ask: Served) -> Reached:
    """Texts of the search with the language model."""
    configuration = run.read_configuration(SpeechConfiguration)
    frames = lambda samples: samples // configuration.frame_samples  # noqa: E731
    speech = speech_data.load(configuration.data, configuration.features.sample_rate, frames)
    keys = speech_data.keys_of(speech.utterances["test"])
    batches = speech_batching.batches(speech.source, "test", alphabet_of_run(run), keys).as_numpy_iterator()
    references, texts = [], []
    for batch in batches:
        found = ask("serving_default", audio=batch["audio"], lengths=batch["audio_lengths"])["text"]
        texts += [text.decode() for text in found]
        references += [text.decode() for text in batch["text"]]
    return speech_scoring.error_rates(references, texts)


def tagging(run: Run, ask: Served) -> Reached:
    """Words come divided, as they are labelled."""
    sets = tagging_data.load(run.read_configuration(TaggingConfiguration).data)
    sentences = sets.splits["test"]
    found = ask("words", words=tf.ragged.constant([each.words for each in sentences]).to_tensor())["tags"]
    tags = [[tag.decode() for tag in row[: len(each.words)]] for row, each in zip(found, sentences, strict=True)]
    learned = {word.lower() for each in sets.splits["train"] for word in each.words}
    return tagging_scoring.metrics(tagging_scoring.tallies(sentences, tags, learned, sets.tags))


def translation(run: Run, ask: Served) -> Reached:
    """Texts of the beam search."""
    pairs: Sequence = translation_data.load(run.read_configuration(TranslationConfiguration).data).pairs["test"]
    found = ask("serving_default", text=[pair.source for pair in pairs])["translation"]
    return translation_scoring.metrics([pair.target for pair in pairs], [text.decode() for text in found])


REACHED: dict[str, Callable[[Run, Served], Reached]] = {
    "clip-classes": clip_classes,
    "language-model": language_model,
    "next-frames": next_frames,
    "sentiment": sentiment,
    "series": series,
    "speech": speech,
    "tagging": tagging,
    "translation": translation,
}
"""By the name of the task."""

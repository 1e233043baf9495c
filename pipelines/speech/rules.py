"""What the recordings say of the settings that nobody chose: rates, sizes of the network and batches, steps."""

import math
from collections import Counter
from statistics import median
from typing import Any, NamedTuple

from models.losses import ctc_frames_needed
from pipelines.runs import Run
from pipelines.speech import data
from pipelines.speech.audio_files import SpeechDataError, rate_of
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.features import FROM_DATA
from pipelines.speech.network import AUTO
from pipelines.speech.phonemes import is_spoken
from pipelines.speech.sources import Utterance
from pipelines.speech.user_recordings import FileSource

PROBED = 50  # files whose rate is looked at
HIGHEST_RATE = 16_000  # samples a second: above 8 kHz, speech has little that tells words apart
FEWEST_STEPS = 100  # an epoch
MOST_STEPS = 3000
FEWEST_IN_A_BATCH = 4  # recordings of the median length
MISFITS = 0.01  # share of the recordings that may have more characters than frames of labels


class Size(NamedTuple):
    """Settings for so many hours of recordings, or fewer: those of presets that were tuned on such amounts."""

    hours: float
    units: int
    layers: int
    batch_seconds: float
    passes: int
    consistency: float


SIZES = (
    Size(0.5, 160, 2, 16.0, 56, 0.2),  # as `small`
    Size(3.0, 224, 2, 24.0, 32, 0.0),  # as `czech`
    Size(20.0, 320, 3, 48.0, 20, 0.0),
    Size(math.inf, 512, 4, 96.0, 12, 0.0),
)


def settle(configuration: SpeechConfiguration) -> tuple[SpeechConfiguration, data.Opened | None]:
    """Returns a configuration whose open settings follow from the recordings, printed with their reasons.

    - sample rate: that of most recordings, 16 kHz at most; mel bands: 64 from 12 kHz on, else 40;
    - subsampling: 4, or 2 where more than one of a hundred transcripts has too many characters for that;
    - units, layers, seconds in a batch, passes and the second reading: by the hours for training, see `SIZES`; a batch
      holds four recordings of the median length at least;
    - phonemes: those of the transcripts' language, where it is named and eSpeak NG speaks it;
    - with a run to start from, its rate, mel bands, subsampling, units and layers, or its weights would not fit.

    Args:
        configuration: whose settings of −1 and `auto` are open.

    Returns:
        The configuration, and the opened recordings; none where nothing was open.
    """
    if not is_open(configuration):
        return configuration, None
    if configuration.initialise is not None:
        configuration = _as_before(configuration, Run.open(configuration.initialise))
    features, network = configuration.features, configuration.network
    recordings = data.opened(configuration.data, 8000 if features.sample_rate == FROM_DATA else features.sample_rate)
    lines = []
    if features.sample_rate == FROM_DATA:
        rate, line = _sample_rate(recordings)
        lines.append(line)
        configuration = configuration.replace(features={"sample_rate": rate})
        recordings = data.opened(configuration.data, rate)
    rate = configuration.features.sample_rate
    if features.mel_bands == FROM_DATA:
        configuration = configuration.replace(features={"mel_bands": 64 if rate >= 12_000 else 40})
        lines.append(f"{configuration.features.mel_bands} mel bands, for {rate} samples a second")

    utterances = [each for each in recordings.source.utterances("train") if each.text and each.samples]
    if not utterances:
        return _without_open_ones(configuration), recordings  # which `data.load` refuses with their problems
    if network.subsampling == FROM_DATA:
        subsampling, line = _subsampling(configuration, utterances)
        lines.append(line)
        configuration = configuration.replace(network={"subsampling": subsampling})

    seconds = [each.samples / rate for each in utterances]
    hours, typical = sum(seconds) / 3600, median(seconds)
    size = next(size for size in SIZES if hours <= size.hours)
    settled = {
        "network": {"units": size.units, "layers": size.layers},
        "data": {"batch_seconds": max(size.batch_seconds, float(math.ceil(FEWEST_IN_A_BATCH * typical)))},
        "consistency": size.consistency,
    }
    configuration = _replaced(configuration, settled)
    steps = sum(seconds) * size.passes / configuration.data.batch_seconds / configuration.training.epochs
    configuration = _replaced(configuration, {"steps_per_epoch": min(max(round(steps), FEWEST_STEPS), MOST_STEPS)})
    lines.append(
        f"{configuration.network.layers} layers of {configuration.network.units} units, batches of "
        f"{configuration.data.batch_seconds:g} s, {configuration.training.epochs} epochs of "
        f"{configuration.steps_per_epoch} batches, {'two readings' if configuration.consistency else 'one reading'} of "
        f"each recording, for {hours:.2f} hours in {len(utterances)} recordings, of {typical:.1f} s (median)"
    )
    if configuration.network.phonemes == AUTO:
        phonemes, line = _phonemes(configuration)
        lines.append(line)
        configuration = configuration.replace(network={"phonemes": phonemes})
    for line in lines:
        print(f"From the recordings: {line}.")
    return configuration, recordings


def is_open(configuration: SpeechConfiguration) -> bool:
    """Whether a setting waits for the recordings."""
    return _replaced(configuration, _ALL) != configuration


_ALL: dict[str, Any] = {
    "features": {"sample_rate": 16_000, "mel_bands": 64},
    "network": {"units": 160, "layers": 2, "subsampling": 4, "phonemes": ""},
    "data": {"batch_seconds": 16.0},
    "consistency": 0.0,
    "steps_per_epoch": FEWEST_STEPS,
}


def _as_before(configuration: SpeechConfiguration, run: Run) -> SpeechConfiguration:
    """Returns a configuration in which the open settings that shape the weights are those of the run to start from."""
    before = run.read_configuration(SpeechConfiguration)
    shape: dict[str, dict[str, Any]] = {
        part: {name: getattr(getattr(before, part), name) for name in _ALL[part]} for part in ("features", "network")
    }
    if before.network.phonemes and configuration.data.language:  # its symbols are taken by name
        del shape["network"]["phonemes"]
    settings = ", ".join(f"{part}.{name} {value}" for part, values in shape.items() for name, value in values.items())
    print(f"From the run to start from, where nothing else is chosen: {settings}.")
    return _replaced(configuration, shape)


def _without_open_ones(configuration: SpeechConfiguration) -> SpeechConfiguration:
    return _replaced(configuration, _ALL)


def _replaced(configuration: SpeechConfiguration, values: dict[str, Any]) -> SpeechConfiguration:
    """Returns a configuration with values in place of those that are open."""
    changes: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            part = getattr(configuration, name)
            changes[name] = {key: each for key, each in value.items() if getattr(part, key) in (FROM_DATA, AUTO)}
        elif getattr(configuration, name) == FROM_DATA:
            changes[name] = value
    return configuration.replace(**changes)


def _sample_rate(recordings: data.Opened) -> tuple[int, str]:
    """Returns the samples a second for a network, and why."""
    source = recordings.source
    if not isinstance(source, FileSource):
        return HIGHEST_RATE, f"{HIGHEST_RATE} samples a second"
    entries = [entry for entry in source.entries if entry.split == "train"]
    rates: Counter[int] = Counter()
    for entry in entries[:: math.ceil(max(len(entries), 1) / PROBED)]:
        try:
            rates[rate_of(entry.path)] += 1
        except SpeechDataError:  # it is named later, with all that cannot be read
            continue
    usual = min(rates.most_common(1)[0][0] if rates else HIGHEST_RATE, HIGHEST_RATE)
    shown = ", ".join(f"{count} of {rates.total()} have {rate}" for rate, count in rates.most_common(3))
    return max(usual, 4000), f"{usual} samples a second; of the recordings, {shown or 'none can be read'}"


def _phonemes(configuration: SpeechConfiguration) -> tuple[str, str]:
    """Returns the language of the phonemes that the first layer reads, "" for letters, and why."""
    language = configuration.data.language
    if not configuration.network.can_read_phonemes:
        return "", "letters for all layers, for no layer passes on what it reads"
    if not language:
        return "", "letters for all layers; the first learns phonemes if you name the language, --data.language"
    if not is_spoken(language):
        return "", f"letters for all layers, for eSpeak NG does not speak {language}"
    return language, f"phonemes of {language} for the first layer"


def _subsampling(configuration: SpeechConfiguration, utterances: list[Utterance]) -> tuple[int, str]:
    """Returns how many frames of features become one of labels, and why."""

    def misfits(subsampling: int) -> float:
        frame = configuration.features.hop * subsampling
        return sum(each.samples // frame < ctc_frames_needed(each.text) for each in utterances) / len(utterances)

    subsampling = 2 if misfits(4) > MISFITS and misfits(2) < misfits(4) else 4
    milliseconds = 1000 * configuration.features.hop_seconds
    share = f"{100 * misfits(4):.1f} % of the transcripts have more characters than frames of {4 * milliseconds:g} ms"
    return subsampling, f"a label for each {subsampling * milliseconds:g} ms; {share}"

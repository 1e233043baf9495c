"""Synthetic speech: deterministic, nested sizes, and clear of the held-out prompts."""

from collections import Counter

import numpy as np
import pytest

from data.composed_phrases import compose_phrases
from data.splits import without_near_duplicates
from data.synthetic_speech import (
    SAMPLE_RATE,
    SOURCE_SHARES,
    VOICES,
    Flite,
    SyntheticSpeech,
    Utterance,
    all_sentences,
    choose_utterances,
    dialogue_sentences,
    manual_sentences,
)
from data.transcripts import normalise

PAGE = """<page xmlns="http://projectmallard.org/1.0/"><title>Change the volume</title>
<p>Press the button to <gui>mute</gui>
   the sound. Use version 43 of it. Then wait.</p>
<steps><item><p>Run <cmd>apt/get</cmd> twice now.</p></item></steps></page>"""


def some_sentences(source: str, count: int) -> list[str]:
    return [f"Here {source} {phrase}." for phrase in compose_phrases(count)]


def test_smaller_size_is_part_of_the_larger():
    sources = {source: some_sentences(source, 100) for source in SOURCE_SHARES}
    small, large = (set(choose_utterances(sources, ["Goodbye."], count)) for count in (100, 400))
    assert (len(small), len(large)) == (100, 400)
    assert small < large


def test_shares_of_sources_and_voices():
    sources = {source: some_sentences(source, 2000) for source in SOURCE_SHARES}
    utterances = choose_utterances(sources, ["Goodbye."], 4000)
    by_source = Counter(utterance.key.partition("-")[0] for utterance in utterances)
    assert by_source == {source: share * 4000 for source, share in SOURCE_SHARES.items()}
    by_voice = Counter(utterance.voice for utterance in utterances)
    for name, voice in VOICES.items():
        assert by_voice[name] / 4000 == pytest.approx(voice.share, abs=0.025)  # 3 standard deviations


def test_held_out_prompts_are_not_spoken():
    secret = "The weasels have the key."
    sources = {source: [*some_sentences(source, 20), secret] for source in SOURCE_SHARES}
    spoken = {utterance.transcript for utterance in choose_utterances(sources, ["Weasels have the key!"], 200)}
    assert secret not in spoken
    assert len(spoken) > 40


def test_manual_sentences(tmp_path):
    page = tmp_path / "usr/share/help/C/book/page.page"
    page.parent.mkdir(parents=True)
    page.write_text(PAGE)
    # Numbers, paths, and sentences of fewer than three words are left out.
    assert set(manual_sentences(tmp_path)) == {"Change the volume", "Press the button to mute the sound."}


def test_dialogue_sentences(tmp_path):
    script = tmp_path / "usr/share/games/fillets-ng/script/level/dialogs_cs.lua"
    script.parent.mkdir(parents=True)
    script.write_text('dialogId("a", "f", "What is it? I can\u2019t see it... No.")\ndialogStr("x")')
    assert set(dialogue_sentences(tmp_path)) == {"What is it?"}


def test_composed_phrases_are_spoken_words():
    phrases = compose_phrases(500)
    assert compose_phrases(100) == phrases[:100]
    assert len(set(phrases)) > 300
    for phrase in phrases:
        text = normalise(phrase, "en")
        assert text
        assert text == normalise(text, "en")
        assert not any(character.isdigit() for character in phrase)


@pytest.mark.slow
def test_flite_speaks_and_obeys():
    flite = Flite()
    lengths = {}
    for voice in VOICES:
        for stretch in (0.9, 1.3):
            audio = flite.speak(Utterance("key", "Please press the button.", voice, stretch, VOICES[voice].pitch))
            assert audio.dtype == np.int16
            assert np.abs(audio).max() > 2000
            lengths[voice, stretch] = len(audio) / SAMPLE_RATE
        assert 0.8 < lengths[voice, 0.9] < lengths[voice, 1.3] < 4.0
    low, high = (flite.speak(Utterance("key", "Mary, hello.", "slt", 1.0, pitch)) for pitch in (150, 200))
    assert len(low) == len(high)
    assert not np.array_equal(low, high)


@pytest.mark.slow
def test_real_sentences_are_clear_of_held_out_prompts():
    from data import telephone_prompts
    from data.packages import fetch

    prompts, _ = telephone_prompts.read_prompts(
        fetch(telephone_prompts.AUDIO_PACKAGE), fetch(telephone_prompts.TRANSCRIPT_PACKAGE)
    )
    held_out = [prompt for prompt in prompts if prompt.split != "train"]
    assert (
        SyntheticSpeech.builder_configs["one_hour"].utterances < SyntheticSpeech.builder_configs["six_hours"].utterances
    )
    kept = without_near_duplicates(compose_phrases(2000), [prompt.transcript for prompt in held_out], "en")
    assert not {normalise(text, "en") for text in kept} & {prompt.text for prompt in held_out}
    assert len(kept) > 1500
    sentences = all_sentences()
    assert not set(sentences) & {prompt.text for prompt in held_out}
    assert len(sentences) > 4000

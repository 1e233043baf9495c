"use strict";
// The models of the server, each with a form by what it takes: the names of its inputs say more than its own.

const FORMS = [
  { when: has("step_logits"), make: (model) => [...speak(model), hereToo(model)] },
  { when: has("wav"), make: upload },
  { when: has("history_state"), make: forecastTable },
  { when: has("roll_out"), make: film },
  { when: has("padded"), make: film },
  { when: has("generate"), make: write },
  { when: has("attention"), make: translate },
  { when: (model) => takes("text")(model) && answers("tags")(model), make: tag },
  { when: (model) => takes("text")(model) && (answers("probabilities")(model) || answers("rating")(model)), make: classify },
  { when: () => true, make: anything },
];
function has(signature) { return (model) => signature in model.inputs; }
function takes(input) { return (model) => Object.keys(model.inputs.serving_default || {}).join() === input; }
function answers(output) { return (model) => (model.outputs.serving_default || []).includes(output); }

// Any other model: its inputs as JSON, with an example of each.
function anything(model) {
  const output = element("output");
  const signature = element("select", { ariaLabel: "Signature" });
  for (const name of Object.keys(model.inputs).sort((a) => (a === "serving_default" ? -1 : 1))) {
    signature.append(element("option", {}, name));
  }
  const body = element("textarea", { rows: 6, ariaLabel: "Inputs as JSON", spellcheck: false });
  const example = () => {
    const inputs = model.inputs[signature.value];
    const filled = Object.entries(inputs).map(([name, kind]) => [name, kind.shape.reduceRight(
      (inner, size) => Array(size < 0 || size > 3 ? 1 : size).fill(inner),
      { DT_STRING: "", DT_BOOL: false }[kind.dtype] ?? 0)]);
    body.value = JSON.stringify(Object.fromEntries(filled), null, 1);
  };
  signature.onchange = example;
  example();
  const button = element("button", { onclick: () => shown(output, async () => {
    const answer = await predict(model, signature.value, JSON.parse(body.value));
    output.textContent = JSON.stringify(answer, null, 1).slice(0, 20000);
  }) }, "Ask");
  return [signature, body, button, output];
}

async function described(model) {
  const { metadata } = await ask(`${pathOf(model)}/metadata`);
  const signatures = Object.entries(metadata.signature_def.signature_def);
  model.inputs = Object.fromEntries(signatures.map(([name, { inputs }]) => [name, Object.fromEntries(
    Object.entries(inputs).map(([key, { dtype, tensor_shape }]) =>
      [key, { dtype, shape: (tensor_shape.dim || []).map(({ size }) => Number(size)) }]))]));
  model.outputs = Object.fromEntries(signatures.map(([name, { outputs }]) => [name, Object.keys(outputs)]));
  const about = [model.task, `version ${model.version}`].filter(Boolean).join(", ");
  const text = element("pre"), card = element("details", {}, element("summary", {}, "Model card"), text);
  card.ontoggle = async () => { text.textContent = await cardOf(model); };
  return element("section", { id: model.name }, element("h2", {}, model.name, " ", element("small", {}, about)),
    ...FORMS.find(({ when }) => when(model)).make(model), card);
}

async function load() {
  const main = document.getElementById("models");
  try {
    const { models } = await ask("v1/models");
    const sections = await Promise.all(models.map(described));
    main.replaceChildren(...(sections.length ? sections : ["There is no model yet: unrolled export TASK"]));
  } catch (error) {
    document.getElementById("secret").hidden = error.status !== 401;
    if (error.status === 503) setTimeout(load, 2000);  // it is loading its models, or busy
    main.replaceChildren(element("p", { className: "error" }, error.message));
  }
}
token.onchange = load;
load();

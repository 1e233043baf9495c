"use strict";
// What every model's form needs: elements, requests, streams, and an answer or an error where it is expected.

const token = document.getElementById("token");
const headers = () => token.value ? { Authorization: "Bearer " + token.value } : {};

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

async function ask(path, body) {
  const options = { headers: headers(), ...(body && { method: "POST", body: JSON.stringify(body) }) };
  const answer = await fetch(path, options).catch(() => { throw new Error("The server does not answer. Is it running?"); });
  const value = parse(await answer.text());
  if (!answer.ok) throw Object.assign(new Error(value.error), { status: answer.status });
  return value;
}

// TensorFlow Serving's JSON has NaN where a number is none, which a browser does not read.
function parse(text) {
  try { return JSON.parse(text); } catch { return JSON.parse(text.replace(/([\[,:])-?(NaN|Infinity)(?=[,\]}])/g, "$1null")); }
}

function pathOf(model) { return `v1/models/${encodeURIComponent(model.name)}`; }

// The card as Markdown, its lines as long as the window allows.
async function cardOf(model) {
  const text = await (await fetch(`${pathOf(model)}/card`, { headers: headers() })).text();
  return text.replace(/(\S)\n(?=[^\s#|*-])/g, "$1 ");
}

async function descriptionOf(model) {
  const files = await ask(`${pathOf(model)}/run`);
  return { ...JSON.parse(files["description.json"] || "{}"), configuration: JSON.parse(files["configuration.json"] || "{}") };
}

async function predict(model, signature, inputs) {
  const { outputs } = await ask(`${pathOf(model)}:predict`, { signature_name: signature, inputs });
  const names = model.outputs[signature];
  return names.length === 1 ? { [names[0]]: outputs } : outputs;
}

// A stream: messages that are sent before it is open wait. `answered` takes each answer, `ended` is called once.
function streamOf(model, answered, failed, ended = () => {}) {
  const address = new URL(`${pathOf(model)}:stream`, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  if (token.value) address.searchParams.set("token", token.value);
  const socket = new WebSocket(address), waiting = [];
  socket.onopen = () => waiting.splice(0).forEach((message) => socket.send(message));
  socket.onmessage = ({ data }) => {
    const message = parse(data);
    if ("error" in message) failed(message.error); else answered(message);
  };
  socket.onerror = () => failed("The stream could not be opened. Are there too many, or is the server gone?");
  socket.onclose = ended;
  const send = (message) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(message);
    else if (socket.readyState === WebSocket.CONNECTING) waiting.push(message);
  };
  return { send: (message) => send(message instanceof ArrayBuffer ? message : JSON.stringify(message)) };
}

function fail(output, message) {
  output.classList.add("error");
  output.textContent = message;
}

// Runs a task, and shows its error where its answer would stand.
async function shown(output, task) {
  output.classList.remove("error");
  output.textContent = "…";
  try { await task(); } catch (error) { fail(output, error.message); }
}

// A share of each label, the largest first.
function bars(shares, names = []) {
  const rows = shares.map((share, place) => [share, names[place] ?? place]).sort(([one], [other]) => other - one).slice(0, 12);
  return element("div", {}, ...rows.map(([share, name]) => {
    const bar = element("div", { className: "bar" }, `${name}: ${(100 * share).toFixed(1)} %`);
    bar.style.width = Math.max(100 * share, 1) + "%";
    return bar;
  }));
}

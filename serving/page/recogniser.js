"use strict";
// A recogniser of one direction on the machine of whoever reads the page: the network of `pipelines/speech/model.py`,
// frame after frame, with the weights in `web/step.json` of an export. The server is asked for these alone.

const FLOOR = 1e-6, EPSILON = 1e-3; // of the mel power, and of layer normalisation, as in training

class Recogniser {
  constructor(network) {
    const decode = ({ shape, data }) => {
      const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
      return { shape, data: new Float32Array(bytes.buffer) };
    };
    this.network = network;
    this.weights = Object.fromEntries(Object.entries(network.weights).map(([name, each]) => [name, decode(each)]));
    const { window, filters } = this.weights, size = window.data.length, bins = filters.shape[0];
    // The Fourier transform as two products.
    this.waves = [Math.cos, Math.sin].map((wave) => ({ shape: [size, bins], data: Float32Array.from(
      { length: size * bins }, (_, at) => wave(2 * Math.PI * Math.floor(at / bins) * (at % bins) / size)) }));
    this.reset();
  }

  reset() {
    const { units, layers, fftSize, hop, convolutions } = this.network;
    this.before = new Float32Array(fftSize - hop);
    this.contexts = Array(convolutions).fill(null);
    this.states = Array.from({ length: layers }, () => [new Float32Array(units), new Float32Array(units)]);
  }

  // The logits of a frame of `frameSamples` samples in -1 … 1; the first is that of the blank.
  step(audio) {
    const { hop, fftSize, convolutions, layers, recurrent } = this.network, all = new Float32Array([...this.before, ...audio]);
    this.before = all.slice(-this.before.length);
    let frames = [];
    for (let start = 0; start + fftSize <= all.length; start += hop) frames.push(this.features(all.subarray(start, start + fftSize)));
    for (let index = 0; index < convolutions; index++) frames = this.convolution(index, frames);
    let hidden = this.normalised(this.dense(frames[0], "projection"), 0);
    for (let layer = 0; layer < layers; layer++) {
      hidden = this.normalised(this[recurrent](hidden, layer), layer + 1);
      if (!this.weights[`conditioner_${layer}.kernel`]) continue;
      const draft = this.dense(hidden, "labels").map(Math.exp), sum = draft.reduce((one, other) => one + other);
      const given = this.dense(draft.map((each) => each / sum), `conditioner_${layer}`);
      hidden = hidden.map((each, at) => each + given[at]);
    }
    return this.dense(hidden, "labels");
  }

  features(frame) {
    const { window, filters, mean, deviation } = this.weights;
    const windowed = frame.map((each, at) => each * window.data[at]);
    const [real, imaginary] = this.waves.map((wave) => product(windowed, wave));
    const mel = product(real.map((each, at) => each ** 2 + imaginary[at] ** 2), filters);
    return mel.map((each, at) => (Math.log(Math.max(each, FLOOR)) - mean.data[at]) / deviation.data[at]);
  }

  // Three frames by three bands at strides of two, preceded by the frame before; frames are (bands, channels).
  convolution(index, frames) {
    const kernel = this.weights[`convolution_${index}.kernel`], bias = this.weights[`convolution_${index}.bias`].data;
    const [, , channels, filters] = kernel.shape, bands = frames[0].length / channels, most = Math.floor((bands - 1) / 2) + 1;
    const joined = [this.contexts[index] || new Float32Array(frames[0].length), ...frames];
    this.contexts[index] = frames.at(-1);
    const found = [];
    for (let start = 0; start + 3 <= joined.length; start += 2) {
      const made = new Float32Array(most * filters);
      for (let band = 0; band < most; band++) {
        made.set(bias, band * filters);
        for (let time = 0; time < 3; time++) for (let offset = 0; offset < 3; offset++) {
          const from = 2 * band + offset - 1;
          if (from < 0 || from >= bands) continue;
          for (let channel = 0; channel < channels; channel++) {
            const value = joined[start + time][from * channels + channel];
            const place = ((time * 3 + offset) * channels + channel) * filters;
            for (let filter = 0; filter < filters; filter++) made[band * filters + filter] += value * kernel.data[place + filter];
          }
        }
      }
      found.push(made.map((each) => Math.max(each, 0)));
    }
    return found;
  }

  dense(input, name) { return product(input, this.weights[`${name}.kernel`], this.weights[`${name}.bias`].data); }

  normalised(input, index) {
    const gamma = this.weights[`norm_${index}.gamma`].data, beta = this.weights[`norm_${index}.beta`].data;
    const mean = input.reduce((sum, each) => sum + each, 0) / input.length;
    const variance = input.reduce((sum, each) => sum + (each - mean) ** 2, 0) / input.length;
    return input.map((each, at) => (each - mean) / Math.sqrt(variance + EPSILON) * gamma[at] + beta[at]);
  }

  // The products of a layer with its input and with its state, of which gate and unit take their number.
  gates(input, layer, biases) {
    const of = (part) => this.weights[`recurrent_${layer}.${part}`], { units } = this.network;
    const ours = product(input, of("kernel"), biases[0]), theirs = product(this.states[layer][0], of("recurrent_kernel"), biases[1]);
    return [(gate, unit) => ours[gate * units + unit], (gate, unit) => theirs[gate * units + unit]];
  }

  simple_rnn(input, layer) {
    const [ours, theirs] = this.gates(input, layer, [this.weights[`recurrent_${layer}.bias`].data]);
    return this.states[layer][0] = this.states[layer][0].map((_, unit) => Math.tanh(ours(0, unit) + theirs(0, unit)));
  }

  lstm(input, layer) {
    const [ours, theirs] = this.gates(input, layer, [this.weights[`recurrent_${layer}.bias`].data]);
    const sum = (gate, unit) => ours(gate, unit) + theirs(gate, unit), [, before] = this.states[layer];
    const cell = before.map((each, unit) =>
      sigmoid(sum(1, unit)) * each + sigmoid(sum(0, unit)) * Math.tanh(sum(2, unit)));
    const hidden = cell.map((each, unit) => sigmoid(sum(3, unit)) * Math.tanh(each));
    this.states[layer] = [hidden, cell];
    return hidden;
  }

  gru(input, layer) {
    const bias = this.weights[`recurrent_${layer}.bias`].data, half = bias.length / 2;
    const [ours, theirs] = this.gates(input, layer, [bias.subarray(0, half), bias.subarray(half)]);
    return this.states[layer][0] = this.states[layer][0].map((before, unit) => {
      const kept = sigmoid(ours(0, unit) + theirs(0, unit)), reset = sigmoid(ours(1, unit) + theirs(1, unit));
      return kept * before + (1 - kept) * Math.tanh(ours(2, unit) + reset * theirs(2, unit));
    });
  }

  // The text of the best labels of a recording; whatever does not fill a frame at its end is not heard.
  transcribe(audio) {
    const { alphabet, frameSamples } = this.network, written = [];
    this.reset();
    for (let start = 0, last = 0; start + frameSamples <= audio.length; start += frameSamples) {
      const logits = this.step(audio.subarray(start, start + frameSamples)), label = logits.indexOf(Math.max(...logits));
      if (label && label !== last) written.push(alphabet[label - 1]);
      last = label;
    }
    return written.join("").split(" ").filter(Boolean).join(" ");
  }
}

const sigmoid = (value) => 1 / (1 + Math.exp(-value));

// A vector times a matrix (inputs, outputs), plus a bias.
function product(vector, { shape: [, outputs], data }, bias = null) {
  const found = bias ? new Float32Array(bias) : new Float32Array(outputs);
  vector.forEach((value, row) => {
    const start = row * outputs;
    for (let column = 0; column < outputs; column++) found[column] += value * data[start + column];
  });
  return found;
}

// What a section of speech has beside its form: the same network here, which goes on when the server is gone.
function hereToo(model) {
  const output = element("div");
  let recogniser = null;
  const file = element("input", { type: "file", accept: "audio/*", ariaLabel: "File for this machine", disabled: true,
    onchange: () => shown(output, async () => {
      const audio = await decoded(file.files[0], recogniser.network.sampleRate), started = performance.now();
      const text = recogniser.transcribe(audio);
      const seconds = (performance.now() - started) / 1000, share = seconds / (audio.length / recogniser.network.sampleRate);
      transcript(output, text);
      output.append(element("small", {}, ` ${share.toFixed(2)} s a second of audio`));
    }) });
  const fetched = element("button", { onclick: () => shown(output, async () => {
    recogniser = new Recogniser(await ask(`${pathOf(model)}/web`));
    file.disabled = false;
    output.textContent = "The network is here now, and needs the server no more.";
  }) }, "Fetch the network");
  return element("details", {}, element("summary", {}, "On this machine, without the server"),
    element("p", { className: "note" }, "It writes the best label of each frame, without beam search and language model."),
    fetched, element("label", {}, "A file ", file), output);
}

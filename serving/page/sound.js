"use strict";
// Speech: from the microphone as it is spoken, or from a recording.

async function rateOf(model) {
  return (await descriptionOf(model)).configuration.features?.sample_rate ?? 16000;
}

// A file of any format that the browser plays, in the model's rate, its channels averaged.
async function decoded(file, rate) {
  const context = new OfflineAudioContext(1, 1, rate);
  const buffer = await context.decodeAudioData(await file.arrayBuffer()).catch(() => {
    throw new Error("The browser cannot read the recording. Expected WAV, MP3, Ogg or M4A.");
  });
  const sum = new Float32Array(buffer.length);
  for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
    buffer.getChannelData(channel).forEach((value, place) => { sum[place] += value / buffer.numberOfChannels; });
  }
  return sum.map((value) => Math.max(-1, Math.min(1, value)));
}

function upload(model, output = element("output")) {
  const file = element("input", { type: "file", accept: "audio/*", ariaLabel: "Recording", onchange: () =>
    shown(output, async () => {
      const audio = await decoded(file.files[0], await rateOf(model));
      const { text, confidence } = await predict(model, "serving_default",
        { audio: [Array.from(audio)], lengths: [audio.length] });
      transcript(output, text[0], confidence?.[0]);
    }) });
  return [element("label", {}, "A recording ", file), output];
}

function transcript(output, text, confidence, words = []) {
  output.replaceChildren(element("p", { className: "text" }, text || "No words were heard."));
  if (!text) return;
  const at = words.map((word) => `${word.text} ${word.start.toFixed(1)} s`).join(" · ");
  const sure = confidence === undefined ? "" : `confidence ${(100 * confidence).toFixed(0)} %`;
  output.append(element("small", {}, [sure, at].filter(Boolean).join(" · ")));
}

// What browsers do to voices for calls takes away what the model has learned to hear.
const AS_IT_IS = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };

async function microphone() {
  if (!navigator.mediaDevices) {
    throw new Error("A browser lends its microphone to localhost and to https alone. Serve with --certificate and --key.");
  }
  return navigator.mediaDevices.getUserMedia({ audio: AS_IT_IS }).catch((error) => {
    throw new Error(`There is no microphone to listen to: ${error.message}. Allow it, or take a recording.`);
  });
}

function speak(model) {
  const output = element("output");
  let stop = null;
  const listen = async () => {
    const rate = await rateOf(model), sound = await microphone();
    let context = null, node = null;
    const release = () => {
      if (node) {
        node.port.onmessage = null;
        node.disconnect();
      }
      sound.getTracks().forEach((track) => track.stop());
      if (context && context.state !== "closed") context.close();
      button.textContent = "Speak";
      stop = null;
    };
    try {
      context = new AudioContext({ sampleRate: rate });
      await context.audioWorklet.addModule("page/microphone.js");
      node = new AudioWorkletNode(context, "microphone", { numberOfOutputs: 0 });
      context.createMediaStreamSource(sound).connect(node);
    } catch (error) {
      release();
      throw new Error(`The browser cannot listen to the microphone: ${error.message} Reload the page, or take a recording.`);
    }
    const stream = streamOf(model, ({ answer, finish }) => {
      if (finish) transcript(output, finish.text, finish.confidence, finish.words);
      else output.textContent = answer || "Listening …";
    }, (message) => { release(); fail(output, message); }, release);
    stream.send({ array: { dtype: "float32", shape: [-1] } });
    node.port.onmessage = ({ data }) => stream.send(data);
    stop = () => { release(); stream.send({ finish: true }); };
    button.textContent = "Stop";
    output.textContent = "Listening …";
  };
  const button = element("button", { onclick: () => (stop ? stop() : shown(output, listen)) }, "Speak");
  return [button, upload(model, output)[0], output];
}

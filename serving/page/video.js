"use strict";
// A clip from the user's machine: its frames, and what the model makes of them, as films that play.

// The frames of a film in the model's size, cut to its form, a list (time, height, width, channel).
async function framesOf(file, { height, width, colour }, count, rate) {
  const film = element("video", { muted: true, playsInline: true, preload: "auto", src: URL.createObjectURL(file) });
  try {
    await new Promise((done, failed) => {
      film.onloadeddata = done;
      film.onerror = () => failed(new Error("The browser cannot read the video. Expected MP4 or WebM."));
    });
    const canvas = element("canvas", { width, height }), brush = canvas.getContext("2d", { willReadFrequently: true });
    const scale = Math.max(width / film.videoWidth, height / film.videoHeight);
    const size = [film.videoWidth * scale, film.videoHeight * scale];
    const step = rate ? 1 / rate : Math.max(film.duration, 0.1) / (count + 1);
    const frames = [];
    for (let number = 0; number < count && (number + 0.5) * step < film.duration; number++) {
      await new Promise((done) => { film.onseeked = done; film.currentTime = (number + 0.5) * step; });
      brush.drawImage(film, (width - size[0]) / 2, (height - size[1]) / 2, ...size);
      frames.push(pixels(brush.getImageData(0, 0, width, height), colour === "grey" || colour === "gray"));
    }
    return frames;
  } finally { URL.revokeObjectURL(film.src); }
}

function pixels({ data, width, height }, isGrey) {
  const at = (place) => isGrey
    ? [Math.round(0.299 * data[place] + 0.587 * data[place + 1] + 0.114 * data[place + 2])]
    : [data[place], data[place + 1], data[place + 2]];
  return Array.from({ length: height }, (_, row) => Array.from({ length: width }, (_, column) => at(4 * (row * width + column))));
}

// A canvas on which frames follow each other, again and again.
function playing(title, frames, rate = 8) {
  const height = frames[0].length, width = frames[0][0].length;
  const canvas = element("canvas", { width, height, ariaLabel: title }), brush = canvas.getContext("2d");
  const draw = (frame) => {
    const image = brush.createImageData(width, height);
    frame.flat().forEach((pixel, place) => {
      const [red, green = red, blue = red] = pixel;
      image.data.set([red, green, blue, 255], 4 * place);
    });
    brush.putImageData(image, 0, 0);
  };
  let number = 0;
  draw(frames[0]);
  const clock = setInterval(() => {
    if (!canvas.isConnected && number) return clearInterval(clock);
    canvas.dataset.frame = number % frames.length;
    draw(frames[number++ % frames.length]);
  }, 1000 / rate);
  return element("figure", { className: "film" }, canvas, element("figcaption", {}, title));
}

function film(model) {
  const output = element("output");
  const file = element("input", { type: "file", accept: "video/*", ariaLabel: "Video", onchange: () => shown(output, async () => {
    const { configuration, classes } = await descriptionOf(model);
    const { data } = configuration;
    const future = has("roll_out")(model) ? data.future_frames : 0;
    const frames = await framesOf(file.files[0], data, data.clip_frames, data.frame_rate);
    const given = frames.slice(0, Math.max(1, data.clip_frames - future));
    const answer = await predict(model, "serving_default", { frames: [given] });
    output.textContent = "";
    if (future) {
      const truth = frames.slice(given.length);
      const films = [playing("forecast", answer.future[0])];
      if (truth.length) films.push(playing("what came", truth));
      output.append(element("div", { className: "films" }, playing("given", given), ...films));
    } else {
      output.append(playing("given", given));
      output.append(element("b", {}, answer.label[0]), bars(answer.probabilities[0], classes));
    }
  }) });
  return [element("label", {}, "A video, MP4 or WebM ", file), output];
}

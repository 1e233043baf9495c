"use strict";
// A table as people paste it, and the fan chart of what comes after it.

// Without a zone, times are those of the data, which the model counts as UTC.
function secondsOf(text) {
  if (/^\d{9,11}$/.test(text)) return Number(text);
  // A browser would read 01.02.2024 as the second of January: the year comes first here, so that nothing is guessed.
  const [, year, month = "1", day = "1", hour = "0", rest = ":00", zone = "Z"] =
    text.match(/^(\d{4})(?:[-/](\d\d?))?(?:[-/](\d\d?))?(?:[T ]+(\d\d?)(:\d\d(?::\d\d(?:\.\d+)?)?))?(?: *(Z|[+-]\d\d:?\d\d))?$/i) || [];
  const [at, on, of] = [hour, day, month].map((part) => part.padStart(2, "0"));
  const seconds = Date.parse(`${year}-${of}-${on}T${at}${rest}${zone.toUpperCase()}`) / 1000;
  if (Number.isNaN(seconds)) throw new Error(`time: expected such as 2024-05-01 13:00. Received: ${text}`);
  return seconds;
}

function timeOf(seconds) { return new Date(1000 * seconds).toISOString().slice(0, 16).replace("T", " "); }

// Rows behind the last target hold what is known of the future. Of a table of several series, those of one are read:
// `named` holds the columns that name the series of a row.
function readTable(text, columns, known, horizon, named, series) {
  const lines = text.trim().split(/\r?\n/).filter((line) => line.trim());
  const separator = [";", "\t", ","].find((mark) => (lines[0] || "").includes(mark)) || ",";
  const [head, ...all] = lines.map((line) => line.split(separator).map((cell) => cell.trim().replace(/^"(.*)"$/, "$1")));
  const naming = named.map((name) => (head || []).indexOf(name));
  const isNamed = naming.length && naming.every((place) => place >= 0);
  const seriesOf = (row) => naming.map((place) => row[place]).join(" ");
  const rows = isNamed ? all.filter((row) => seriesOf(row) === series) : all;
  if (isNamed && all.length && !rows.length) {
    throw new Error(`Series: expected one of the table, ${[...new Set(all.map(seriesOf))].slice(0, 20).join(", ")}. Received: ${series}`);
  }
  const time = Math.max((head || []).findIndex((name, place) => !(isNamed && naming.includes(place)) && !columns.includes(name)), 0);
  const places = columns.map((name) => (head || []).indexOf(name));
  const missing = columns.filter((_, place) => places[place] < 0);
  if (!rows.length || missing.length) {
    throw new Error(`Expected a head, time and ${columns.join(", ")}, and rows below it. Received: ${(head || []).join(", ") || "nothing"}`);
  }
  const values = rows.map((row, number) => places.map((place) => {
    const value = ["", "NA", "NaN", "nan"].includes(row[place] ?? "") ? NaN : Number(row[place]);
    if (Number.isNaN(value) && !["", "NA", "NaN", "nan"].includes(row[place] ?? "")) {
      throw new Error(`Row ${number + 1}, ${head[place]}: expected a number. Received: ${row[place]}`);
    }
    return value;
  }));
  const times = rows.map((row) => secondsOf(row[time]));
  const count = columns.length - known;
  let end = rows.length;
  if (known) while (end && values[end - 1].slice(0, count).every(Number.isNaN)) end--;
  const future = values.slice(end, end + horizon).map((row) => row.slice(count));
  while (future.length < horizon) future.push(Array(known).fill(NaN));
  return { history: values.slice(0, end), times: times.slice(0, end), future, separator, time, last: rows.at(-1) };
}

// The fan opens at the last value, `width` pixels wide.
function chart(width, title, times, past, ahead, quantiles, mean) {
  const height = 240, edge = 44, levels = quantiles[0].length;
  const shown = past.slice(-Math.max(4 * mean.length, 24));
  const last = shown.length - 1, now = shown[last];
  const all = [...shown, ...quantiles.flat()].filter(Number.isFinite);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const x = (place) => edge + (width - edge - 8) * place / (shown.length + mean.length - 1);
  const y = (value) => 10 + (height - 34) * (1 - (value - low) / (high - low || 1));
  const path = (values, from) => values.map((value, place) => [x(from + place), y(value), value])
    .filter((point) => Number.isFinite(point[2])).map(([across, down]) => `${across.toFixed(1)},${down.toFixed(1)}`).join(" ");
  const fan = (level) => path([now, ...quantiles.map((row) => row[level])], last);
  const parts = [];
  for (let level = 0; level < levels / 2 - 0.5; level++) {
    const upper = fan(levels - 1 - level), lower = fan(level).split(" ").reverse().join(" ");
    parts.push(`<polygon points="${upper} ${lower}" fill="#3478c8" fill-opacity="${(0.6 / (levels / 2)).toFixed(3)}"/>`);
  }
  parts.push(`<polyline class="past" points="${path(shown, 0)}" fill="none" stroke="currentColor" stroke-width="1.5"/>`);
  parts.push(`<polyline class="mean" points="${path([now, ...mean], last)}" fill="none" stroke="#3478c8" stroke-width="2"/>`);
  for (const value of [low, high]) parts.push(`<text x="2" y="${y(value) + 4}" font-size="11" fill="currentColor">${value.toPrecision(4)}</text>`);
  const label = (at, anchor, seconds) => `<text x="${at}" y="${height - 6}" text-anchor="${anchor}" font-size="11" fill="currentColor">${timeOf(seconds)}</text>`;
  parts.push(label(edge, "start", times.at(-shown.length)), label(width - 8, "end", ahead.at(-1)));
  const figure = element("figure", {}, element("figcaption", {}, title));
  figure.insertAdjacentHTML("beforeend", `<svg viewBox="0 0 ${width} ${height}" role="img">${parts.join("")}</svg>`);
  figure.querySelector("svg").setAttribute("aria-label", `Forecast of ${title}: ${mean.map((value) => value.toPrecision(4)).join(", ")}`);
  return figure;
}

function forecastTable(model) {
  const table = element("textarea", { rows: 8, ariaLabel: "Table", spellcheck: false });
  const name = element("input", { ariaLabel: "Series" });
  const file = element("input", { type: "file", accept: ".csv,.tsv,.txt", ariaLabel: "Table as a file" });
  const output = element("output");
  let description = null;
  const ready = async () => {
    if (description) return description;
    description = await descriptionOf(model);
    const { targets, past = [], known = [] } = description.columns;
    description.names_of = [...targets, ...past, ...known];
    description.known = known.length;
    description.named = [description.configuration.data?.series ?? []].flat().filter(Boolean);
    return description;
  };
  const fill = () => ready().then(({ names, names_of: columns, step_seconds: step }) => {
    table.placeholder = [["time", ...columns].join(","), ...[0, 1, 2].map((row) =>
      [timeOf(1714521600 + row * step), ...columns.map((_, place) => 20 + place + row)].join(","))].join("\n");
    if (!name.value && names.length) name.value = names[0];
  }).catch(() => {});
  fill();
  const read = async () => {
    const { names_of: columns, known, named } = await ready();
    return readTable(table.value, columns, known, model.inputs.serving_default.future?.shape[1] ?? 0, named, name.value);
  };
  const forecast = () => shown(output, async () => {
    const given = await read(), { known, columns: kinds } = description;
    const inputs = { history: [given.history], times: [given.times], lengths: [given.history.length], series: [name.value] };
    if (known) inputs.future = [given.future];
    const answer = await predict(model, "serving_default", inputs);
    output.textContent = "";
    kinds.targets.forEach((title, place) => {
      const of = (row) => (kinds.targets.length === 1 ? row : row[place]);
      output.append(chart(Math.min(output.clientWidth, 700), title, given.times, given.history.map((row) => row[place]), answer.times[0],
        answer.quantiles[0].map(of), answer.mean[0].map(of)));
    });
  });
  // A copy of the last row of the series, a step later, to be changed; the chart moves as soon as it is.
  const add = async () => {
    const { separator, time, last } = await read();
    const next = last.with(time, timeOf(secondsOf(last[time]) + description.step_seconds));
    table.value = [table.value.trimEnd(), next.join(separator)].join("\n");
    table.scrollTop = table.scrollHeight;
    await forecast();
  };
  let waiting = null;
  table.oninput = () => { clearTimeout(waiting); if (output.querySelector("svg")) waiting = setTimeout(forecast, 400); };
  file.onchange = async () => { table.value = await file.files[0].text(); await forecast(); };
  return [element("label", {}, "Series ", name), table, element("label", {}, "… or a file of such a table ", file),
    element("button", { onclick: forecast }, "Forecast"), " ",
    element("button", { onclick: () => shown(output, add) }, "Add a row"), output];
}

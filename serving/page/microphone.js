"use strict";
// What a microphone hears, a tenth of a second at a time, gathered on the thread of the sound: the page may be busy
// with something else meanwhile, and no sample is lost.

registerProcessor("microphone", class extends AudioWorkletProcessor {
  constructor() {
    super();
    this.heard = new Float32Array(Math.ceil(sampleRate / 10));
    this.count = 0;
  }

  process([[samples]]) {
    for (const sample of samples ?? []) {
      this.heard[this.count++] = sample;
      if (this.count === this.heard.length) {
        this.port.postMessage(this.heard.slice().buffer);
        this.count = 0;
      }
    }
    return true;
  }
});

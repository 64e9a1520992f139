// Server-sent events by fetch: unlike EventSource it tells a refusal from a daemon that is away, and sends the page's mark.

import { ask, Refusal } from './access.js';

const waitMin = 1000;
const waitMax = 30000;
/// Heartbeats come more often; a connection that is silent for longer is dead.
const silenceMax = 90000;
const lineMax = 4 * 1024 * 1024;

/// Cuts text into events.
export class EventCutter {
  #rest = '';
  #event = {};

  /// The events that end in `text`, each `{type, data, id}`.
  cut(text) {
    const events = [];
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop();
    if (this.#rest.length > lineMax) throw new Error('a line of the stream is too long');
    for (const line of lines) {
      if (line === '') {
        if (this.#event.data !== undefined) events.push({ type: 'message', ...this.#event });
        this.#event = {};
        continue;
      }
      const colon = line.indexOf(':');
      if (colon < 1) continue;
      const value = line.slice(colon + 1).replace(/^ /, '');
      const name = line.slice(0, colon);
      if (name === 'event') this.#event.type = value;
      if (name === 'id') this.#event.id = value;
      if (name === 'data') this.#event.data = this.#event.data === undefined ? value : `${this.#event.data}\n${value}`;
    }
    return events;
  }
}

/// A stream that comes back by itself. `on` is told of what happens:
/// `open()`, `event(type, data, id)`, `lost(since, wait)` in milliseconds, `refused(refusal)` when trying again is no use.
export class Stream {
  #path;
  #on;
  #control;
  #last;
  #wake = () => {};

  constructor(on) {
    this.#on = on;
  }

  get isRunning() {
    return this.#control !== undefined;
  }

  /// Follows `path` instead of whatever was followed before.
  start(path) {
    this.stop();
    if (path !== this.#path) this.#last = undefined;
    this.#path = path;
    const control = new AbortController();
    this.#control = control;
    this.#run(control.signal);
  }

  stop() {
    this.#control?.abort();
    this.#control = undefined;
    this.#wake();
  }

  /// Tries at once, where it waits to try again.
  hurry() {
    this.#wake();
  }

  async #run(signal) {
    let [since, wait] = [undefined, waitMin];
    while (!signal.aborted) {
      try {
        await this.#follow(signal, () => {
          [since, wait] = [undefined, waitMin];
          this.#on.open?.();
        });
      } catch (problem) {
        if (signal.aborted) return;
        // A full or draining daemon says that it may be tried again; the rest is for good.
        if (problem instanceof Refusal && problem.status >= 400 && problem.status < 500 && problem.status !== 429) {
          this.#control = undefined;
          this.#on.refused?.(problem);
          return;
        }
      }
      if (signal.aborted) return;
      since ??= Date.now();
      this.#on.lost?.(since, wait);
      await this.#pause(wait);
      wait = Math.min(waitMax, wait * 2);
    }
  }

  async #follow(signal, opened) {
    const headers = this.#last === undefined ? {} : { 'Last-Event-ID': this.#last };
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), silenceMax);
    try {
      const response = await ask(this.#path, { headers, signal: AbortSignal.any([signal, silence.signal]) });
      opened();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const cutter = new EventCutter();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), silenceMax);
        for (const { type, data, id } of cutter.cut(value)) {
          if (id !== undefined) this.#last = id;
          this.#on.event(type, data, id);
        }
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

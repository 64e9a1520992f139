// The live tail: events as they are committed, the newest first. Bounded, however many come.

import { byId, make, say, table } from './elements.js';
import * as format from './format.js';
import { Stream } from './stream.js';

const rowsMax = 200;
const idsMax = 1000;
/// Characters of a payload that are kept and that are shown at once.
const keptMax = 4096;
const shownMax = 160;
const drawEvery = 250;

/// The payload as it was sent: numbers keep their digits. Before it stand scalars only, behind it two times.
export function payloadText(data) {
  const start = data.indexOf(',"payload":');
  const end = data.lastIndexOf(',"created_at":');
  return start < 0 || end < start ? '' : data.slice(start + 11, end);
}

export class Tail {
  #rows = [];
  #ids = new Set();
  #isHeld = false;
  #dropped = 0;
  #isPaused = false;
  #timer;
  #stream;
  #isDead = false;
  #first;

  /// `first`: told of each event.
  constructor(first) {
    this.#first = first;
    this.#stream = new Stream({
      open: () => this.#tell('Following.'),
      event: (type, data) => this.#event(type, data),
      lost: (since) => this.#tell(`Not connected since ${format.time(since)}.`),
      refused: (refusal) => {
        this.#isDead = true;
        this.#tell(refusal.status === 401 ? '' : `Not followed: ${refusal.message}.`);
      },
    });
    byId('tail-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#isDead = false;
      this.#clear();
      this.#begin();
    });
    byId('tail-pause').addEventListener('click', () => this.#pause());
  }

  start() {
    if (!this.#stream.isRunning && !this.#isDead) this.#begin();
  }

  stop() {
    this.#stream.stop();
  }

  hurry() {
    this.#stream.hurry();
  }

  /// Who looks has changed: what was shown was another's.
  reset() {
    this.#isDead = false;
    this.#stream.stop();
    this.#clear();
  }

  #path() {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(byId('tail-form'))) if (value.trim()) query.set(name, value.trim());
    const text = query.toString();
    return `/v1/tail${text ? `?${text}` : ''}`;
  }

  #begin() {
    this.#tell('Connecting …');
    this.#stream.start(this.#path());
  }

  #clear() {
    [this.#rows, this.#dropped] = [[], 0];
    this.#ids.clear();
    this.#draw();
  }

  #tell(text) {
    const filter = this.#path() === '/v1/tail' ? '' : ' Only what the filters let through is shown.';
    say(byId('tail-say'), text && `${text}${filter}`);
  }

  #pause() {
    this.#isPaused = !this.#isPaused;
    const button = byId('tail-pause');
    button.setAttribute('aria-pressed', String(this.#isPaused));
    say(button, this.#isPaused ? 'Go on' : 'Pause');
    if (this.#isPaused) return this.#tell('Paused; what comes meanwhile is kept, up to 200 events.');
    this.#tell('Following.');
    return this.#draw();
  }

  #event(type, data) {
    if (type === 'dropped') {
      this.#dropped = JSON.parse(data).total ?? this.#dropped;
      this.#soon();
    } else if (type === 'message') {
      const event = JSON.parse(data);
      if (this.#ids.has(event.id)) return;
      this.#ids.add(event.id);
      if (this.#ids.size > idsMax) this.#ids.delete(this.#ids.values().next().value);
      const text = payloadText(data);
      this.#rows.unshift({
        id: event.id, type: event.event_type, user: event.user_id, at: event.created_at,
        payload: text.length > keptMax ? `${text.slice(0, keptMax)}…` : text,
      });
      this.#rows.length = Math.min(this.#rows.length, rowsMax);
      this.#soon();
      this.#first();
    }
  }

  /// Many events are drawn at once.
  #soon() {
    if (this.#timer !== undefined || this.#isPaused) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (!this.#isPaused) this.#draw();
    }, drawEvery);
  }

  #draw() {
    const place = byId('tail-table');
    // Who reads a payload, or has focus in the list, keeps it.
    if (place.contains(document.activeElement) && document.activeElement !== place) {
      this.#tell('Held while you read a payload.');
      this.#isHeld = true;
      return this.#soon();
    }
    if (this.#isHeld) this.#tell('Following.');
    this.#isHeld = false;
    if (this.#rows.length === 0) {
      return place.replaceChildren(make('p', { class: 'quiet' }, 'Nothing since this page was opened.'));
    }
    const dropped = this.#dropped > 0
      ? make('p', { class: 'bad' }, `${format.count(this.#dropped)} were not sent, since they came too fast for this page.`)
      : null;
    place.replaceChildren(...[dropped, table('', [
      { title: 'Time', kind: 'time', value: (row) => format.time(row.at) },
      { title: 'Type', value: (row) => row.type },
      { title: 'User', kind: 'code time', value: (row) => row.user ?? '' },
      { title: 'Payload', kind: 'payload', value: (row) => Tail.#payload(row) },
    ], this.#rows)].filter(Boolean));
    return undefined;
  }

  static #payload(row) {
    if (row.payload.length <= shownMax) return make('code', {}, row.payload);
    return make(
      'details', {}, make('summary', {}, make('code', {}, `${row.payload.slice(0, shownMax)}…`)),
      make('pre', {}, row.payload));
  }
}

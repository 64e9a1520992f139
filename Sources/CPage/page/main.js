// The page: who may look, what is followed, and what is asked again from time to time.

import { Access, read, Refusal } from './access.js';
import { Counts } from './counts.js';
import { announce, byId, make, say } from './elements.js';
import * as format from './format.js';
import { Latency } from './latency.js';
import { Letters } from './letters.js';
import { State } from './state.js';
import { Care, loadMonths } from './storage.js';
import { Stream } from './stream.js';
import { Tail } from './tail.js';

const followEvery = 15000;

class Page {
  #session;
  /// Those with charts, once they are shown.
  #state;
  #counts;
  #latency;
  #letters = new Letters();
  #care = new Care();
  #tail = new Tail(() => this.#arrived());
  #access = new Access((session) => this.#allow(session));
  #live = new Stream({
    open: () => this.#connected(),
    event: (type, data) => this.#event(type, data),
    lost: (since, wait) => this.#lost(since, wait),
    refused: (refusal) => this.#refused(refusal),
  });
  #isEmpty = false;
  #isLoading = false;
  #timer;

  constructor() {
    byId('retry-link').addEventListener('click', () => {
      this.#live.hurry();
      this.#tail.hurry();
    });
    byId('first-copy').addEventListener('click', () => this.#copy());
    // A tab that nobody sees holds no connection.
    document.addEventListener('visibilitychange', () => this.#follow());
    this.#begin();
  }

  /// Until the daemon has said who looks.
  async #begin() {
    for (let wait = 1000; ; wait = Math.min(30000, 2 * wait)) {
      try {
        await this.#access.look();
        return;
      } catch (problem) {
        this.#lost(Date.now(), wait, problem);
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
  }

  #allow(session) {
    const isOther = session.key !== this.#session?.key || session.can_read !== this.#session?.can_read;
    this.#session = session;
    byId('figures').hidden = !session.can_read;
    this.#letters.allow(session.can_administer);
    this.#care.allow(session.can_administer);
    if (session.can_read) {
      this.#state ??= new State();
      this.#counts ??= new Counts();
      this.#latency ??= new Latency();
    }
    if (isOther) this.#tail.reset();
    if (!session.can_read) {
      byId('first').hidden = true;
      this.#link('off', session.wants_key ? 'Not logged in' : 'Nothing to show');
      if (session.wants_key) byId('login-key').focus();
    }
    this.#follow();
  }

  #follow() {
    clearInterval(this.#timer);
    if (document.hidden || !this.#session?.can_read) {
      this.#live.stop();
      this.#tail.stop();
      return;
    }
    if (!this.#live.isRunning) this.#live.start('/v1/live');
    this.#tail.start();
    this.#timer = setInterval(() => this.#load(), followEvery);
    this.#load();
  }

  /// What is asked by requests, a part at a time; a part that fails keeps what it shows.
  async #load() {
    if (this.#isLoading) return;
    this.#isLoading = true;
    for (const part of [
      () => this.#look(), () => this.#counts.load(), () => this.#latency.load(), () => this.#letters.load(), loadMonths,
      () => this.#care.load(),
    ]) {
      if (!this.#session.can_read) break;
      try {
        await part();
      } catch (problem) {
        // Refused, or the daemon is away, which the stream tells; the rest is a fault of this page.
        if (!(problem instanceof Refusal)) console.error(problem);
        if (problem.status === 0) break;
      }
    }
    this.#isLoading = false;
  }

  // The first event

  async #look() {
    if (this.#session.hasEvents) return;
    const { items } = await read('/v1/events?limit=1');
    this.#isEmpty = items.length === 0;
    this.#session.hasEvents = !this.#isEmpty;
    byId('first').hidden = !this.#isEmpty;
    if (!this.#isEmpty) return;
    const key = this.#session.wants_key ? " -H 'Authorization: Bearer mr_w_…'" : '';
    byId('first-key').hidden = !this.#session.wants_key;
    say(byId('first-command'), `curl -i ${location.origin}/v1/events -H 'Content-Type: application/json'${key} \\\n`
      + `  -d '{"event_type":"page.viewed","payload":{"path":"/"}}'`);
  }

  #arrived() {
    if (!this.#isEmpty) return;
    this.#isEmpty = false;
    this.#session.hasEvents = true;
    byId('first').hidden = true;
    announce('The first event has arrived.');
    this.#load();
  }

  async #copy() {
    const command = byId('first-command');
    let isCopied = false;
    try {
      await navigator.clipboard.writeText(command.textContent);
      isCopied = true;
    } catch {
      // Over plain HTTP, and where it is not allowed: what is selected is copied as by hand.
      getSelection().selectAllChildren(command);
      isCopied = document.execCommand('copy');
    }
    say(byId('first-copied'), isCopied ? 'Copied.' : 'Selected; copy it by Ctrl-C.');
  }

  // The connection

  #link(state, text) {
    const link = byId('link');
    if (link.dataset.state !== state) announce(text);
    link.dataset.state = state;
    say(link, text);
    byId('retry-link').hidden = true;
    byId('figures').classList.toggle('stale', state === 'off');
  }

  #connected() {
    this.#link('on', 'Live');
  }

  #lost(since, wait) {
    this.#link('off', `Not connected since ${format.time(since)}; next try in ${format.duration(wait / 1000)}`);
    byId('retry-link').hidden = false;
  }

  async #refused(refusal) {
    this.#link('off', 'Not connected');
    if (refusal.status === 401) return;
    byId('readiness').replaceChildren(make('li', { class: 'bad' }, `${refusal.code}: ${refusal.message}`));
  }

  #event(type, data) {
    if (type === 'tick') {
      this.#state.tick(JSON.parse(data));
    } else if (type === 'end') {
      // The connection ends now; a key that is no longer in force wants another login.
      if (JSON.parse(data).reason === 'unauthenticated') this.#access.look().catch(() => {});
    }
  }
}

new Page();

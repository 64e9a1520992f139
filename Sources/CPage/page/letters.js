// Dead letters: what is not in the tables and why, and for who administers, writing them again.

import { post, read } from './access.js';
import { byId, make, say, show } from './elements.js';
import * as format from './format.js';

export class Letters {
  #mayRetry = false;
  #isBusy = false;
  #letters = [];

  allow(mayRetry) {
    this.#mayRetry = mayRetry;
  }

  async load() {
    const { reasons, items } = await read('/v1/dead-letters?limit=50');
    this.#letters = items;
    const all = reasons.reduce((sum, reason) => sum + reason.letters, 0);
    show(byId('letters-reasons'), '', [
      { title: 'Reason', value: (reason) => reason.code }, { title: 'SQLSTATE', value: (reason) => reason.sqlstate ?? '' },
      { title: 'Letters', kind: 'number', value: (reason) => format.count(reason.letters) },
    ], reasons, 'None: every line that was taken is in its table.');
    this.#list(all);
  }

  #list(all) {
    const place = byId('letters-list');
    const columns = [
      { title: 'Since', kind: 'time', value: (letter) => format.moment(letter.dead_at) },
      { title: 'Kind', value: (letter) => (letter.quarantined ? 'quarantined' : letter.kind) },
      { title: 'Reason', value: (letter) => make('span', {}, make('strong', {}, letter.code), `: ${letter.message}`) },
    ];
    if (this.#mayRetry) {
      columns.push(
        { title: 'Line', kind: 'line', value: (letter) => Letters.#line(letter) },
        { title: '', value: (letter) => this.#button(letter) });
    }
    this.#actions(all);
    if (this.#letters.length > 0) return show(place, '', columns, this.#letters);
    place.shownKey = undefined;
    return place.replaceChildren();
  }

  /// A button that has focus stays where it is.
  #actions(all) {
    const place = byId('letters-actions');
    const key = `${this.#mayRetry} ${this.#letters.length} ${all}`;
    if (place.dataset.key === key) return;
    place.dataset.key = key;
    place.replaceChildren();
    if (this.#mayRetry && this.#letters.length > 0) place.append(this.#allButton());
    if (all > this.#letters.length) {
      place.append(` The newest ${format.count(this.#letters.length)} of ${format.count(all)} are listed; `
        + 'millrace dead-letters retry --all takes all.');
    }
  }

  static #line(letter) {
    if (letter.line === null) return make('span', { class: 'quiet' }, 'not kept');
    const start = letter.line.length > 80 ? `${letter.line.slice(0, 80)}…` : letter.line;
    if (start === letter.line) return make('code', {}, start);
    return make('details', {}, make('summary', {}, make('code', {}, start)), make('pre', {}, letter.line));
  }

  #button(letter) {
    return make('button', {
      type: 'button', 'aria-label': `Retry the letter of ${format.moment(letter.dead_at)}: ${letter.code}`,
      on: { click: () => this.#retry([letter.id]) },
    }, 'Retry');
  }

  #allButton() {
    const label = this.#letters.length === 1 ? 'Retry it' : `Retry these ${format.count(this.#letters.length)}`;
    return make('button', {
      type: 'button', on: { click: () => this.#retry(this.#letters.map((letter) => letter.id)) },
    }, label);
  }

  async #retry(ids) {
    if (this.#isBusy) return;
    this.#isBusy = true;
    say(byId('letters-say'), 'Writing them again …');
    try {
      const report = await post('/v1/dead-letters/retry', { ids });
      const refusals = report.refusals.map((refusal) => `${refusal.code}: ${refusal.message}`);
      say(byId('letters-say'), `${format.plural(report.retried, 'letter')}: ${format.count(report.committed)} written, `
        + `${format.count(report.duplicates)} were there already, ${format.count(report.refused)} refused again, `
        + `${format.count(report.skipped)} without a whole line. ${[...new Set(refusals)].slice(0, 3).join(' ')}`);
      byId('letters-list').shownKey = undefined;
      await this.load();
      byId('letters-title').focus();
    } catch (problem) {
      say(byId('letters-say'), `Not retried: ${problem.message}.`);
    } finally {
      this.#isBusy = false;
    }
  }
}

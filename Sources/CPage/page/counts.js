// What the loaded packs count: events by hour and type, unique users, rankings, and entities by their status.

import { read } from './access.js';
import { Chart } from './charts.js';
import { byId, make, places, share, show } from './elements.js';
import * as format from './format.js';

const dayMs = 86400000;
const typesMax = 25;
const statusRowsMax = 50;

/// RFC 3339 of so many days ago.
const ago = (days) => new Date(Date.now() - days * dayMs).toISOString();

/// Beyond what is counted: `by` of the fold.
const dimension = (name) => ({ title: name.replaceAll('_', ' '), value: (item) => written(item[name]) });

const number = (title, name = title) => ({
  title: title.replaceAll('_', ' '), kind: 'number', value: (item) => written(item[name]),
});

function written(value) {
  if (value === null || value === undefined) return format.none;
  return typeof value === 'number' ? format.count(value) : String(value);
}

const day = (bucket) => String(bucket).slice(0, 10);

export class Counts {
  #hours = new Chart(byId('hours-chart'), 'Events by hour of the last two days.', ['events'], {
    x: (value) => format.moment(value), xTitle: 'Hour', y: (value) => format.measure(value), options: { fill: true },
  });
  #folds = [];

  constructor() {
    byId('types-range').addEventListener('change', () => this.#types().catch((problem) => this.#failed('types', problem)));
  }

  /// All of it, a part at a time; what fails says so in its place.
  async load() {
    const { items } = await read('/v1/packs');
    this.#folds = items.filter((pack) => pack.live_version !== null)
      .flatMap((pack) => pack.folds.map((fold) => ({ ...fold, pack: pack.pack, packTitle: pack.title })));
    for (const [name, part] of [
      ['hours', () => this.#byHour()], ['types', () => this.#types()], ['uniques', () => this.#uniques()],
      ['tops', () => this.#tops()], ['statuses', () => this.#statuses()],
    ]) {
      try {
        await part();
      } catch (problem) {
        this.#failed(name, problem);
      }
    }
  }

  #failed(name, problem) {
    if (problem.status === 401) return;
    const place = byId(`${name}-table`) ?? byId(`${name}-tables`);
    if (!place) return;
    place.shownKey = undefined;
    place.replaceChildren(make('p', { class: 'error' }, `Not read: ${problem.message}.`));
  }

  #of(kind) {
    return this.#folds.filter((fold) => fold.kind === kind);
  }

  /// The counter of events by type, which the pack analytics brings.
  get #events() {
    return this.#of('counter').find((fold) => fold.by.includes('event_type') && fold.bucket === 'hour');
  }

  async #byHour() {
    if (!this.#events) return this.#hours.set([]);
    const { items } = await read(`${this.#events.path}?bucket=hour&from=${ago(2)}`);
    const counted = new Map(items.map((item) => [Date.parse(item.bucket), item.n]));
    const hour = 3600000;
    const end = Math.floor(Date.now() / hour) * hour;
    const rows = [];
    for (let at = end - 47 * hour; at <= end; at += hour) rows.push([new Date(at), counted.get(at) ?? 0]);
    // The hour that has begun has its width, too.
    rows.push([new Date(end + hour), rows.at(-1)[1]]);
    this.#hours.set(rows);
  }

  async #types() {
    const place = byId('types-table');
    if (!this.#events) return show(place, '', [], [], 'The pack analytics, which counts them, is not loaded.');
    const days = Number(byId('types-range').value);
    const { items } = await read(`${this.#events.path}?by=event_type&bucket=none&limit=1000&from=${ago(days)}`);
    const sorted = items.sort((a, b) => b.n - a.n);
    const most = sorted[0]?.n ?? 0;
    const rows = sorted.slice(0, typesMax).map((item) => ({ ...item, most }));
    const rest = sorted.slice(typesMax);
    if (rest.length > 0) {
      rows.push({ event_type: `${rest.length} further types`, n: rest.reduce((sum, item) => sum + item.n, 0), most });
    }
    return show(place, '', [
      { title: 'Type', value: (item) => item.event_type }, number('Events', 'n'),
      { title: '', kind: 'share', value: (item) => share(Math.min(item.n, item.most), item.most) },
    ], rows, 'No events in this time.');
  }

  async #uniques() {
    const folds = this.#of('unique');
    const tables = places(byId('uniques-tables'), folds.map((fold) => fold.path));
    for (const [at, fold] of folds.entries()) {
      const days = fold.bucket === 'month' ? 366 : fold.bucket === 'hour' ? 1 : 14;
      const { items } = await read(`${fold.path}?from=${ago(days)}&limit=1000`);
      const rows = items.slice(-60).reverse();
      const most = Math.max(0, ...rows.map((item) => item.n));
      const isHour = fold.bucket === 'hour';
      show(tables[at], `${fold.pack}: ${fold.name.replaceAll('_', ' ')}`, [
        { title: fold.bucket ?? 'ever', value: (item) => (isHour ? format.moment(item.bucket) : day(item.bucket)) },
        ...fold.by.filter((name) => items.some((item) => name in item)).map(dimension), number('users', 'n'),
        { title: '', kind: 'share', value: (item) => share(item.n, most) },
      ], rows, 'None in this time.');
    }
    if (folds.length === 0) byId('uniques-tables').replaceChildren(make('p', { class: 'quiet' }, 'No pack counts any.'));
  }

  async #tops() {
    // Who comes before what.
    const folds = this.#of('top').sort((a, b) => b.by.includes('user_id') - a.by.includes('user_id'));
    const tables = places(byId('tops-tables'), folds.map((fold) => fold.path));
    for (const [at, fold] of folds.entries()) {
      const { items } = await read(`${fold.path}?limit=10`);
      const most = items[0]?.n ?? 0;
      const period = fold.bucket ? ` of this ${fold.bucket}` : '';
      show(tables[at], `${fold.pack}: ${fold.name.replaceAll('_', ' ')}${period}`, [
        ...fold.by.map(dimension), number('count', 'n'), ...fold.sums.map((name) => number(name)),
        { title: '', kind: 'share', value: (item) => share(item.n, most) },
      ], items, 'None yet.');
    }
    if (folds.length === 0) byId('tops-tables').replaceChildren(make('p', { class: 'quiet' }, 'No pack ranks any.'));
  }

  async #statuses() {
    const folds = this.#of('status_counts');
    const tables = places(byId('statuses-tables'), folds.map((fold) => fold.path));
    for (const [at, fold] of folds.entries()) {
      const { items } = await read(`${fold.path}?limit=${statusRowsMax}`);
      const hasBucket = items.some((item) => 'bucket' in item);
      show(tables[at], `${fold.pack}: ${fold.name.replaceAll('_', ' ')}`, [
        ...(hasBucket ? [{ title: fold.bucket ?? 'time', value: (item) => day(item.bucket) }] : []),
        ...fold.by.map(dimension), number('count', 'n'), ...fold.sums.map((name) => number(name)),
      ], items, 'None yet.');
    }
    if (folds.length === 0) {
      byId('statuses-tables').replaceChildren(
        make('p', { class: 'quiet' }, 'No loaded pack counts entities by their status (projections.packs).'));
    }
  }
}

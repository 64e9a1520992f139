// What each tick of /v1/live tells: the law, the tiles, spool, writers and senders, and the charts of the last minutes.

import { Chart, History } from './charts.js';
import { announce, byId, make, places, say, show } from './elements.js';
import * as format from './format.js';

const rateNames = { received: 'received', committed: 'committed', refused: 'refused' };
const whole = 'received_to_committed';

/// The sentence of the conservation law, and whether it holds.
export function law(conservation) {
  const { in_and_recovered: all, committed, duplicates, dead, refused, in_spool: spool, difference, holds } = conservation;
  const isTold = all !== null && all !== undefined;
  const right = isTold
    ? `${format.count(committed)} committed + ${format.plural(duplicates, 'duplicate')} + ${format.count(dead)} dead`
      + ` + ${format.count(refused)} refused and kept + ${format.count(spool)} in the spool`
    : '';
  if (!holds) {
    const what = difference > 0
      ? `${format.plural(difference, 'line is', 'lines are')} missing`
      : `${format.plural(-difference, 'line is', 'lines are')} there twice`;
    return {
      state: 'bad',
      text: `${what}. ${isTold ? `${format.count(all)} received ≠ ${right}. ` : ''}Run millrace verify, which says where.`,
    };
  }
  if (!isTold) return { state: 'good', text: 'Every line is accounted for.' };
  const under = difference === 0 ? '' : ` (${format.count(Math.abs(difference))} just on the way)`;
  return { state: 'good', text: `Every line is accounted for: ${format.count(all)} received = ${right}${under}.` };
}

/// Tiles: a title, a value, a note, and whether it is bad.
function tiles(tick) {
  const { rates, spool, database } = tick;
  const latency = tick.latency?.find((stage) => stage.stage === whole);
  const recent = latency?.interval ?? undefined;
  return [
    ['In', `${format.measure(rates.received ?? rates.accepted)} /s`, `${format.count(tick.lines.accepted)} accepted`],
    ['Out', `${format.measure(rates.committed)} /s`, `${format.count(tick.lines.committed)} committed`],
    ['Refused', `${format.measure(rates.refused)} /s`, `${format.count(tick.lines.refused)} so far`],
    ['Bytes in', `${format.bytes(rates.bytes_received)} /s`, `${format.bytes(tick.bytes_received)} so far`],
    ['Latency, median', format.latency(recent?.p50_us), 'receipt to commit'],
    ['Latency, 99 %', format.latency(recent?.p99_us), `${format.latency(latency?.total?.p99_us)} since the start`],
    ['Not yet written', format.count(spool.uncommitted_lines),
      `oldest ${format.duration(spool.oldest_uncommitted_seconds)}`, spool.oldest_uncommitted_seconds > 60],
    ['PostgreSQL', database.up ? 'up' : 'away', database.up ? `${format.measure(rates.batches)} batches /s`
      : 'the intake goes on', !database.up],
    ['Months ahead', format.count(tick.months?.ahead), 'partitions that are there', tick.months?.ahead < 1],
    ['Running for', format.duration(tick.uptime_seconds), `since ${format.moment(tick.started_at)}`],
  ];
}

export class State {
  #rates;
  #latency;
  #lawState;

  constructor() {
    const time = { x: format.time, xTitle: 'Time' };
    this.#rates = new History(
      new Chart(byId('rates-chart'), 'Lines a second of the last 15 minutes.', Object.values(rateNames), {
        ...time, y: (value) => format.measure(value),
      }), 3);
    this.#latency = new History(
      new Chart(byId('latency-chart'), 'Latency of the last 15 minutes, on a logarithmic scale.', ['50 %', '99 %', '99.9 %'], {
        ...time, y: (value) => format.latency(value), options: { logscale: true },
      }), 3);
  }

  tick(tick) {
    const rates = tick.rates ?? {};
    this.#law(tick);
    this.#tiles(tiles({ ...tick, rates }));
    this.#machine(tick);
    this.#senders(tick);
    const at = new Date(tick.time);
    if (tick.rates) {
      this.#rates.push(at, Object.keys(rateNames).map((name) => rates[name] ?? null));
      const recent = tick.latency?.find((stage) => stage.stage === whole)?.interval;
      // A logarithm wants more than nothing.
      const line = (value) => (value === null || value === undefined ? null : Math.max(1, value));
      this.#latency.push(at, [line(recent?.p50_us), line(recent?.p99_us), line(recent?.['p99.9_us'])]);
    }
    say(byId('version'), `${tick.version}${tick.commit ? `, ${tick.commit}` : ''}`);
  }

  #law(tick) {
    const { state, text } = law(tick.conservation);
    byId('law').dataset.state = state;
    say(byId('law-sentence'), text);
    if (this.#lawState !== undefined && this.#lawState !== state) {
      announce(state === 'good' ? 'Every line is accounted for again.' : text);
    }
    this.#lawState = state;
    const { reasons, notes } = tick.readiness;
    const items = [...reasons.map((item) => ['bad', item]), ...notes.map((item) => ['', item])];
    const key = JSON.stringify(items);
    const list = byId('readiness');
    if (list.dataset.key === key) return;
    list.dataset.key = key;
    list.replaceChildren(...items.map(([kind, item]) => make('li', { class: kind }, `${item.code}: ${item.message}`)));
    if (items.length > 0) announce(items.map(([, item]) => item.message).join(' '));
  }

  #tiles(wanted) {
    const list = byId('tiles');
    if (list.children.length !== wanted.length) {
      list.replaceChildren(...wanted.map(([title]) => make(
        'div', {}, make('dt', {}, title), make('dd'), make('dd', { class: 'note' }))));
    }
    wanted.forEach(([, value, note, isBad], at) => {
      const tile = list.children[at];
      tile.className = isBad ? 'bad' : '';
      say(tile.children[1], value);
      say(tile.children[2], note);
    });
  }

  #machine(tick) {
    const { spool } = tick;
    const [room, facts] = places(byId('spool'), ['room', 'facts']);
    if (room.children.length === 0) {
      room.append(make('label', { for: 'spool-meter' }, 'The spool'), make('meter', { id: 'spool-meter', min: 0 }));
    }
    const meter = byId('spool-meter');
    meter.max = Math.max(1, spool.capacity_bytes ?? 1);
    [meter.high, meter.low, meter.optimum] = [0.9 * meter.max, 0.7 * meter.max, 0];
    meter.value = spool.bytes;
    const text = `${format.bytes(spool.bytes)} of ${format.bytes(spool.capacity_bytes)}`;
    meter.setAttribute('aria-valuetext', text);
    say(room.children[0], `The spool holds ${text}`);
    show(facts, '', [
      { title: 'Spool', value: ([name]) => name }, { title: '', kind: 'number', value: ([, value]) => value },
    ], [
      ['Lines not yet in the database', format.count(spool.uncommitted_lines)],
      ['Segments', format.count(spool.segments)], ['Waiting for the disk', format.bytes(spool.queue_bytes)],
      ['Free on its disk', format.bytes(spool.free_bytes)], ['Takes lines', spool.refusing ? `no: ${spool.refusing}` : 'yes'],
      ['Batches set aside', format.count(tick.database.stuck_batches)],
      ...(tick.connections ?? []).map((one) => [
        `Connections by ${one.transport.toUpperCase()}`, `${format.count(one.open)} of ${format.count(one.max)}`]),
      ['Readers of this feed and of tails', `${format.count(tick.live?.watchers)} and ${format.count(tick.live?.tails)}`],
      ['Not sent to slow tails', format.count(tick.live?.dropped)],
    ]);
    show(byId('writers'), 'Writers', [
      { title: 'Writer', value: (writer) => String(writer.index) },
      { title: 'State', value: (writer) => (writer.state === 'waiting' ? 'waits for the database' : writer.state) },
      { title: 'Lines in hand', kind: 'number', value: (writer) => format.count(writer.lines) },
      { title: 'For', kind: 'number', value: (writer) => format.duration(writer.seconds) },
    ], tick.writers ?? [], 'No writers.');
  }

  #senders(tick) {
    const senders = tick.senders ?? { by: 'key', items: [] };
    const isByKey = senders.by === 'key';
    show(byId('senders-table'), isByKey ? 'Keys' : 'Tenants', [
      {
        title: isByKey ? 'Key' : 'Tenant',
        value: (item) => (isByKey ? `${item.name || item.key}` : item.tenant === null ? 'the others' : String(item.tenant)),
      },
      { title: 'Lines a second', kind: 'number', value: (item) => format.measure(item.rate) },
      { title: 'Lines', kind: 'number', value: (item) => format.count(item.lines) },
    ], senders.items.slice(0, 12), 'Nobody has sent anything since the start.');
    show(byId('refusals-table'), 'Refused', [
      { title: 'Reason', value: (item) => item.code },
      { title: 'A second', kind: 'number', value: (item) => format.measure(item.rate) },
      { title: 'Lines', kind: 'number', value: (item) => format.count(item.total) },
    ], tick.refusals ?? [], tick.refusals === null ? 'Told only to who administers.' : 'Nothing was refused since the start.');
  }
}

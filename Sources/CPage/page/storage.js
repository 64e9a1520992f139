// The months with their sizes, and how the database fares.

import { read } from './access.js';
import { byId, make, places, share, show } from './elements.js';
import * as format from './format.js';

export async function loadMonths() {
  const { items } = await read('/v1/months');
  const rows = items.sort((a, b) => (b.month ?? '').localeCompare(a.month ?? '') || a.table.localeCompare(b.table));
  const most = Math.max(0, ...rows.map((month) => month.bytes ?? 0));
  const total = rows.reduce((sum, month) => sum + (month.bytes ?? 0), 0);
  show(byId('months-table'), `${format.bytes(total)} in all, with indexes`, [
    { title: 'Month', kind: 'time', value: (month) => month.month ?? month.name },
    { title: 'Table', value: (month) => month.table.replace('analytics_', '') },
    { title: 'Rows', kind: 'number', value: (month) => format.count(month.rows) },
    { title: 'Size', kind: 'number', value: (month) => format.bytes(month.bytes) },
    {
      title: 'State',
      value: (month) => [month.state === 'attached' ? 'live' : month.state, month.retirement]
        .filter((part, at) => part && (at === 0 || part !== 'live')).join(', ').replaceAll('_', ' '),
    },
    { title: '', kind: 'share', value: (month) => share(month.bytes ?? 0, most) },
  ], rows, 'There are no months.');
  byId('months-fixes').replaceChildren(...rows.filter((month) => month.fix).map((month) => make(
    'li', { class: 'bad' }, `${month.name} is ${month.state.replaceAll('_', ' ')}: `, make('code', {}, month.fix))));
}

/// Asked only when it is looked at: it reads the whole of PostgreSQL's statistics.
export class Care {
  #details = byId('care-details');
  #isLoading = false;

  constructor() {
    this.#details.addEventListener('toggle', () => this.load());
  }

  /// `isAllowed`: it is told only to who administers.
  allow(isAllowed) {
    byId('care').hidden = !isAllowed;
  }

  async load() {
    if (!this.#details.open || byId('care').hidden || this.#isLoading) return;
    this.#isLoading = true;
    try {
      this.#show(await read('/v1/database'));
    } catch (problem) {
      byId('care-tables').replaceChildren(make('p', { class: 'error' }, `Not read: ${problem.message}.`));
    } finally {
      this.#isLoading = false;
    }
  }

  #show(report) {
    const sections = Object.entries(report).filter(([, value]) => value && Array.isArray(value.rows));
    const tables = places(byId('care-tables'), ['facts', ...sections.map(([name]) => name)]);
    tables[0].replaceChildren(
      make('p', {}, `PostgreSQL ${report.server}, database ${report.database}, as ${report.role}.`),
      ...report.notes.map((note) => make('p', { class: 'hint' }, note)));
    sections.forEach(([, section], at) => {
      const names = Object.keys(section.rows[0] ?? {});
      const columns = names.map((name) => ({
        title: name.replaceAll('_', ' '), value: (row) => Care.#written(name, row[name]),
      }));
      show(tables[at + 1], section.title, columns, section.rows.slice(0, 50), section.note ?? 'Nothing.');
    });
  }

  static #written(name, value) {
    if (value === null) return '';
    if (name === 'fix') return make('code', { class: 'bad' }, value);
    if (typeof value !== 'number') return String(value);
    return name.endsWith('bytes') ? format.bytes(value) : format.measure(value);
  }
}

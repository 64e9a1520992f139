// Latencies by percentile, as HdrHistogram's own plotter shows them, and percentiles of every stage.

import { ask, read } from './access.js';
import { Chart } from './charts.js';
import { byId, show } from './elements.js';
import * as format from './format.js';

const stages = ['received_to_durable', 'durable_to_committed', 'received_to_committed'];
const titles = ['receipt to disk', 'disk to commit', 'receipt to commit'];

/// Of 1 in so many.
function percentile(rarity) {
  const digits = Math.max(0, Math.ceil(Math.log10(rarity)) - 2);
  return `${(100 * (1 - 1 / rarity)).toFixed(digits)} %`;
}

function ticks(low, high) {
  const marks = [{ v: 2, label: '50 %' }];
  for (let rarity = 10; rarity <= high * 1.001; rarity *= 10) marks.push({ v: rarity, label: percentile(rarity) });
  return marks;
}

/// Of HdrHistogram's percentile text: pairs of 1/(1-percentile) and microseconds. The last line, 100 %, has no place on
/// a logarithmic scale.
export function distribution(text) {
  const points = [];
  for (const line of text.split('\n')) {
    const numbers = line.trim().split(/\s+/).map(Number);
    if (numbers.length === 4 && numbers.every(Number.isFinite)) points.push([numbers[3], Math.max(1, numbers[0] * 1000)]);
  }
  return points;
}

/// Lines by x, each with a value a series, or null.
export function joined(all) {
  const rows = new Map();
  all.forEach((points, series) => {
    for (const [x, y] of points) {
      if (!rows.has(x)) rows.set(x, Array(all.length).fill(null));
      rows.get(x)[series] = y;
    }
  });
  return [...rows].sort(([a], [b]) => a - b).map(([x, values]) => [x, ...values]);
}

export class Latency {
  #chart = new Chart(byId('percentiles-chart'), 'Latency by percentile, both on logarithmic scales.', titles, {
    x: (rarity) => percentile(rarity), xTitle: 'Percentile', y: (value) => format.latency(value),
    options: { logscale: true, xAxis: { logscale: true, ticker: ticks } },
  });

  async load() {
    const texts = await Promise.all(
      stages.map(async (stage) => (await ask(`/debug/latency?format=hgrm&stage=${stage}`)).text()));
    this.#chart.set(joined(texts.map(distribution)));
    const report = await read('/debug/latency?format=json');
    const time = (title, name) => ({ title, kind: 'number', value: (stage) => format.latency(stage[name]) });
    show(byId('stages'), '', [
      { title: 'Stage', value: (stage) => stage.stage ?? stage.name },
      { title: 'Count', kind: 'number', value: (stage) => format.count(stage.count) },
      time('50 %', 'p50_us'), time('90 %', 'p90_us'), time('99 %', 'p99_us'), time('99.9 %', 'p99.9_us'),
      time('Most', 'max_us'),
    ], report.stages, 'Nothing was measured yet.');
  }
}

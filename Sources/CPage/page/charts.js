// Charts by dygraphs (a global of /page/dygraph.js): drawn for who sees them, and a table behind each for who does not.

import { make, say, show } from './elements.js';

const dashes = [null, [8, 4], [2, 3]];
/// Rows of the table: what is newest.
const rowsMax = 60;

// The legend is ours: theirs sets styles by attributes, which the page's policy forbids.
Dygraph.PLUGINS = [Dygraph.Plugins.Axes, Dygraph.Plugins.Grid];

const scheme = matchMedia('(prefers-color-scheme: dark)');
const slow = matchMedia('(prefers-reduced-motion: reduce)');

/// Of a style sheet's variable, as it is now.
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function colours(series) {
  return {
    colors: series.map((_, at) => colour(`series-${(at % 3) + 1}`)),
    axisLineColor: colour('line'),
    gridLineColor: colour('line'),
  };
}

/// One chart in a figure. `series`: names of the lines. `x`, `y`: how values are written.
export class Chart {
  #series;
  #x;
  #y;
  #graph;
  #table;
  #readout;
  #rows = [];
  #drawnAt = 0;
  #filledAt = 0;
  #xTitle;
  #isOfTime;
  #isLogarithmic;

  /// `figure`: shown, so that it has a size. `label`: what it shows, as a sentence. `options`: how it is drawn.
  constructor(figure, label, series, { x, y, xTitle, options = {} }) {
    [this.#series, this.#x, this.#y, this.#xTitle] = [series, x, y, xTitle];
    this.#isOfTime = options.xAxis === undefined;
    this.#isLogarithmic = options.logscale ?? false;
    const plot = make('div', { class: 'plot', role: 'img', 'aria-label': `${label} The table below has the figures.` });
    this.#readout = make('p', { class: 'readout', 'aria-hidden': 'true' });
    this.#table = make('div', { class: 'scroll' });
    const details = make(
      'details', { on: { toggle: () => this.#fill() } }, make('summary', {}, 'As a table'), this.#table);
    figure.append(plot, make('ul', { class: 'legend' }, ...series.map((name) => make('li', {}, name))),
      this.#readout, details);
    this.details = details;
    const em = parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.#graph = new Dygraph(plot, this.#empty(), {
      labels: ['x', ...series],
      resizable: 'passive',
      // Nothing is dragged: on a telephone a finger on a chart scrolls the page.
      interactionModel: {},
      strokeWidth: 2,
      includeZero: !this.#isLogarithmic,
      series: Object.fromEntries(series.map((name, at) => [name, { strokePattern: dashes[at % 3] }])),
      highlightCallback: (_, at, points) => this.#tell(at, points),
      unhighlightCallback: () => say(this.#readout, ''),
      axes: {
        x: { pixelsPerLabel: 5 * em, axisLabelWidth: 4.5 * em, ...options.xAxis },
        y: { axisLabelFormatter: (value) => y(value), axisLabelWidth: 4 * em, pixelsPerLabel: 2.4 * em },
      },
      ...(this.#isLogarithmic ? { logscale: true } : {}),
      ...this.#range([]),
      ...(options.fill ? { fillGraph: true, stepPlot: true } : {}),
      ...colours(series),
    });
    scheme.addEventListener('change', () => this.#graph.updateOptions(colours(series)));
  }

  /// What dygraphs can draw before there is anything.
  #empty() {
    return [[this.#isOfTime ? new Date() : 1, ...this.#series.map(() => null)]];
  }

  /// A logarithmic scale can't be of nothing.
  #range(rows) {
    if (!this.#isLogarithmic) return {};
    const isThere = rows.some((row) => row.slice(1).some((value) => value !== null));
    return { valueRange: isThere ? null : [1, 1000] };
  }

  /// Rows of an x and a value a series, in order of x. With `isPaced` no more often than who wants less motion likes.
  set(rows, isPaced = false) {
    this.#rows = rows;
    const now = Date.now();
    if (isPaced && slow.matches && now - this.#drawnAt < 5000) return;
    this.#drawnAt = now;
    this.#graph.updateOptions({ file: rows.length > 0 ? rows : this.#empty(), ...this.#range(rows) });
    // A table that is read is not replaced under the reader's eyes each second.
    if (!isPaced || now - this.#filledAt > 10000) this.#fill();
  }

  #tell(at, points) {
    const values = points.filter((point) => point.yval !== null && !Number.isNaN(point.yval))
      .map((point) => `${point.name} ${this.#y(point.yval)}`);
    say(this.#readout, `${this.#x(at)}: ${values.join(', ')}`);
  }

  #fill() {
    if (!this.details.open) return;
    this.#filledAt = Date.now();
    const columns = [
      { title: this.#xTitle, value: (row) => this.#x(row[0]) },
      ...this.#series.map((name, at) => ({
        title: name, kind: 'number', value: (row) => this.#y(row[at + 1]),
      })),
    ];
    show(this.#table, '', columns, this.#rows.slice(-rowsMax).reverse(), 'Nothing yet.');
  }
}

/// A chart of the last minutes, which forgets the rest: the page never grows.
export class History {
  static #rowsMax = 900;
  #rows = [];
  #chart;
  #width;

  constructor(chart, width) {
    this.#chart = chart;
    this.#width = width;
  }

  push(at, values) {
    const previous = this.#rows.at(-1)?.[0];
    // After a gap the line begins anew.
    if (previous && at - previous > 10000) this.#rows.push([new Date(+previous + 1), ...Array(this.#width).fill(null)]);
    this.#rows.push([at, ...values]);
    this.#rows.splice(0, this.#rows.length - History.#rowsMax);
    this.#chart.set(this.#rows, true);
  }
}

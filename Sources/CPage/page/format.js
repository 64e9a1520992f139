// Numbers, sizes and times as people read them. What is not there is a dash: a reader of one tenant is not told all.

const plain = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const dayClock = new Intl.DateTimeFormat('en-GB', {
  month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit',
});

export const none = '–';

const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);

export function count(value) {
  return isNumber(value) ? plain.format(value) : none;
}

/// A rate, or another measured number.
export function measure(value) {
  if (!isNumber(value)) return none;
  return Math.abs(value) >= 1000 ? plain.format(Math.round(value)) : short.format(value);
}

export function bytes(value) {
  if (!isNumber(value)) return none;
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let size = value;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${short.format(size)} ${units[unit]}`;
}

/// Of microseconds.
export function latency(value) {
  if (!isNumber(value)) return none;
  if (value < 1000) return `${short.format(value)} µs`;
  return value < 1e6 ? `${short.format(value / 1000)} ms` : `${short.format(value / 1e6)} s`;
}

/// Of seconds, in its two largest units.
export function duration(value) {
  if (!isNumber(value)) return none;
  const seconds = Math.floor(value);
  if (seconds < 1) return value > 0 ? `${short.format(value)} s` : '0 s';
  const parts = [
    [Math.floor(seconds / 86400), 'd'], [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'], [seconds % 60, 's'],
  ];
  const first = parts.findIndex(([number]) => number > 0);
  return parts.slice(first, first + 2).filter(([number]) => number > 0)
    .map(([number, unit]) => `${number} ${unit}`).join(' ');
}

/// Of a Date, or of text that is one.
export function time(value) {
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? none : clock.format(date);
}

/// The same with its day.
export function moment(value) {
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? none : dayClock.format(date);
}

export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

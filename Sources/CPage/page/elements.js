// Elements are made and filled here, and by text alone: whatever a sender wrote stays text.

export const byId = (id) => document.getElementById(id);

/// `options`: attributes, a `class`, and listeners under `on`. `children`: elements and texts.
export function make(name, options = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === 'on') {
      for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    } else {
      element.setAttribute(key, value === true ? '' : value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/// Changes only what differs, so that nothing is read out twice.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/// A short sentence for who can't see the page; each is said once.
export function announce(text) {
  say(byId('announcer'), text);
}

/// A column: its title, what it shows of a row (a text or an element), and whether that is a number.
function cell(column, row, isFirst) {
  const value = column.value(row);
  const kind = column.kind ?? '';
  return isFirst ? make('th', { scope: 'row', class: kind }, value) : make('td', { class: kind }, value);
}

export function table(caption, columns, rows) {
  const head = columns.map((column) => make('th', { scope: 'col', class: column.kind }, column.title));
  return make(
    'table', {}, caption ? make('caption', {}, caption) : null, make('thead', {}, make('tr', {}, ...head)),
    make('tbody', {}, ...rows.map((row) => make('tr', {}, ...columns.map((column, at) => cell(column, row, at === 0))))),
  );
}

/// Puts a table into `place` unless it shows the same already: focus and selection stay where they are.
export function show(place, caption, columns, rows, empty) {
  const key = JSON.stringify([caption, columns.map((column) => column.title), rows]);
  if (place.shownKey === key) return undefined;
  place.shownKey = key;
  if (rows.length > 0) return place.replaceChildren(table(caption, columns, rows));
  const title = caption ? make('strong', {}, `${caption}: `) : null;
  return place.replaceChildren(make('p', { class: 'quiet' }, title, empty ?? 'Nothing yet.'));
}

/// A part of the whole as a bar beside its number.
export function share(value, whole) {
  const bar = make('span');
  bar.style.width = `${whole > 0 ? Math.max(1, (100 * value) / whole) : 0}%`;
  return bar;
}

/// The places of `parent` by key: those that are no longer wanted go, the others stay as they are.
export function places(parent, keys) {
  const found = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const wanted = keys.map((key) => found.get(key) ?? make('div', { 'data-key': key, class: 'scroll' }));
  for (const [key, child] of found) if (!keys.includes(key)) child.remove();
  wanted.forEach((child, at) => {
    if (parent.children[at] !== child) parent.insertBefore(child, parent.children[at] ?? null);
  });
  return wanted;
}

// What is asked of the daemon, and who asks: a login by a key gives a cookie that scripts can't see.

import { byId, say } from './elements.js';

/// A browser lets no page of another site send this without being asked first.
const mark = { 'Millrace-Page': '1' };

/// The daemon's answer when it is not what was asked for; status 0: there is none.
export class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function refusal(response) {
  let error = {};
  try {
    error = (await response.json()).error ?? {};
  } catch {
    // Not the daemon's own answer: of a proxy, or cut off.
  }
  return new Refusal(
    response.status, error.code ?? 'unknown', error.message ?? `the daemon answered ${response.status}`);
}

/// Told of each answer that wants a login.
let onLogin = () => {};

export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, {
      cache: 'no-store', credentials: 'same-origin', ...options, headers: { ...mark, ...options.headers },
    });
  } catch (problem) {
    throw new Refusal(0, 'away', `the daemon does not answer (${problem.message})`);
  }
  if (response.ok) return response;
  const problem = await refusal(response);
  if (problem.status === 401 && path !== '/login') onLogin();
  throw problem;
}

export async function read(path) {
  return (await ask(path)).json();
}

export async function post(path, body) {
  const isForm = body instanceof URLSearchParams;
  const response = await ask(path, {
    method: 'POST', body: isForm ? body : JSON.stringify(body),
    headers: { 'Content-Type': isForm ? 'application/x-www-form-urlencoded' : 'application/json' },
  });
  return response.json();
}

/// `changed`: told what may be shown, at the start and whenever that changes.
export class Access {
  #changed;
  #looking;

  constructor(changed) {
    this.#changed = changed;
    onLogin = () => this.look();
    byId('login-form').addEventListener('submit', (event) => this.#login(event));
    byId('logout').addEventListener('submit', (event) => this.#logout(event));
  }

  /// Asks who is logged in; again only once that is answered. Throws what `fetch` does while the daemon is away.
  async look() {
    this.#looking ??= read('/session').then((session) => this.#show(session)).finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  #show(session) {
    byId('login').hidden = session.can_read;
    byId('login-form').hidden = !session.wants_key;
    say(byId('login-why'), session.wants_key
      ? 'This daemon wants a key of everyone who reads.' : session.message ?? '');
    byId('logout').hidden = !session.logged_in;
    say(byId('who'), session.logged_in ? `Key ${session.key}` : '');
    this.#changed(session);
  }

  async #login(event) {
    event.preventDefault();
    const [field, error] = [byId('login-key'), byId('login-error')];
    const button = event.target.querySelector('button');
    button.disabled = true;
    say(error, '');
    try {
      const session = await post('/login', new URLSearchParams({ key: field.value.trim() }));
      field.value = '';
      this.#show(session);
      byId('main').focus();
    } catch (problem) {
      say(error, problem.code === 'unauthenticated' ? 'This is no key in force.' : `Not logged in: ${problem.message}.`);
      field.focus();
    } finally {
      button.disabled = false;
    }
  }

  async #logout(event) {
    event.preventDefault();
    try {
      this.#show(await post('/logout', new URLSearchParams()));
      byId('login-key').focus();
    } catch {
      await this.look();
    }
  }
}

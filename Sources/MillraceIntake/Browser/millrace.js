/* Millrace for pages: guide "From a browser". Sets no cookie, stores nothing. */
(function (w, d, n) {
  'use strict';
  var early = w.millrace && w.millrace.q || [], none = function () {};
  if (n.doNotTrack == 1 || w.doNotTrack == 1 || n.globalPrivacyControl) return void (w.millrace = none);
  var tag = d.currentScript, data = tag.dataset, max = 1000;
  var url = new URL('v1/events', tag.src) + (data.key ? '?key=' + encodeURIComponent(data.key) : '');
  var queue = [], busy = false, tries = 0, timer = 0;

  // A UUIDv7: sent twice, it counts once.
  function id(now) {
    var b = crypto.getRandomValues(new Uint8Array(16));
    for (var i = 5; i >= 0; i--, now = Math.floor(now / 256)) b[i] = now % 256;
    b[6] = b[6] & 15 | 112;
    b[8] = b[8] & 63 | 128;
    return Array.from(b, function (x) { return (x + 256).toString(16).slice(1); }).join('')
      .replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  }

  function text(events) {
    return '[' + events.map(function (e) { return e.slice(0, -1) + ',"sent_at":' + Date.now() + '}'; }) + ']';
  }

  function drop(events) { queue = queue.filter(function (e) { return events.indexOf(e) < 0; }); }

  function later(ms) { timer = timer || setTimeout(send, ms); }

  function send() {
    timer = 0;
    if (busy || !queue.length) return;
    var events = queue.slice(0, 50), wait = 0;
    busy = true;
    fetch(url, { method: 'POST', body: text(events), credentials: 'omit' }).then(function (r) {
      if (r.status < 408 || r.status == 413 || r.status == 415 || r.status == 421) return drop(events), tries = 0;
      wait = +r.headers.get('Retry-After') || 0;
      throw r;
    }).catch(function () {
      wait = Math.max(wait, Math.min(60, Math.pow(2, tries++)) * (0.5 + Math.random() / 2));
    }).then(function () {
      busy = false;
      if (queue.length) later(wait * 1000);
    });
  }

  // The page goes, or may: what is left is handed to the browser, also what is on its way.
  function leave(why) {
    var part = [], size = 0;
    function hand() {
      if (part.length && n.sendBeacon(url, text(part)) && why.type == 'pagehide') drop(part);
      part = [];
      size = 0;
    }
    queue.slice().forEach(function (e) {
      if (size + e.length > 15000) hand();
      part.push(e);
      size += e.length + 50;
    });
    hand();
  }

  // millrace(type, payload, user): user is a UUID.
  w.millrace = function (type, payload, user) {
    var now = Date.now();
    queue.push(JSON.stringify({
      id: id(now), event_type: type, created_at: now, payload: payload || {}, user_id: user || data.user
    }));
    if (queue.length > max) queue.shift();
    later(queue.length < 50 ? 1000 : 0);
  };
  if (data.auto != 'off') w.millrace('page.viewed', {
    host: location.host, path: location.pathname, referrer: d.referrer.split('?')[0]
  });
  early.forEach(function (call) { w.millrace.apply(null, call); });
  w.addEventListener('pagehide', leave);
  d.addEventListener('visibilitychange', function (why) { if (d.hidden) leave(why); });
})(window, document, navigator);

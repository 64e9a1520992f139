"""Pages of other origins that send to a daemon from a real browser: sending.py URL DIRECTORY, usage in SnippetTests.swift.

Serves the pages itself: http://shop.localhost:PORT and http://evil.localhost:PORT. Writes PORT into DIRECTORY/port, and waits
for a key that the first one may use in DIRECTORY/key.
"""

import http.client
import http.server
import json
import os
import sys
import threading
from urllib.parse import urlsplit

from devtools import LIMIT, Browser, wait_for_file

url, directory = sys.argv[1].rstrip("/"), sys.argv[2]
daemon = urlsplit(url)
USER = "0192b1a4-7c3e-4a51-9f0e-000000000001"


class Pages(http.server.BaseHTTPRequestHandler):
    """Any path is a page with the snippet of the daemon, or, under /cut, of `Cutter`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.startswith("/favicon"):
            body = b""
        else:
            source = cutter_url if self.path.startswith("/cut") else url
            body = f"""<!doctype html><title>page</title><body>
<script>
window.millrace = window.millrace || function () {{ (millrace.q = millrace.q || []).push(arguments); }};
millrace('early.called', {{ n: 0 }});
</script>
<script async src="{source}/millrace.js" data-key="{key}" data-user="{USER}"></script>""".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Cutter(http.server.BaseHTTPRequestHandler):
    """Passes requests on to the daemon. The answer to the first request for events is a 503 of its own, to every third one
    nothing at all once the daemon has answered."""

    protocol_version = "HTTP/1.1"
    seen = 0
    lock = threading.Lock()

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.startswith("/v1/events") and self.command == "POST":
            with Cutter.lock:
                Cutter.seen += 1
                number = Cutter.seen
        else:
            number = 2
        if number == 1:
            self.send_response(503)
            self.send_header("Retry-After", "1")
            self.send_header("Content-Length", "0")
            self.send_header("Access-Control-Allow-Origin", self.headers["Origin"])
            self.send_header("Access-Control-Expose-Headers", "Retry-After")
            return self.end_headers()
        connection = http.client.HTTPConnection(daemon.hostname, daemon.port, timeout=LIMIT)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if number % 3 == 0:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "date", "server"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_OPTIONS = pass_on

    def log_message(self, *_):
        pass


def serve(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


port = serve(Pages)
cutter_url = f"http://127.0.0.1:{serve(Cutter)}"
with open(directory + "/port.new", "w") as file:
    file.write(str(port))
os.rename(directory + "/port.new", directory + "/port")
wait_for_file(directory + "/key", "there is no key")
with open(directory + "/key") as file:
    key = file.read()

# What every page does, under a name of its own. A browser holds 64 KiB of beacons at most, and drops some where too many are
# on their way; which have arrived it says as resources.
SENDING = """(async (name) => {
    const [url, key] = %s;
    const events = url + '/v1/events?key=' + key, said = [];
    performance.setResourceTimingBufferSize(10000);
    const arrived = () => performance.getEntriesByType('resource').filter((e) => e.initiatorType === 'beacon').length;
    let handed = 0;
    const hand = async (...beacon) => {
        for (let n = 0; n < 2000; n++) {
            if (handed - arrived() < 20 && navigator.sendBeacon(...beacon)) break;
            await new Promise((go) => setTimeout(go, 5));
        }
        handed += 1;
    };
    for (let n = 0; n < 120; n++) millrace(name + '.snippet', { n });
    for (let n = 0; n < 500; n++) await hand(events, JSON.stringify({ event_type: name + '.beacon', payload: { n } }));
    const typed = new Blob([JSON.stringify([{ event_type: name + '.typed' }])], { type: 'application/json' });
    await hand(events, typed);
    await hand(events, new Blob([JSON.stringify([{ event_type: name + '.untyped' }])]));
    const batch = { batch: [{ type: 'track', event: name + '.sdk', anonymousId: 'a' }] };
    await hand(url + '/beacon/v1/batch?writeKey=' + key, JSON.stringify(batch));
    for (const [path, body] of [
        ['/v1/events', { event_type: name + '.fetched' }], ['/v1/track', { event: name + '.tracked', anonymousId: 'a' }],
        ['/e/?api_key=' + key, { event: name + '.captured', distinct_id: 'a' }],
        ['/v1/logs', { resourceLogs: [{ scopeLogs: [{ logRecords: [{ eventName: name + '.logged' }] }] }] }],
    ]) {
        const options = {
            method: 'POST', body: JSON.stringify(body),
            headers: { 'Content-Type': 'application/json', 'Authorization': 'Bearer ' + key },
        };
        said.push(await fetch(url + path, options).then((answer) => answer.status, () => 'failed'));
    }
    said.push(await new Promise((go) => {
        const picture = new Image();
        picture.onload = () => go(picture.width + 'x' + picture.height);
        picture.onerror = () => go('failed');
        picture.src = url + '/p.gif?key=' + key + '&type=' + name + '.pixel&path=' + encodeURIComponent('/a b');
    }));
    return said;
})(%s)"""


def send(tab, name):
    tab.until("typeof millrace === 'function' && !millrace.q", "the snippet is there")
    return tab.run(SENDING % (json.dumps([url, key]), json.dumps(name)))


with Browser() as browser:
    shop = browser.tab()
    shop.open(f"http://shop.localhost:{port}/docs?secret=1")
    said = send(shop, "shop")
    assert said == [202, 200, 200, 200, "1x1"], said
    # What is left when the page goes.
    shop.run("for (let n = 0; n < 10; n++) millrace('shop.left', { n })")
    shop.open("about:blank")
    assert shop.problems == [], shop.problems
    asked = {urlsplit(address).netloc for _, address in shop.requests if address.startswith("http")}
    assert asked == {daemon.netloc, f"shop.localhost:{port}"}, asked
    cookies = shop.call("Network.getAllCookies")["cookies"]
    assert cookies == [], cookies

    cut = browser.tab()
    cut.open(f"http://shop.localhost:{port}/cut")
    cut.until("typeof millrace === 'function' && !millrace.q", "the snippet is there")
    cut.run("for (let n = 0; n < 200; n++) millrace('shop.cut', { n })")
    with open(directory + "/cut", "w"):
        pass

    quiet = browser.tab()
    quiet.call(
        "Page.addScriptToEvaluateOnNewDocument",
        source="Object.defineProperty(navigator, 'doNotTrack', { get: () => '1' })")
    quiet.open(f"http://shop.localhost:{port}/quiet")
    quiet.until("typeof millrace === 'function' && !millrace.q", "the snippet is there")
    quiet.run("millrace('quiet.called')")
    quiet.open("about:blank")
    sent = [address for method, address in quiet.requests if method == "POST"]
    assert sent == [], sent

    evil = browser.tab()
    evil.open(f"http://evil.localhost:{port}/")
    said = send(evil, "evil")
    assert said == ["failed"] * 5, said
    evil.open("about:blank")

    wait_for_file(directory + "/done", "the rows did not come")
print("as wanted")

"""Drives headless Chromium by its DevTools protocol over a pipe: no port, no package of Python."""

import base64
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time

LIMIT = 30.0
# From one look to the next, at what is waited for.
PAUSE = 0.05


def wait_for_file(path, what):
    """Until another process has made it."""
    end = time.monotonic() + 2 * LIMIT
    while not os.path.exists(path):
        assert time.monotonic() < end, what
        time.sleep(PAUSE)


class Browser:
    """A Chromium with a profile of its own, which resolves no name but this machine's."""

    def __init__(self):
        path = shutil.which("chromium")
        if path is None:
            raise SystemExit("chromium is missing: `make test-packages` installs it")
        self.profile = tempfile.mkdtemp(prefix="millrace-chromium-")
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        arguments = [
            path, "--headless=new", "--remote-debugging-pipe", "--user-data-dir=" + self.profile, "--no-first-run",
            "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-extensions",
            "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--force-color-profile=srgb",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE *.localhost",
        ]
        # As root there is no other way; everything it opens is this machine's.
        if os.getuid() == 0:
            arguments.append("--no-sandbox")

        self._log = open(os.path.join(self.profile, "stderr"), "wb")
        # Chromium reads commands from 3 and writes answers to 4: by way of numbers that neither pipe has.
        script = 'exec 3<&"$1" 4>&"$2" && shift 2 && exec "$@"'
        high = [os.dup(to_browser), os.dup(from_browser)]
        self.process = subprocess.Popen(
            ["bash", "-c", script, "bash", str(high[0]), str(high[1]), *arguments], pass_fds=high,
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        for descriptor in (to_browser, from_browser, *high):
            os.close(descriptor)
        self._number = 0
        self._lock = threading.Lock()
        self._answers = {}
        self._tabs = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()
        shutil.rmtree(self.profile, ignore_errors=True)

    def _read(self):
        rest = b""
        while True:
            piece = os.read(self._in, 1 << 16)
            if not piece:
                return
            *messages, rest = (rest + piece).split(b"\0")
            for message in messages:
                message = json.loads(message)
                if "id" in message:
                    self._answers[message["id"]].put(message)
                else:
                    tab = self._tabs.get(message.get("sessionId"))
                    if tab is not None:
                        tab.happened(message["method"], message["params"])

    def call(self, method, session=None, **parameters):
        answer = queue.Queue()
        with self._lock:
            self._number += 1
            number = self._number
            self._answers[number] = answer
            message = {"id": number, "method": method, "params": parameters}
            if session is not None:
                message["sessionId"] = session
            os.write(self._out, json.dumps(message).encode() + b"\0")
        try:
            result = answer.get(timeout=LIMIT * 2)
        except queue.Empty:
            raise AssertionError(method + " got no answer:\n" + self.log()) from None
        del self._answers[number]
        if "error" in result:
            raise AssertionError(f"{method}: {result['error']}")
        return result["result"]

    def log(self):
        with open(os.path.join(self.profile, "stderr"), "rb") as file:
            return file.read()[-3000:].decode(errors="replace")

    def tab(self, width=1280, height=900):
        return Tab(self, width, height)


class Tab:
    """A page, and what it asked for and complained of."""

    def __init__(self, browser, width, height):
        self.browser = browser
        self.problems = []
        self.requests = []
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        browser._tabs[self.session] = self
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(domain + ".enable")
        self.resize(width, height)

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def happened(self, method, event):
        if method == "Network.requestWillBeSent":
            self.requests.append((event["request"]["method"], event["request"]["url"]))
        elif method == "Runtime.exceptionThrown":
            details = event["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and event["type"] in ("error", "warning", "assert"):
            self.problems.append(str([argument.get("value") for argument in event["args"]]))
        elif method == "Log.entryAdded" and event["entry"]["level"] in ("error", "warning"):
            self.problems.append(f"{event['entry']['text']} {event['entry'].get('url', '')}")

    def resize(self, width, height, scale=1, mobile=False):
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile)

    def prefer(self, **features):
        """`prefer(color_scheme="dark")`."""
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-" + name.replace("_", "-"), "value": value} for name, value in features.items()])

    def open(self, url):
        answer = self.call("Page.navigate", url=url)
        assert "errorText" not in answer, f"{url}: {answer}"
        self.until("document.readyState === 'complete'", url + " is loaded")

    def run(self, expression):
        """The value of an expression of JavaScript; a promise is waited for."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in answer, f"{expression}: {answer['exceptionDetails']}"
        return answer["result"].get("value")

    def until(self, expression, what, limit=LIMIT):
        """Waits until an expression is true."""
        end = time.monotonic() + limit
        while True:
            try:
                # An element has no value that could be sent.
                if self.run(f"Boolean({expression})"):
                    return
                trouble = ""
            except AssertionError as problem:
                trouble = problem
            if time.monotonic() > end:
                shown = self.run("document.body.innerText")[:3000]
                raise AssertionError(
                    f"not within {limit} s: {what} {trouble}\nproblems: {self.problems}\npage: {shown}")
            time.sleep(PAUSE)

    def press(self, key, code=None, text=None):
        codes = {"Tab": 9, "Enter": 13, " ": 32, "Escape": 27}
        text = text if text is not None else {"Enter": "\r", " ": " "}.get(key)
        event = {"key": key, "code": code or key, "windowsVirtualKeyCode": codes.get(key, 0)}
        self.call("Input.dispatchKeyEvent", type="keyDown", **event, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def click(self, selector):
        place = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'center', behavior: 'instant'}});"
            " const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()")
        for kind in ("mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def text(self, selector):
        return self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def picture(self, path, whole=True):
        more = {}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            more = {"captureBeyondViewport": True, "clip": {
                "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}
        shot = self.call("Page.captureScreenshot", format="png", **more)
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    def tree(self):
        """What a screen reader is told: role, name and level of each node that is not ignored."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]

        def value(node, name):
            return node.get(name, {}).get("value", "")

        return [(value(node, "role"), value(node, "name")) for node in nodes if not node.get("ignored")]

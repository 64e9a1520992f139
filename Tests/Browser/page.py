"""The page at / in a real browser: page.py SCENE URL DIRECTORY [ARGUMENT...], usage in PageBrowserTests.swift.

Pictures go to DIRECTORY. What another process is to do meanwhile is asked for by a file there, and answered by another:
`ask(name)` makes NAME and waits for NAME.done.
"""

import os
import re
import subprocess
import sys
from urllib.parse import urlsplit

from devtools import Browser, wait_for_file

scene, url, directory, *arguments = sys.argv[1:]
origin = url.rstrip("/")


def picture(tab, name, whole=True):
    tab.picture(os.path.join(directory, name + ".png"), whole)


def ask(name):
    open(os.path.join(directory, name), "w").close()
    wait_for_file(os.path.join(directory, name + ".done"), name + " was not done")


def curl(*arguments):
    run = subprocess.run(["curl", "-sS", "--fail-with-body", *arguments], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def send(event_type, payload="{}", *headers):
    curl(origin + "/v1/events", "-H", "Content-Type: application/json", *headers,
         "-d", '{"event_type":"%s","payload":%s}' % (event_type, payload))


def check_foreign(tab):
    """Nothing was asked of anyone else, and nothing went wrong."""
    foreign = [request for request in tab.requests if urlsplit(request[1]).netloc != urlsplit(url).netloc]
    assert not foreign, foreign
    assert tab.requests, "nothing was asked"


def check_quiet(tab, *expected):
    problems = [problem for problem in tab.problems if not any(re.search(one, problem) for one in expected)]
    assert not problems, problems


def check_width(tab, what):
    """Nothing is cut off, and nobody scrolls sideways."""
    wide = tab.run("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{what}: the page is {wide} pixels too wide: " + str(tab.run(
        "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1"
        " && !e.closest('.scroll')).slice(0, 5).map(e => e.tagName + '#' + e.id + '.' + e.className)"))


def live(tab):
    tab.until("document.querySelector('#link').dataset.state === 'on'"
              " && /^Following/.test(document.querySelector('#tail-say').innerText)", "the page is live")


def seen(tab, word):
    tab.until(f"document.querySelector('#tail-table').innerText.includes('{word}')", f"{word} is in the tail")


def shown():
    """From an empty database on: the first event, every part, both schemes, all widths, the keyboard, a screen reader."""
    with Browser() as browser:
        tab = browser.tab()
        tab.prefer(color_scheme="light")
        tab.open(url)
        live(tab)
        tab.until("!document.querySelector('#first').hidden", "how to send the first event")
        picture(tab, "empty-light")
        command = tab.text("#first-command")
        assert command.startswith("curl -i " + origin), command
        tab.click("#first-copy")
        tab.until("document.querySelector('#first-copied').textContent", "whether it was copied")
        # The command as it stands on the page.
        run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
        assert '"accepted":1' in run.stdout, run.stdout + run.stderr
        seen(tab, "page.viewed")
        tab.until("document.querySelector('#first').hidden", "the first screen goes")

        for number in range(40):
            send(f"kind.{number % 5}", '{"n":%d}' % number)
        hostile = '{"html":"<img src=x onerror=alert(1)><script>document.title=1</script>","big":12345678901234567890.50}'
        send("<b>bold</b>", hostile)
        seen(tab, "<b>bold</b>")
        seen(tab, "12345678901234567890.50")
        assert tab.run("document.querySelectorAll('#tail-table b, #tail-table img, #tail-table script').length") == 0
        assert tab.run("document.title") == "Millrace"
        tab.until("document.querySelector('#law').dataset.state === 'good'", "the law holds")
        tab.until("/= 4[2-9] committed/.test(document.querySelector('#law-sentence').innerText)", "all are counted")
        # What is asked again by and by.
        for place in ("#types-table", "#months-table", "#stages", "#tops-tables", "#hours-chart"):
            tab.until(f"document.querySelector('{place} tbody tr, {place} canvas')", place + " is filled")
        tab.until("document.querySelector('#types-table').innerText.includes('kind.4')", "the types are counted")

        filtered(tab)
        keyboard(tab)
        screen_reader(tab)
        pictures(tab)
        check_quiet(tab)
        check_foreign(tab)
        assert all(method == "GET" for method, _ in tab.requests), tab.requests


def filtered(tab):
    """The tail shows what its filters let through."""
    tab.click("#tail-form [name=type]")
    tab.type("kind.wanted")
    tab.press("Enter")
    tab.until("document.querySelector('#tail-table').innerText.includes('Nothing')", "the tail begins anew")
    live(tab)
    send("kind.other")
    send("kind.wanted")
    seen(tab, "kind.wanted")
    assert "kind.other" not in tab.text("#tail-table")


def keyboard(tab):
    """Everything is reached by Tab, in the order of the page, and seen to be."""
    # Tab begins at the top of the page.
    tab.run("document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')")
    tab.press("Tab")
    assert tab.run("document.activeElement.className") == "skip", tab.run("document.activeElement.outerHTML")
    tab.press("Enter")
    tab.until("document.activeElement.id === 'main'", "the link leads to the figures")
    reached = []
    for _ in range(60):
        tab.press("Tab")
        reached.append(tab.run(
            "(() => { const e = document.activeElement; const style = getComputedStyle(e);"
            " return [e.id || e.name || e.textContent.slice(0, 20), e.tagName, style.outlineStyle]; })()"))
        if reached[-1][1] == "BODY":
            break
    names = [name for name, _, _ in reached]
    for name in ("types-range", "type", "user_id", "payload", "tail-pause", "tail-table"):
        assert name in names, (name, names)
    assert names.count("As a table") >= 4, names
    unseen = [one for one in reached if one[1] not in ("BODY", "HTML") and one[2] == "none"]
    assert not unseen, unseen
    # A chart's table is opened without a mouse.
    tab.run("document.querySelector('#rates-chart summary').focus()")
    tab.press("Enter", text="\r")
    tab.until("document.querySelector('#rates-chart details').open && document.querySelector('#rates-chart tbody tr')",
              "the table behind the chart")


def screen_reader(tab):
    tree = tab.tree()
    roles = [role for role, _ in tree]
    headings = [name for role, name in tree if role == "heading"]
    for heading in ("Millrace", "Nothing lost, nothing twice", "Lines a second", "Months", "Live tail", "Dead letters"):
        assert any(heading in name for name in headings), (heading, headings)
    for role in ("banner", "main", "region", "status", "table", "rowheader", "columnheader", "textbox", "combobox"):
        assert role in roles, (role, sorted(set(roles)))
    nameless = [(role, name) for role, name in tree if role in (
        "button", "textbox", "combobox", "image", "link", "meter", "region") and not name.strip()]
    assert not nameless, nameless
    # Each chart says what it shows, and has a table behind it.
    charts = tab.run("[...document.querySelectorAll('figure')].map(f => [f.querySelector('[role=img]')?.ariaLabel,"
                     " f.querySelector('details summary')?.innerText])")
    assert len(charts) == 4 and all(label and "table" in label and below for label, below in charts), charts


def pictures(tab):
    tab.run("document.activeElement.blur(); scrollTo(0, 0)")
    for colours in ("light", "dark"):
        tab.prefer(color_scheme=colours)
        for name, width, height, mobile in (
                ("desk", 1280, 900, False), ("phone", 360, 740, True), ("4k", 3840, 2160, False)):
            tab.resize(width, height, mobile=mobile)
            # The charts are drawn anew for their width.
            tab.until("document.querySelector('.plot canvas').clientWidth <= document.querySelector('.plot').clientWidth"
                      " && document.querySelector('.plot canvas').clientWidth > 0.9 * document.querySelector('.plot').clientWidth",
                      "the charts fit")
            check_width(tab, f"{name} {colours}")
            picture(tab, f"{name}-{colours}")
    contrast(tab)


def contrast(tab):
    """Text against its ground, by WCAG 2.2: 4.5 at least, in both schemes."""
    for colours in ("light", "dark"):
        tab.prefer(color_scheme=colours)
        pairs = tab.run("""(() => {
          const style = getComputedStyle(document.documentElement);
          const light = (name) => {
            const hex = style.getPropertyValue('--' + name).trim().slice(1);
            const [r, g, b] = [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
              .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
          return [['text', 'ground'], ['text', 'card'], ['muted', 'ground'], ['muted', 'card'], ['accent', 'card'],
            ['on-accent', 'accent'], ['good', 'good-ground'], ['bad', 'bad-ground'], ['bad', 'card'],
            ['warn', 'warn-ground']].map(([a, b]) => [a, b, ratio(a, b)]);
        })()""")
        low = [pair for pair in pairs if pair[2] < 4.5]
        assert not low, (colours, low)


def login(tab, key):
    tab.until("!document.querySelector('#login').hidden", "the login")
    tab.run("document.querySelector('#login-key').focus(); document.querySelector('#login-key').value = ''")
    tab.type(key)
    tab.press("Enter")


def keyed():
    """With keys: READER, ADMIN and WRITER are keys; the reader's is revoked meanwhile."""
    reader, admin, writer = arguments
    bearer = ("-H", "Authorization: Bearer " + writer)
    with Browser() as browser:
        tab = browser.tab()
        tab.open(url)
        tab.until("!document.querySelector('#login').hidden", "the login")
        assert tab.run("document.querySelector('#figures').hidden"), "nothing is shown before"
        assert tab.run("document.activeElement.id") == "login-key", "the key's field has focus"
        picture(tab, "login")
        login(tab, reader[:-1] + ("a" if reader[-1] != "a" else "b"))
        tab.until("document.querySelector('#login-error').innerText.includes('no key in force')", "a wrong key")
        login(tab, writer)
        tab.until("document.querySelector('#login-error').innerText.includes('has not the scope read')", "a writer's key")
        login(tab, reader)
        live(tab)
        assert tab.run("document.cookie") == "", "scripts don't see the cookie"
        send("page.seen", "{}", *bearer)
        seen(tab, "page.seen")
        tab.until("document.querySelector('#letters-list').innerText.includes('missing_field')", "the dead letter")
        assert tab.run("document.querySelectorAll('#letters button').length") == 0, "a reader retries nothing"
        assert tab.run("document.querySelector('#care').hidden"), "a reader is not told of the database"
        # The login outlives a reload.
        tab.open(url)
        live(tab)
        ask("revoke")
        tab.until("!document.querySelector('#login').hidden", "the revoked key wants another login")
        assert tab.run("document.querySelector('#figures').hidden"), "nothing more is shown"
        login(tab, admin)
        live(tab)
        tab.until("document.querySelector('#letters-list button')", "the letter can be retried")
        tab.click("#letters-list button")
        tab.until("/1 letter: 0 written.* 1 refused again/.test(document.querySelector('#letters-say').innerText)",
                  "what came of it")
        tab.until("!document.querySelector('#care').hidden", "the database is shown")
        tab.click("#care summary")
        tab.until("document.querySelectorAll('#care-tables table').length > 2", "how the database fares")
        tab.run("scrollTo(0, 0)")
        picture(tab, "admin")
        tab.click("#logout button")
        tab.until("!document.querySelector('#login').hidden", "logged out")
        assert tab.run("fetch('/v1/packs', {headers: {'Millrace-Page': '1'}}).then(r => r.status)") == 401
        # The browser itself reports a refused request.
        check_quiet(tab, r"status of 40[13]")
        check_foreign(tab)


def away():
    """The daemon goes and comes back, and the page does what it can; it does not grow."""
    with Browser() as browser:
        tab = browser.tab()
        tab.open(url)
        live(tab)
        ask("kill")
        tab.until("/Not connected since \\d\\d:\\d\\d:\\d\\d/.test(document.querySelector('#link').innerText)", "it says so")
        assert tab.run("document.querySelector('#figures').classList.contains('stale')")
        picture(tab, "away", whole=False)
        ask("start")
        tab.click("#retry-link")
        live(tab)
        send("after.all")
        seen(tab, "after.all")
        grown = tab.run("""(async () => {
          const { History } = await import('/page/charts.js');
          let most = 0;
          const history = new History({ set: (rows) => { most = Math.max(most, rows.length); } }, 1);
          for (let at = 0; at < 5000; at += 1) history.push(new Date(at * 1000), [at]);
          return most;
        })()""")
        assert grown == 900, grown
        for number in range(5):
            lines = "\n".join('{"event_type":"many","payload":{"n":%d}}' % (number * 100 + n) for n in range(100))
            curl(origin + "/v1/events", "-H", "Content-Type: application/x-ndjson", "--data-binary", lines)
        tab.until("document.querySelector('#tail-table').innerText.includes('\"n\":499') ||"
                  " document.querySelector('#tail-table').innerText.includes('\"n\": 499')", "the last of many")
        assert tab.run("document.querySelectorAll('#tail-table tbody tr').length") == 200
        check_quiet(tab, "net::ERR_", r"status of 50\d")
        check_foreign(tab)


def parts():
    """What scripts of the page compute by themselves."""
    with Browser() as browser:
        tab = browser.tab()
        tab.open(url)
        live(tab)
        found = tab.run("""(async () => {
          const { law } = await import('/page/state.js');
          const { distribution, joined } = await import('/page/latency.js');
          const { EventCutter } = await import('/page/stream.js');
          const { payloadText } = await import('/page/tail.js');
          const format = await import('/page/format.js');
          const all = { in_and_recovered: 10, committed: 7, duplicates: 1, dead: 1, refused: 0, in_spool: 1 };
          const cutter = new EventCutter();
          const text = 'retry: 2000\\n\\nevent: tick\\ndata: {"a":1}\\n\\n:\\n\\nid: 5\\ndata: x\\ndata: y\\n\\ndata: cut';
          const events = [...text].flatMap((letter) => cutter.cut(letter));
          return {
            good: law({ ...all, difference: 0, holds: true }),
            missing: law({ ...all, difference: 1, holds: false }),
            twice: law({ ...all, difference: -2, holds: false }),
            untold: law({ in_and_recovered: null, difference: 0, holds: true }),
            events,
            payload: payloadText('{"id":"1","event_type":"a,\\\\"payload\\\\":","user_id":null,"payload":{"n":1.10,"created_at":"x"},'
              + '"created_at":"t","received_at":"t"}'),
            points: distribution('  Value Percentile\\n\\n 1.500 0.5 10 2.00\\n 3.0 0.9 18 10.00\\n 9.0 1.0 20\\n#[Mean = 1, x = 2]'),
            rows: joined([[[1, 5], [2, 6]], [[2, 7]]]),
            texts: [format.bytes(0), format.bytes(1536), format.bytes(null), format.latency(12), format.latency(1234),
              format.latency(2500000), format.duration(0), format.duration(61), format.duration(90061), format.count(1234567),
              format.measure(0.1234), format.time('nonsense')],
          };
        })()""")
        assert found["good"]["state"] == "good" and "10 received = 7 committed + 1 duplicate + 1 dead" in found["good"]["text"]
        assert found["missing"]["state"] == "bad" and found["missing"]["text"].startswith("1 line is missing. 10 received ≠")
        assert found["twice"]["state"] == "bad" and found["twice"]["text"].startswith("2 lines are there twice.")
        assert found["untold"] == {"state": "good", "text": "Every line is accounted for."}, found["untold"]
        assert found["events"] == [
            {"type": "tick", "data": '{"a":1}'}, {"type": "message", "id": "5", "data": "x\ny"}], found["events"]
        assert found["payload"] == '{"n":1.10,"created_at":"x"}', found["payload"]
        assert found["points"] == [[2, 1500], [10, 3000]], found["points"]
        assert found["rows"] == [[1, 5, None], [2, 6, 7]], found["rows"]
        assert found["texts"] == [
            "0 bytes", "1.5 KiB", "–", "12 µs", "1.23 ms", "2.5 s", "0 s", "1 min 1 s", "1 d 1 h", "1,234,567", "0.123",
            "–"], found["texts"]
        check_quiet(tab)


{"shown": shown, "keyed": keyed, "away": away, "parts": parts}[scene]()
print("as wanted")

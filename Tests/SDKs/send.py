"""Sends events by a real SDK to a daemon, through a proxy that cuts answers: usage in SDKTests.swift.

send.py SDK PORT KEY GZIP COUNT DIRECTORY

The proxy reads the answer to every third request and cuts the client off instead of passing it on. At its fifth request it
writes DIRECTORY/kill once the daemon has the request, and waits for DIRECTORY/killed before it cuts.
"""

import datetime
import os
import socket
import sys
import threading
import time
import uuid

sdk, port, key, gzip, count, directory = sys.argv[1:]
gzip, count = gzip == "gzip", int(count)
requests_seen = 0
lock = threading.Lock()


def read_message(stream):
    """A whole HTTP message, or nothing where the stream has ended."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return b""
        head += line
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return head + stream.read(length)


def forward(client):
    global requests_seen
    upstream = None
    try:
        source = client.makefile("rb")
        while True:
            request = read_message(source)
            if not request:
                return
            with lock:
                requests_seen += 1
                number = requests_seen
            if upstream is None:
                upstream = socket.create_connection(("127.0.0.1", int(port)), timeout=30)
            upstream.sendall(request)
            if number == 5:
                open(directory + "/kill", "w").close()
                while not os.path.exists(directory + "/killed"):
                    time.sleep(0.01)
                return
            answer = read_message(upstream.makefile("rb"))
            if not answer or number % 3 == 0:
                return
            client.sendall(answer)
    except OSError:
        pass
    finally:
        for end in (client, upstream):
            if end is not None:
                end.close()


def proxy():
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            client, _ = listener.accept()
            threading.Thread(target=forward, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return "http://127.0.0.1:%d" % listener.getsockname()[1]


start = datetime.datetime(2026, 11, 20, 10, 0, 0, tzinfo=datetime.timezone.utc)
host = proxy()


def user(n):
    return "user-%d" % (n % 10) if n % 2 else "0192b1a4-7c3e-4a51-9f0e-%012d" % (n % 10)


def at(n):
    return start + datetime.timedelta(seconds=n)


def fail(*problem):
    print("lost", *problem, file=sys.stderr)
    os._exit(1)


if sdk in ("segment", "segment-1", "rudder"):
    if sdk != "rudder":
        if sdk == "segment-1":
            sys.path.insert(0, sys.prefix + "/segment-1")
        import segment.analytics as analytics
        from segment.analytics.version import VERSION

        assert VERSION.startswith("2.3." if sdk == "segment-1" else "2.4."), VERSION

        analytics.host = host
    else:
        import rudderstack.analytics as analytics

        analytics.dataPlaneUrl = host
    analytics.write_key = key
    analytics.gzip = gzip
    analytics.on_error = fail
    for n in range(count):
        analytics.track(user(n), "sdk.sent", {"n": n}, timestamp=at(n))
    analytics.identify("user-1", {"plan": "pro"}, anonymous_id="anonymous-1")
    analytics.alias("before-1", "user-1")
    analytics.shutdown()
elif sdk in ("posthog", "posthog-v1"):
    if sdk == "posthog-v1":
        os.environ["POSTHOG_CAPTURE_MODE"] = "v1"
    from posthog import Posthog

    client = Posthog(key, host=host, gzip=gzip, on_error=fail)
    for n in range(count):
        client.capture("sdk.sent", distinct_id=user(n), properties={"n": n}, timestamp=at(n))
    client.alias("before-1", "user-1")
    client.shutdown()
elif sdk == "opentelemetry":
    from opentelemetry._logs import LogRecord, SeverityNumber
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.resources import Resource

    provider = LoggerProvider(resource=Resource.create({"service.name": "shop"}))
    exporter = OTLPLogExporter(
        endpoint=host + "/v1/logs", headers={"Authorization": "Bearer " + key}, timeout=120,
        compression=Compression.Gzip if gzip else Compression.NoCompression)
    provider.add_log_record_processor(
        BatchLogRecordProcessor(exporter, max_export_batch_size=50, max_queue_size=count, schedule_delay_millis=100))
    logger = provider.get_logger("shop.cart")
    for n in range(count):
        logger.emit(
            LogRecord(
                timestamp=int(at(n).timestamp()) * 10**9, observed_timestamp=time.time_ns(), event_name="sdk.sent",
                severity_number=SeverityNumber.INFO, severity_text="INFO", body="sent",
                attributes={"n": n, "user.id": user(n)}))
    if not provider.force_flush(120_000):
        fail("not flushed")
    provider.shutdown()
elif sdk == "cloudevents":
    import requests
    from cloudevents.core.bindings.http import to_binary, to_structured
    from cloudevents.core.formats.json import JSONFormat
    from cloudevents.core.v1.event import CloudEvent

    session = requests.Session()
    for n in range(count):
        event = CloudEvent(
            {
                "type": "sdk.sent", "source": "/sdk", "id": str(n), "specversion": "1.0", "time": at(n),
                "datacontenttype": "application/json", "userid": user(n),
            },
            {"n": n},
        )
        message = (to_binary if n % 2 else to_structured)(event, JSONFormat())
        for attempt in range(100):
            try:
                answer = session.post(
                    host + "/v1/cloudevents", headers={**message.headers, "Authorization": "Bearer " + key},
                    data=message.body, timeout=30)
                if answer.status_code == 202:
                    break
                if answer.status_code < 500:
                    fail(answer.status_code, answer.text)
            except requests.ConnectionError:
                pass
            time.sleep(0.1)
        else:
            fail(n)
print("sent", requests_seen, "requests")

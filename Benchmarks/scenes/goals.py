"""What the scenes must reach."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Goal:
    """A figure, or its ratio to a reference of the same run, and its bound: at least, or at most."""

    id: str
    scene: str
    figure: str
    unit: str
    reference: str | None = None
    reference_name: str = ""
    least: float | None = None
    most: float | None = None
    # Which one of the runs' figures counts.
    pick: Callable[[Sequence[float]], float] = median

    @property
    def bound(self) -> str:
        if self.least is not None:
            return f"≥ {self.least:,.10g}"
        if self.most is not None:
            return f"≤ {self.most:,.10g}"
        return ""

    def is_met(self, value: float) -> bool | None:
        """Whether the bound is met; None where there is no bound, and the figure is for information."""
        if self.least is not None:
            return value >= self.least
        if self.most is not None:
            return value <= self.most
        return None


ONE_SESSION = ("psql one session", "psql, one session")
TWO_SESSIONS = ("psql two sessions", "psql, two sessions")
ASYNCIO = ("asyncio", "asyncio + asyncpg")


def _rate(id_: str, scene: str, figure: str, reference: tuple[str, str], least: float) -> Goal:
    return Goal(id_, scene, figure, "rows/s", reference[0], reference[1], least=least)


TWO_WRITERS = "TCP → committed, 2 writers"
CLOSED = "the same, payload_index = closed"

# The rates of L1, in events a second.
LIVE_RATES = [20, 200, 1000, 2000]

GOALS = [
    _rate("P1", "TCP → committed, 1 writer", "millrace one writer", ONE_SESSION, 1.4),
    _rate("P1b", TWO_WRITERS, "millrace two writers", ONE_SESSION, 1.7),
    _rate("P1b", TWO_WRITERS, "millrace two writers", TWO_SESSIONS, 0.95),
    _rate("P1b", TWO_WRITERS, "millrace two writers", ASYNCIO, 1.2),
    _rate("P1c", CLOSED, "millrace closed", ONE_SESSION, 3),
    _rate("P1c", CLOSED, "millrace closed", TWO_SESSIONS, 1.8),
    _rate("P1c", CLOSED, "millrace closed", ASYNCIO, 2.2),
    _rate(
        "P1d", "the same, primary key only", "millrace primary key",
        ("psql primary key", "psql, two sessions, primary key only"), 1.0),
    Goal("P2", "daemon's processor time for 1 million events, TCP → committed", "processor seconds", "s", most=0.8),
    Goal("P2", "the same with 40 rules, each a JSON Schema, ÷ without", "processor seconds, rules", "s",
         "processor seconds", "without rules", most=1.2),
    Goal("P2", "the same with two members of each payload encrypted, ÷ without", "processor seconds, fields", "s",
         "processor seconds", "without fields"),
    Goal(
        "P3", "TCP → durable, PostgreSQL stopped", "durable bytes", "MiB/s", "disk bytes",
        "1 MiB appends with fdatasync", least=0.6),
    Goal("P3", "TCP → durable, PostgreSQL stopped", "durable events", "events/s", least=1_000_000),
    Goal(
        "P3", "the same over TLS", "durable events, tls", "events/s", "durable events", "in plain text", least=0.75),
    Goal(
        "P4", "one event a request, 64 connections, durable before the answer, PostgreSQL stopped (aim 0.8)",
        "http requests", "requests/s", "bare requests", "bare NIO handler", least=0.6),
    Goal(
        "P4", "the same while PostgreSQL writes on the same cores", "http requests, writing", "requests/s",
        "bare requests", "bare NIO handler"),
    Goal(
        "P4", "the same over TLS, PostgreSQL stopped", "http requests, tls", "requests/s", "http requests",
        "in plain text", least=0.65),
    Goal(
        "P4", "batches of 100 of Segment's SDKs, durable before the answer, PostgreSQL stopped", "sdk events", "events/s",
        "batch events", "the same events as arrays of 100 on /v1/events"),
    Goal("P5", "highest rate, receive → committed", "highest rate", "events/s"),
    Goal("P5", "receive → committed at half of the highest rate, p50", "latency p50", "ms"),
    Goal("P5", "receive → committed at half of the highest rate, p99", "latency p99", "ms", most=50),
    Goal("P5", "receive → committed at half of the highest rate, p99.9", "latency p99.9", "ms"),
    Goal("F1", "p99 of a key's acks beside a key that floods ÷ alone", "neighbour beside p99", "ms",
         "neighbour alone p99", "alone", most=3),
    Goal("T1", "P3 with a tail that nobody reads", "durable, stuck tail", "events/s", "durable, no tail", "without",
         least=0.95),
    Goal("T1", "P1b with a tail that nobody reads", "committed, stuck tail", "rows/s", "committed, no tail", "without",
         least=0.95),
    Goal("P6", "memory under flood, highest", "flood resident", "MiB", most=64, pick=max),
    Goal("P6", "memory while a backlog drains, highest", "backlog resident", "MiB", most=64, pick=max),
    Goal("P6", "the same, highest − median (flat)", "backlog growth", "MiB", most=8),
    Goal("P7", "start → ready, migrated database", "start", "ms", most=150),
    Goal("P7", "start → ready with a backlog, after a clean stop", "start stopped", "ms", most=1000),
    Goal("P7", "start → ready with a backlog, after kill -9", "start killed", "ms", most=1000),
    Goal(
        "P8", "the month's last step ÷ its first", "last step", "rows/s", "first step", "the first step", least=0.8),
    _rate("R1", "TCP → committed, 2 writers, all packs but product", "all packs", ("without projections", "without packs"), 0.85),
    Goal("R1", "the same, the pack product alone", "product pack", "rows/s", "without projections", "without packs"),
    *(
        Goal("L1", f"live rates, {rate:,} events/s: WAL an event, default packs", f"live wal packs {rate}", "bytes",
             f"live wal plain {rate}", "without packs", most=1.5)
        for rate in LIVE_RATES
    ),
    *(
        Goal("L1", f"the same, batches a second at {rate:,} events/s", f"live batches packs {rate}", "batches/s",
             most=50 if rate == 200 else None)
        for rate in LIVE_RATES
    ),
    *(
        Goal("L1", f"the same, processor time with PostgreSQL's at {rate:,} events/s", f"live processor packs {rate}",
             "% of a core", f"live processor asyncio {rate}", "asyncio + asyncpg, a COMMIT each 10 ms, no packs")
        for rate in LIVE_RATES
    ),
    *(
        Goal("L2", f"projections {name}, events in batches of one or two", f"recount {figure}", "s", "recount sort",
             "count(*) of the same rows, sorted by (created_at, id)", most=3 if figure != "first rebuild" else None)
        for name, figure in (
            ("rebuild that joins the ledger first", "first rebuild"), ("rebuild", "rebuild"), ("verify", "verify"))
    ),
    Goal("R2", "read API, 20 readers while 10,000 events/s come in: slowest p99 of counts, tops, status counts, "
         "0.5 million events", "counting p99, small", "ms"),
    Goal("R2", "the same, 5 million events", "counting p99, large", "ms", most=10),
    Goal("R2", "the same, 5 million ÷ 0.5 million, the route that grew most", "counting growth", "times", most=1.5),
    *(
        Goal("R2", f"the same, p99 of {route}", f"{route}, large", "ms")
        for route in ("counts", "tops", "status counts", "uniques", "events of type", "events of user", "history",
                      "search", "orders", "dashboard")
    ),
    Goal("R3", "product reports, 20 readers of a dashboard, 5 million events: slowest p99 of funnels, retention, sessions, "
         "paths", "reports, readers", "ms", most=250),
    *(
        Goal("R3", f"the same, p99 of {route}", f"{route}, readers", "ms")
        for route in ("funnels", "retention", "sessions", "paths")
    ),
    *(
        Goal("R3", f"{route}, a question that is new: the slowest", f"{route}, first", "ms")
        for route in ("funnels", "retention", "sessions", "paths")
    ),
]

"""R3: the events of a product: people who come in sessions, some of them at first without a name."""

import heapq
import random
import uuid
from collections.abc import Iterator
from datetime import timedelta

from . import months

USERS = 100_000
DAYS = 30
# Of a session; their mean is 8.
EVENTS_MAX = 15
PLANS = ["free", "team", "business"]
TYPES = [
    "page.viewed", "button.clicked", "search.done", "video.started", "report.made", "page.shared", "file.added",
    "signup.started", "signup.done", "cart.filled", "order.placed", "mail.opened", "team.joined", "error.seen",
]
# Zipf's law, as in the other scenes.
WEIGHTS = [1 / (rank + 1) for rank in range(len(TYPES))]
# One session in this many begins without a name and is then somebody's.
ANONYMOUS_EVERY = 20


def lines(count: int, seed: int) -> Iterator[str]:
    """About as many, in the order of their times, over the last 30 days."""
    source = random.Random(f"product {seed}")
    people = [str(uuid.UUID(int=source.getrandbits(128), version=4)) for _ in range(USERS)]
    sessions = count // ((EVENTS_MAX + 1) // 2)
    end = months.now()
    start = end - timedelta(days=DAYS)
    step = (end - start) / sessions
    open_events: list[tuple[float, int, str]] = []
    number = 0
    for index in range(sessions):
        begun = (start + step * index).timestamp()
        while open_events and open_events[0][0] < begun:
            yield heapq.heappop(open_events)[2]
        # Some come often.
        user = people[int(source.random() ** 2 * USERS)]
        name = user
        plan = PLANS[hash_of(user) % len(PLANS)]
        if source.random() < 1 / ANONYMOUS_EVERY:
            name = str(uuid.UUID(int=source.getrandbits(128), version=4))
        at = begun
        length = 1 + int(source.random() * EVENTS_MAX)
        for place, event_type in enumerate(source.choices(TYPES, weights=WEIGHTS, k=length)):
            link = ""
            if name != user and place == length // 2 and place > 0:
                link = f',"_millrace":{{"source":"bench","anonymous_user_id":"{name}"}}'
                name = user
            stamp = months.stamp(at)
            line = (
                f'{{"event_type":"{event_type}","user_id":"{name}","created_at":"{stamp}","payload":{{"plan":"{plan}",'
                f'"path":"/{event_type}/{int(source.random() * 50)}","referrer":"https://example.org/{number % 97}"'
                f'{link}}}}}\n')
            number += 1
            heapq.heappush(open_events, (at, number, line))
            at += source.expovariate(1 / 60)
    while open_events:
        yield heapq.heappop(open_events)[2]


def hash_of(user: str) -> int:
    """The same in every process."""
    return int(user[:8], 16)

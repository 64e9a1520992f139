"""R2: the events and conversation saves that the read API is asked about."""

import random
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta

from . import event_text, months

USERS = 200_000
# One event of this many is the state of an order.
ORDER_EVERY = 50
STATUSES = ["pending", "paid", "shipped", "cancelled"]
SOURCES = ["llm_streaming_agent", "web", "mobile"]
TOPICS = [
    "livraison", "remboursement", "facture", "password", "shipping", "invoice", "weather", "recette", "voyage", "garden",
]


def users(seed: int) -> list[str]:
    source = random.Random(f"readers {seed}")
    return [str(uuid.UUID(int=source.getrandbits(128), version=4)) for _ in range(USERS)]


def events(first: int, count: int, seed: int) -> Iterator[str]:
    """Lines over the last 20 days, in order of time; every `ORDER_EVERY`th is an order's state."""
    source = random.Random(f"reading {seed} {first}")
    people = users(seed)
    types = source.choices(event_text.TYPES, weights=event_text.TYPE_WEIGHTS, k=count)
    for index, (stamp, event_type) in enumerate(zip(_stamps(count), types)):
        user = people[int(source.random() * USERS)]
        if (first + index) % ORDER_EVERY == 0:
            order = uuid.UUID(int=source.getrandbits(128), version=4)
            yield (
                f'{{"event_type":"commerce.order_saved","user_id":"{user}","created_at":"{stamp}","payload":{{'
                f'"id":"{order}","user_id":"{user}","status":"{STATUSES[int(source.random() * 4)]}",'
                f'"total_amount":{int(source.random() * 50_000) / 100!r},"created_at":"{stamp}"}}}}\n')
        else:
            payload = event_text.payload(source.getrandbits(256), is_short=False)
            yield f'{{"event_type":"{event_type}","user_id":"{user}","created_at":"{stamp}","payload":{payload}}}\n'


def conversations(first: int, count: int, seed: int) -> Iterator[str]:
    """Saves over the last 20 days, in order of time."""
    source = random.Random(f"conversations {seed} {first}")
    people = users(seed)
    for index, stamp in enumerate(_stamps(count)):
        user = people[int(source.random() ** 2 * USERS)]
        one, two = source.choices(TOPICS, k=2)
        number = first + index
        yield (
            f'{{"conversation_id":"c{number // 3}","user_id":"{user}","timestamp":"{stamp}",'
            f'"source":"{SOURCES[number % 3]}","question":"question {number} {one} ?",'
            f'"response":"answer {number} {one} {two} w{source.getrandbits(20)}"}}\n')


def _stamps(count: int) -> Iterator[str]:
    end = months.now()
    start = end - timedelta(days=months.DAYS)
    step = (end - start) / count
    for index in range(count):
        yield _text(start + step * index)


def _text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"

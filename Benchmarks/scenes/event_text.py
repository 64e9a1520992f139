"""What one event looks like: the same for every seed-run, so that figures compare over time."""

import random
import struct
import uuid

NOUNS = ["page", "click", "cart", "order", "search", "video", "session", "profile", "mail", "error"]
VERBS = ["viewed", "started", "done", "failed"]
TYPES = [f"{noun}.{verb}" for verb in VERBS for noun in NOUNS]
# Zipf's law: the k-th type is 1/k as frequent as the first.
TYPE_WEIGHTS = [1 / (rank + 1) for rank in range(len(TYPES))]
USERS = 50_000
SYSTEMS = ["ios", "android", "macos", "windows", "linux"]
WIDTHS = [360, 390, 414, 768, 1280, 1920]
TRUTHS = ["true", "false", "null"]
# As they stand in JSON: two bytes and three bytes a character, and escapes.
WORDS = ["tea", "café", "räder", "shoes", "lamp", "book", "mug", "日本", "chair", 'say \\"hi\\"', "c:\\\\tmp", "a\\tb"]

POSTGRES_EPOCH_MS = 946_684_800_000
COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
COPY_TRAILER = struct.pack("!h", -1)
CLOCK = ["%02d:%02d:%02d" % (second // 3600, second // 60 % 60, second % 60) for second in range(86_400)]


def users(seed: int) -> list[uuid.UUID]:
    source = random.Random(f"users {seed}")
    return [uuid.UUID(int=source.getrandbits(128), version=4) for _ in range(USERS)]


def payload(bits: int, *, is_short: bool) -> str:
    """A payload from 256 random bits: about 190 bytes, or 27 fewer."""

    def take(below: int) -> int:
        nonlocal bits
        bits, value = divmod(bits, below)
        return value

    session = "" if is_short else ',"sid":"%016x"' % take(1 << 64)
    host = "x.io" if is_short else "ex.org"
    return (
        f'{{"page":{{"path":"/p/{take(100_000)}/{WORDS[take(12)]}","ref":"https://{host}/{take(1 << 32):x}"}},'
        f'"device":{{"os":"{SYSTEMS[take(5)]}","v":"{1 + take(19)}.{take(10)}","w":{WIDTHS[take(6)]}}},'
        f'"ab":["x{take(8)}","y{take(8)}"],"ms":{take(20_000)},"value":{(1 + take(99_999)) / 100!r},'
        f'"ok":{TRUTHS[take(3)]}{session}}}'
    )


def copy_row(id_: bytes, event_type: str, user: bytes | None, payload_text: str, created_ms: int) -> bytes:
    """A row of (id, event_type, user_id, payload, created_at) in PostgreSQL's binary COPY format."""
    type_bytes, json = event_type.encode(), b"\1" + payload_text.encode()
    return b"".join((
        struct.pack("!hi", 5, 16), id_,
        struct.pack("!i", len(type_bytes)), type_bytes,
        struct.pack("!i", -1) if user is None else struct.pack("!i", 16) + user,
        struct.pack("!i", len(json)), json,
        struct.pack("!iq", 8, (created_ms - POSTGRES_EPOCH_MS) * 1000),
    ))

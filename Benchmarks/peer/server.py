"""NDJSON over TCP into PostgreSQL, as a Python team would write it in an afternoon: the peer of the scenes.

uvloop, orjson, and asyncpg's COPY in batches of 5000 over two pooled connections, so that parsing and writing overlap.
Prints its port; closes a connection when all of its lines are committed. The database comes from the PG* variables.
With a number of milliseconds as its argument it commits what has come each time that they have passed.
"""

import asyncio
import sys
from datetime import datetime
from uuid import UUID

import asyncpg
import orjson
import uvloop

BATCH = 5000
WRITERS = 2
READ_BYTES = 1 << 18
COLUMNS = ("id", "event_type", "user_id", "payload", "created_at")


def row(line: bytes) -> tuple:
    event = orjson.loads(line)
    user = event.get("user_id")
    return (
        UUID(event["id"]), event["event_type"], UUID(user) if user else None,
        orjson.dumps(event["payload"]).decode(), datetime.fromisoformat(event["created_at"]))


async def write(pool: asyncpg.Pool, batches: asyncio.Queue) -> None:
    """Writes batches until a None comes."""
    while (batch := await batches.get()) is not None:
        async with pool.acquire() as connection:
            await connection.copy_records_to_table("analytics_events", records=batch, columns=COLUMNS)


async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pool: asyncpg.Pool) -> None:
    batches: asyncio.Queue = asyncio.Queue(WRITERS)
    async with asyncio.TaskGroup() as writers:
        for _ in range(WRITERS):
            writers.create_task(write(pool, batches))
        rows, rest = [], b""
        while chunk := await reader.read(READ_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            rows.extend(map(row, lines))
            while len(rows) >= BATCH:
                await batches.put(rows[:BATCH])
                del rows[:BATCH]
        if rest:
            rows.append(row(rest))
        if rows:
            await batches.put(rows)
        for _ in range(WRITERS):
            await batches.put(None)
    writer.close()


async def receive_paced(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pool: asyncpg.Pool, seconds: float
) -> None:
    rows: list[tuple] = []
    is_over = False

    async def commit() -> None:
        """Commits what has come, every `seconds`, until there is no more."""
        while not is_over or rows:
            await asyncio.sleep(seconds)
            batch, rows[:] = rows[:], []
            if batch:
                async with pool.acquire() as connection:
                    await connection.copy_records_to_table("analytics_events", records=batch, columns=COLUMNS)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(commit())
        rest = b""
        while chunk := await reader.read(READ_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            rows.extend(map(row, lines))
        is_over = True
    writer.close()


async def main() -> None:
    pace = float(sys.argv[1]) / 1000 if len(sys.argv) > 1 else None
    pool = await asyncpg.create_pool(min_size=WRITERS, max_size=WRITERS)
    server = await asyncio.start_server(
        lambda reader, writer: (
            receive_paced(reader, writer, pool, pace) if pace else receive(reader, writer, pool)),
        "127.0.0.1", 0, limit=1 << 20)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


uvloop.run(main())

"""L2: `projections verify` and `rebuild` over a month that was filled at live rates: batches of one or two events."""

import json
import time
from datetime import datetime, timezone

from .bench import Bench
from .cluster import Cluster
from .daemon import DATABASE
from .results import Results
from .scene_error import SceneError

PACK = "analytics"

# Every third batch has two events. Their rows lie in order of arrival, as a daemon leaves them.
_FILL = """
CREATE TEMPORARY TABLE arrival AS
SELECT i, 1 + (i - i / 3 - 1) AS batch_id, date_trunc('month', now()) + i * interval '1 second' * {step} AS created_at
FROM generate_series(1, {rows}) AS i;
INSERT INTO analytics_events (id, event_type, user_id, payload, created_at, received_at, batch_id)
SELECT
    gen_random_uuid(), (ARRAY['page_view', 'click', 'search', 'signup', 'purchase'])[1 + i % 5],
    CASE WHEN i % 10 > 0 THEN md5((i::bigint * 7919 % 50000)::text)::uuid END,
    jsonb_build_object(
        'path', '/catalogue/' || i % 977, 'referrer', 'https://example.org/' || i % 89, 'duration_ms', i % 4099,
        'agent', 'Mozilla/5.0 (X11; Linux x86_64)', 'experiment', jsonb_build_array(i % 3, i % 7)),
    created_at, created_at, batch_id
FROM arrival
ORDER BY i;
INSERT INTO ingest_spools (spool_id, host, version) VALUES ('{spool}', 'bench', 'bench');
INSERT INTO ingest_batches (spool_id, first_seq, last_seq, batch_id, rows, duplicates, dead, folded, committed_at)
SELECT '{spool}', min(i), max(i), batch_id, count(*), 0, 0, '{{}}', now() - interval '1 day'
FROM arrival
GROUP BY batch_id;
"""
_SPOOL = "00000000-0000-4000-8000-00000000012a"
# Whole rows: of a subquery's columns PostgreSQL would sort only those that are named outside it.
_SORT = "SELECT count(sorted) FROM (SELECT event FROM analytics_events AS event ORDER BY created_at, id) AS sorted"


def run(bench: Bench, _: frozenset[str]) -> None:
    """Runs a rebuild first, since it makes what verify then compares."""
    bench.cluster.start()
    daemon = bench.daemon()
    daemon.create()
    daemon.start()
    daemon.settle()
    daemon.stop()
    rows = bench.settings.recount_events
    month = (datetime.now(timezone.utc).replace(day=28) - datetime.now(timezone.utc).replace(day=1)).total_seconds()
    bench.cluster.sql(_FILL.format(rows=rows, spool=_SPOOL, step=month / rows), DATABASE)
    bench.cluster.sql("VACUUM (ANALYZE)", DATABASE)
    bench.cluster.sql("CHECKPOINT")
    _reference(bench.cluster, bench.results)
    # The first rebuild also joins the ledger's rows, which a daemon does as time goes by.
    for name, command in (("first rebuild", "rebuild"), ("rebuild", "rebuild"), ("verify", "verify")):
        began = time.perf_counter()
        answer = json.loads(daemon.command("projections", command, PACK, "--json"))
        seconds = time.perf_counter() - began
        if command == "rebuild" and answer["rebuilt"][0]["rows"] != rows:
            raise SceneError(f"not all {rows:,} events were folded: {answer}")
        bench.results.add(f"recount {name}", seconds, events=rows)
        bench.say(f"L2 {name} of {PACK}: {seconds:.1f} s, {rows:,} events in batches of one or two")
        _reference(bench.cluster, bench.results)
    bench.cluster.drop(DATABASE)


def _reference(cluster: Cluster, results: Results) -> None:
    began = time.perf_counter()
    cluster.sql(f"SET work_mem = '64MB'; {_SORT}", DATABASE)
    results.add("recount sort", time.perf_counter() - began)

#!/usr/bin/env bash
# Rows a second from TCP to committed, full indexes, as a ratio to `psql \copy` of the same rows in binary format by one
# session into the parent of the reference table; one throw-away cluster, one run.
#
#   Benchmarks/throughput.sh [ROWS] [RUNS]     default 500000 rows, 3 runs; the median counts
#
# Needs the release binary (`make build`), PostgreSQL 15+ and psql. Writes nothing outside a temporary directory.
set -euo pipefail

rows=${1:-500000}
runs=${2:-3}
here=$(cd "$(dirname "$0")/.." && pwd)
millrace=${MILLRACE_BINARY:-$here/.build/release/millrace}
bin=${MILLRACE_POSTGRES_BIN:-$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)}
work=$(mktemp -d "${TMPDIR:-/tmp}/millrace-bench.XXXXXX")
chmod 755 "$work"
daemon=

as_postgres() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
sql() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }
now() { date +%s.%N; }
since() { echo "$(now) $1" | awk '{printf "%.3f", $1 - $2}'; }
median() { sort -g | awk '{a[NR] = $1} END {print (NR % 2) ? a[(NR + 1) / 2] : (a[NR / 2] + a[NR / 2 + 1]) / 2}'; }

stop() {
  [ -z "$daemon" ] || { kill "$daemon" 2>/dev/null && wait "$daemon" || true; }
  as_postgres "$bin/pg_ctl" -D "$work/pg/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap stop EXIT

mkdir "$work/pg"
[ "$(id -u)" != 0 ] || chown postgres "$work/pg"
cd "$work"
as_postgres "$bin/initdb" -D "$work/pg/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >"$work/initdb.log"
as_postgres tee -a "$work/pg/data/postgresql.conf" >/dev/null <<CONF
listen_addresses = ''
unix_socket_directories = '$work/pg'
shared_buffers = 1GB
max_wal_size = 4GB
checkpoint_timeout = 15min
timezone = 'UTC'
CONF
as_postgres "$bin/pg_ctl" -D "$work/pg/data" -l "$work/pg/log" -w start >/dev/null
export PGHOST=$work/pg PGUSER=postgres PGDATABASE=postgres PGPORT=5432 PGOPTIONS='-c client_min_messages=error'

echo "# making $rows events" >&2
sql -v rows="$rows" <<'SQL'
SELECT setseed(0.7) \g /dev/null
CREATE TABLE source AS
SELECT
    gen_random_uuid() AS id,
    (ARRAY['page','click','cart','order','search','video','session','profile','mail','error'])[1 + floor(10 * random() ^ 2)::int]
        || '.' || (ARRAY['viewed','started','done','failed'])[1 + floor(4 * random())::int] AS event_type,
    CASE WHEN random() < 0.9 THEN md5('user' || floor(50000 * random())::text)::uuid END AS user_id,
    jsonb_build_object(
        'page', jsonb_build_object('path', '/p/' || floor(100000 * random())::text || '/café', 'ref', 'https://ex.org/' || md5(random()::text)),
        'device', jsonb_build_object('os', (ARRAY['ios','android','macos','windows','linux'])[1 + floor(5 * random())::int], 'w', 390),
        'ab', jsonb_build_array('x' || floor(8 * random())::text, 'y' || floor(8 * random())::text),
        'ms', floor(20000 * random()), 'value', round((1000 * random())::numeric, 2), 'ok', random() < 0.5,
        'sid', substr(md5(random()::text), 1, 16)
    ) AS payload,
    date_trunc('milliseconds', now() - random() * interval '20 days') AS created_at
FROM generate_series(1, :rows);
SQL
sql -c "COPY (
  SELECT json_build_object('id', id, 'event_type', event_type, 'user_id', user_id, 'created_at',
    to_char(created_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), 'payload', payload)::text FROM source
) TO STDOUT (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')" >"$work/events.ndjson"
sql -c "COPY source TO STDOUT (FORMAT binary)" >"$work/events.bin"

reference() {
  sql <<'SQL'
DROP TABLE IF EXISTS reference;
CREATE TABLE reference (
  id uuid NOT NULL, event_type text NOT NULL, user_id uuid, payload jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL, received_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
SELECT format('CREATE TABLE reference_%s PARTITION OF reference FOR VALUES FROM (%L) TO (%L)', to_char(month, 'YYYYMM'),
  month, month + interval '1 month')
FROM generate_series(date_trunc('month', now() - interval '1 month'), date_trunc('month', now()), interval '1 month') AS month
\gexec
CREATE INDEX ON reference (event_type, created_at DESC);
CREATE INDEX ON reference (user_id, created_at DESC) WHERE user_id IS NOT NULL;
CREATE INDEX ON reference USING gin (payload jsonb_path_ops);
CHECKPOINT;
SQL
  local start
  start=$(now)
  psql -Xq -v ON_ERROR_STOP=1 \
    -c "\\copy reference (id, event_type, user_id, payload, created_at) FROM '$work/events.bin' (FORMAT binary)"
  since "$start"
  sql -c 'DROP TABLE reference'
}

# A fresh database and a fresh spool; the time ends when the last row is committed and GIN's pending lists are empty.
product() {
  local writers=$1 directory=$work/data start
  rm -rf "$directory"
  sql -c 'DROP DATABASE IF EXISTS millrace' -c 'CREATE DATABASE millrace'
  export DATABASE_URL="postgresql:///millrace?host=$work/pg&user=postgres"
  export MILLRACE_DATABASE_WRITERS=$writers MILLRACE_DATA_DIRECTORY=$directory
  export MILLRACE_TCP_LISTEN=unix:$work/tcp.sock MILLRACE_HTTP_LISTEN=unix:$work/http.sock
  "$millrace" migrate up >/dev/null
  "$millrace" serve 2>"$work/daemon.log" &
  daemon=$!
  until curl -sf --unix-socket "$work/http.sock" http://localhost/readyz >/dev/null; do
    kill -0 "$daemon" 2>/dev/null || { cat "$work/daemon.log" >&2; exit 1; }
    sleep 0.05
  done
  sql -c CHECKPOINT
  start=$(now)
  "$millrace" send --quiet "$work/events.ndjson" >/dev/null
  until [ "$(sql -d millrace -c 'SELECT coalesce(sum(rows), 0) FROM ingest_batches')" -ge "$rows" ]; do sleep 0.02; done
  sql -d millrace >/dev/null <<'SQL'
SELECT gin_clean_pending_list(index.oid::regclass)
FROM pg_class AS index JOIN pg_am ON pg_am.oid = relam
WHERE amname = 'gin' AND relkind = 'i'
SQL
  since "$start"
  [ "$(sql -d millrace -c 'SELECT count(*) FROM analytics_events')" = "$rows" ] || { echo "rows differ" >&2; exit 1; }
  kill "$daemon" && wait "$daemon"
  daemon=
}

for run in $(seq "$runs"); do
  echo "# run $run of $runs" >&2
  reference >>"$work/reference.times"
  product 1 >>"$work/one.times"
  product 2 >>"$work/two.times"
done

reference_seconds=$(median <"$work/reference.times")
{
  echo "scene seconds rows/s ratio goal"
  for scene in reference one two; do
    seconds=$(median <"$work/$scene.times")
    case $scene in
      reference) name='psql_\copy_binary,_one_session' goal=- ;;
      one) name='TCP_→_committed,_1_writer' goal='≥1.0' ;;
      two) name='TCP_→_committed,_2_writers' goal='≥1.4' ;;
    esac
    awk -v name="$name" -v s="$seconds" -v r="$rows" -v ref="$reference_seconds" -v goal="$goal" \
      'BEGIN {printf "%s %.2f %.0f %.2f %s\n", name, s, r / s, ref / s, goal}'
  done
} | column -t | tr _ ' '

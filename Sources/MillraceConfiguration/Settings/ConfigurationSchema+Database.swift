internal import MillracePostgres
internal import MillraceProjections
internal import MillraceSpool
internal import MillraceWriter

extension ConfigurationSchema {
    static let spool = ConfigurationSection(
        name: "spool", doc: "The log on disk, between clients and database.",
        keys: [
            .string(
                "directory", \.spool.directory, "\"\" is spool under data.directory.", watch: "millrace_spool_bytes"),
            .bytes(
                "segment_bytes", \.spool.segmentBytes, 1 << 20...4 << 30,
                "A segment file is closed at this size; at most a quarter of spool.bytes.",
                watch: "millrace_spool_segments"),
            .bytes(
                "bytes", \.spool.bytes, 4 << 20...1 << 50,
                "All segments together; above, nothing is taken until PostgreSQL has caught up.",
                watch: "millrace_spool_bytes"),
            .bytes(
                "free_bytes", \.spool.freeBytes, 0...1 << 50, "What stays free on the disk; below, nothing is taken.",
                watch: "millrace_spool_free_bytes"),
            .bytes(
                "queue_bytes", \.spool.queueBytes, 1 << 20...1 << 30,
                "Bytes in memory that wait for the disk; when full, sockets are not read.",
                watch: "millrace_spool_queue_bytes"),
            .bytes(
                "group_bytes", \.spool.groupBytes, 64 << 10...256 << 20, "What one fdatasync covers at most.",
                watch: "millrace_spool_sync_duration_seconds"),
            .bytes(
                "zero_ahead_bytes", \.spool.zeroAheadBytes, 0...64 << 20,
                "Zeros written at a time, for small groups to go over: a file that stays as long is durable sooner.",
                watch: "millrace_spool_sync_duration_seconds"),
            .duration(
                "retain", \.spool.retain, .zero ... .seconds(31 * 86_400),
                "How long a segment that is wholly in the database is kept; while PostgreSQL is away it does not count.",
                watch: "millrace_spool_segments_retired_early_total"),
            .string(
                "retain_until_replayed", \.spool.retainUntilReplayed,
                "Standbys whose replay segments wait for too: application_names with commas between, or \"*\" all attached.",
                watch: "millrace_spool_retention_blocked"),
            .duration(
                "full_retry", \.spool.fullRetry, .milliseconds(10) ... .seconds(60),
                "How often a full spool looks for room.", watch: "millrace_spool_refusing"),
        ])

    static let database = ConfigurationSection(
        name: "database", doc: "PostgreSQL 15 or newer, and the writers.",
        keys: [
            .secret(
                "url", \.database.url, .connectionString,
                "libpq connection string. Also DATABASE_URL; where neither says another, PGHOST and the like, and service files.",
                watch: "millrace_postgresql_up"),
            .choice(
                "distribution", \.database.distribution,
                "citus: `millrace migrate up` spreads events and conversations over the workers of that extension's cluster.",
                watch: "millrace_writer_deadlocks_total"),
            .integer(
                "writers", \.database.writers, 1...64, unit: "connections", "Batches written at the same time.",
                watch: "millrace_writer_waiting_lines"),
            .integer(
                "join_rows", \.database.joinRows, 1...1_000_000, unit: "rows",
                "Rows that wait when writers beyond the first take batches; with fewer they would only get in its way.",
                watch: "millrace_writer_waiting_lines"
            ).live,
            .integer(
                "batch_rows", \.database.batchRows, 1...1_000_000, unit: "rows", "Rows of one transaction at most.",
                watch: "millrace_writer_batch_rows"
            ).live,
            .bytes(
                "batch_bytes", \.database.batchBytes, 64 << 10...1 << 30, "Bytes of one transaction at most.",
                watch: "millrace_writer_batch_rows"
            ).live,
            .bytes(
                "part_bytes", \.database.partBytes, 64 << 10...256 << 20,
                "Bytes of a transaction's rows that a writer holds at a time, and puts in order.",
                watch: "millrace_process_resident_memory_bytes"
            ).live,
            .duration(
                "connect_timeout", \.database.connectTimeout, .seconds(1) ... .seconds(300),
                "How long a connection attempt may take.", watch: "millrace_writer_retries_total"),
            .duration(
                "statement_timeout", \.database.statementTimeout, .seconds(1) ... .seconds(86_400),
                "How long one statement of a batch may take.", watch: "millrace_writer_copy_duration_seconds"
            ).live,
            .duration(
                "lock_timeout", \.database.lockTimeout, .milliseconds(10) ... .seconds(600),
                "How long the making of a partition waits for a lock before it tries again.",
                watch: "millrace_partitions_months_ahead"),
            .duration(
                "session_lock_timeout", \.database.sessionLockTimeout, .zero ... .seconds(3600),
                "How long a start waits for the session of a daemon that was killed to end.",
                watch: "millrace_postgresql_up"),
            .duration(
                "retry_min", \.database.retryMin, .milliseconds(1) ... .seconds(60),
                "First pause after an error that heals; then doubled, with jitter.",
                watch: "millrace_writer_retries_total"),
            .duration(
                "retry_max", \.database.retryMax, .milliseconds(10) ... .seconds(3600), "Longest such pause.",
                watch: "millrace_writer_retries_total"),
            .duration(
                "batch_interval", \.database.batchInterval, .zero ... .seconds(10),
                "Shortest time from a batch of 32 to 2,047 rows to the next one, unless 2,048 rows wait.",
                watch: "millrace_writer_batch_rows"
            ).live,
            .duration(
                "small_batch_interval", \.database.smallBatchInterval, .zero ... .seconds(60),
                "The same while fewer than 100 rows wait and nobody waits for them; the first after a quiet time goes at once.",
                watch: "millrace_writer_batch_rows"
            ).live,
            .duration(
                "flush_poll", \.database.flushPoll, .milliseconds(10) ... .seconds(60),
                "How often it is asked up to where PostgreSQL has flushed its log.",
                watch: "millrace_spool_segments_retired_total"
            ).live,
            .duration(
                "stall_after", \.database.stallAfter, .milliseconds(100) ... .seconds(60),
                "How long nothing is written while lines wait before log, /readyz and metrics say so.",
                watch: "millrace_writer_stalled"),
            .duration(
                "batch_lock_timeout", \.database.batchLockTimeout, .milliseconds(10) ... .seconds(600),
                "How long a batch waits for a lock, such as one on its month, before it is set aside in smaller ones.",
                watch: "millrace_writer_stuck_batches"
            ).live,
            .integer(
                "stuck_batches_max", \.database.stuckBatchesMax, 1...1000, unit: "batches",
                "Batches that fail and are set aside while later ones go on; at the bound only these are tried.",
                watch: "millrace_writer_stuck_batches"
            ).live,
            .integer(
                "row_error_tries", \.database.rowErrorTries, 1...100, unit: "tries",
                "Tries before an error of a trigger, a rule or a conversion is looked for in single rows.",
                watch: "millrace_writer_retries_total"),
            .duration(
                "drain_limit", \.database.drainLimit, .zero ... .seconds(600),
                "How long a stop waits for the open batches; what is left goes in after the next start.",
                watch: "millrace_spool_uncommitted_lines"),
            .duration(
                "ledger_join_age", \.database.ledgerJoinAge, .zero ... .seconds(31 * 86_400),
                "How old neighbouring rows of the ledger are joined into one; 0s is spool.retain and an hour.",
                watch: "millrace_writer_ledger_rows_joined_total"),
            .duration(
                "presence_interval", \.database.presenceInterval, .seconds(1) ... .seconds(3600),
                "How often the daemon writes its row of the table daemons while something changes; a twelfth as often at rest.",
                watch: "millrace_postgresql_up"
            ).live,
            .duration(
                "presence_keep", \.database.presenceKeep, .seconds(3600) ... .seconds(1200 * 31 * 86_400),
                "How long a daemon that went away stays in that table, unless lines wait in its spool."),
        ])

    static let partitions = ConfigurationSection(
        name: "partitions", doc: "Monthly partitions, in UTC.",
        keys: [
            .integer(
                "ahead", \.partitions.ahead, 0...120, unit: "months", "Months made before they are needed.",
                watch: "millrace_partitions_months_ahead"),
            .duration(
                "accept_past", \.partitions.acceptPast, .seconds(3600) ... .seconds(1200 * 31 * 86_400),
                "How old an event may be; mo is 31 days.", watch: "millrace_intake_lines_refused_total"),
            .duration(
                "accept_future", \.partitions.acceptFuture, .zero ... .seconds(12 * 31 * 86_400),
                "How far ahead of the clock an event may be.", watch: "millrace_intake_lines_refused_total"),
            .choice(
                "payload_index", \.partitions.payloadIndex,
                "Which months have the GIN index on payload: each one, closed ones (writes twice as fast), or none.",
                watch: "millrace_writer_copy_duration_seconds"),
            .bytes(
                "gin_pending_list_bytes", \.partitions.ginPendingListBytes, 64 << 10...1 << 30,
                "The GIN index's list of rows not yet sorted in; large for fast writes, small for fast searches.",
                watch: "millrace_writer_copy_duration_seconds"),
            .duration(
                "gin_clean_interval", \.partitions.ginCleanInterval, .milliseconds(100) ... .seconds(3600),
                "Pause between two turns of sorting those lists in, while many rows wait there; shorter when nothing comes.",
                watch: "millrace_writer_copy_duration_seconds"),
            .integer(
                "gin_clean_rows", \.partitions.ginCleanRows, 1...10_000_000, unit: "rows",
                "So many rows are many; a search looks at each of them.",
                watch: "millrace_writer_copy_duration_seconds"),
            .duration(
                "gin_clean_limit", \.partitions.ginCleanLimit, .milliseconds(100) ... .seconds(3600),
                "Longest time that fewer rows wait there.", watch: "millrace_partitions_cleaning_wait_seconds"),
            .choice(
                "retired", \.partitions.retired,
                "Where late events of a detached month go: dead_letters (code month_retired), or a new partition.",
                watch: "millrace_writer_lines_dead_total"),
            .string(
                "retain", \.partitions.retain,
                "How long months are kept after their end: \"13mo\", or by table \"analytics_events=13mo, conversations=36mo\"; \"\" is for ever.",
                watch: "millrace_partitions_months_overdue"),
            .choice(
                "retirement", \.partitions.retirement,
                "What the daemon does with the others: archive, verify and drop them, or detach them only.",
                watch: "millrace_partitions_months_retired_total"),
            .string(
                "quiet_hours", \.partitions.quietHours,
                "When (UTC) it does that, and vacuums months that are over; what is overdue for three days, at any time.",
                watch: "millrace_partitions_months_overdue"),
            .duration(
                "seal_wait", \.partitions.sealWait, .seconds(1) ... .seconds(86_400),
                "How long a month that leaves waits until all daemons have put in what they had acknowledged.",
                watch: "millrace_partitions_retirement_failures_total"),
            .duration(
                "detach_lock_timeout", \.partitions.detachLockTimeout, .milliseconds(10) ... .seconds(10),
                "How long the DETACH of a month waits for a lock at a time; so long may late rows wait behind it.",
                watch: "millrace_partitions_retirement_failures_total"),
            .duration(
                "detach_wait", \.partitions.detachWait, .seconds(1) ... .seconds(86_400),
                "How long in all, until others let go of the table, before it is given up till the next time.",
                watch: "millrace_partitions_retirement_failures_total"),
            .duration(
                "maintenance_interval", \.partitions.maintenanceInterval, .seconds(1) ... .seconds(86_400),
                "How often months ahead are made and expired ids removed.", watch: "millrace_partitions_months_ahead"),
        ])

    static let projections = ConfigurationSection(
        name: "projections", doc: "What is kept current from the events, pack by pack.",
        keys: [
            .list(
                "packs", \.projections.packs, "Packs whose tables are kept; [] is none.",
                watch: "millrace_writer_projection_duration_seconds"),
            .string(
                "directory", \.projections.directory,
                "Further packs, a folder each with pack.toml, up.sql and down.sql; \"\" is none.",
                watch: "millrace_writer_unfolded_batches_total"),
        ])

    static let dedup = ConfigurationSection(
        name: "dedup", doc: "Events sent twice.",
        keys: [
            .duration(
                "window", \.dedup.window, .seconds(60) ... .seconds(13 * 31 * 86_400),
                "How long the id of an event without any time is remembered.",
                watch: "millrace_writer_lines_duplicate_total")
        ])

    static let audit = ConfigurationSection(
        name: "audit", doc: "Who changed what: the table audit_log.",
        keys: [
            .duration(
                "keep", \.audit.keep, .seconds(30 * 86_400) ... .seconds(1200 * 31 * 86_400),
                "How long a row is kept.")
        ])

    static let erasure = ConfigurationSection(
        name: "erasure",
        doc: "Erasure of users: `millrace users erase`, `DELETE /v1/users/{id}`, users whom packs delete.",
        keys: [
            .list(
                "payload_paths", \.erasure.payloadPaths,
                "Blanked in the user's own events: `email`, `address.street`, `items.*.note`, `*` for all. "
                    + "Of events that packs make rows of, only with their type: `commerce.lead_captured:*`."),
            .duration(
                "poll", \.erasure.poll, .milliseconds(100) ... .seconds(3600),
                "How often the daemon looks whether there is anything to erase."),
        ])

    static let outbox = ConfigurationSection(
        name: "outbox", doc: "Events that applications write into the table outbox, in their own transactions.",
        keys: [
            .duration(
                "poll", \.outbox.poll, .milliseconds(10) ... .seconds(60), "How often the table is looked at.",
                watch: "millrace_outbox_waiting_rows"),
            .integer(
                "batch_rows", \.outbox.batchRows, 1...100_000, unit: "rows", "Rows that are taken at a time.",
                watch: "millrace_outbox_waiting_rows"),
        ])
}

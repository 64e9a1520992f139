/// Every metric of Millrace. Raw value = name in the Prometheus text.
///
/// Label values come from closed sets of the program (the raw values of its enums), never from clients.
package enum MetricName: String, Sendable, CaseIterable {
    case intakeLinesReceived = "millrace_intake_lines_received_total"
    case intakeLinesAccepted = "millrace_intake_lines_accepted_total"
    case intakeLinesRefused = "millrace_intake_lines_refused_total"
    case intakeLinesSampledOut = "millrace_intake_lines_sampled_out_total"
    case intakeLinesNotKept = "millrace_intake_lines_not_kept_total"
    case intakeLinesAbandoned = "millrace_intake_lines_abandoned_total"
    case intakeFieldsTreated = "millrace_intake_fields_treated_total"
    case intakeReceivedBytes = "millrace_intake_received_bytes_total"
    case intakeConnectionsAccepted = "millrace_intake_connections_accepted_total"
    case intakeConnectionsRefused = "millrace_intake_connections_refused_total"
    case intakeConnectionsClosed = "millrace_intake_connections_closed_total"
    case intakeAuthenticationsFailed = "millrace_intake_authentications_failed_total"
    case intakeRateLimited = "millrace_intake_rate_limited_total"
    case intakeConnectionsOpen = "millrace_intake_connections_open"
    case tlsHandshakes = "millrace_tls_handshakes_total"
    case tlsHandshakeFailures = "millrace_tls_handshake_failures_total"
    case tlsCertificateExpiry = "millrace_tls_certificate_expiry_timestamp_seconds"

    case accessKeysInForce = "millrace_access_keys_in_force"
    case accessKeysAge = "millrace_access_keys_age_seconds"
    case accessKeyFailures = "millrace_access_key_refresh_failures_total"

    case backups = "millrace_backups"
    case backupLastTimestamp = "millrace_backup_last_timestamp_seconds"
    case backupLastBytes = "millrace_backup_last_bytes"
    case backupWALLastTimestamp = "millrace_backup_wal_last_timestamp_seconds"

    case memoryBudget = "millrace_memory_budget_bytes"
    case memoryUsed = "millrace_memory_used_bytes"
    case memoryRefused = "millrace_memory_refused_total"

    case httpRequests = "millrace_http_requests_total"
    case httpRequestDuration = "millrace_http_request_duration_seconds"

    case readConnectionsIdle = "millrace_read_connections_idle"
    case readConnectionsBusy = "millrace_read_connections_busy"
    case readRequestsWaiting = "millrace_read_requests_waiting"
    case readRefused = "millrace_read_refused_total"
    case readQueryDuration = "millrace_read_query_duration_seconds"
    case readChosen = "millrace_read_chosen_total"
    case readReplicaLag = "millrace_read_replica_lag_seconds"
    case readReplicaUp = "millrace_read_replica_up"

    case jwksFetches = "millrace_jwks_fetches_total"

    case liveStreams = "millrace_live_streams"
    case liveEventsSent = "millrace_live_events_sent_total"
    case liveEventsDropped = "millrace_live_events_dropped_total"

    case spoolAppendedRecords = "millrace_spool_appended_records_total"
    case spoolAppendedLines = "millrace_spool_appended_lines_total"
    case spoolAppendedBytes = "millrace_spool_appended_bytes_total"
    case spoolGroups = "millrace_spool_groups_total"
    case spoolRecoveredLines = "millrace_spool_recovered_lines_total"
    case spoolQueueDuration = "millrace_spool_queue_duration_seconds"
    case spoolSyncDuration = "millrace_spool_sync_duration_seconds"
    case spoolFaults = "millrace_spool_faults_total"
    case spoolDamaged = "millrace_spool_damaged_total"
    case spoolRefused = "millrace_spool_refused_total"
    case spoolRefusing = "millrace_spool_refusing"
    case spoolQueueBytes = "millrace_spool_queue_bytes"
    case spoolSegments = "millrace_spool_segments"
    case spoolSegmentsRetired = "millrace_spool_segments_retired_total"
    case spoolSegmentsRetiredEarly = "millrace_spool_segments_retired_early_total"
    case spoolRetentionBlocked = "millrace_spool_retention_blocked"
    case spoolRetain = "millrace_spool_retain_seconds"
    case spoolBytes = "millrace_spool_bytes"
    case spoolFreeBytes = "millrace_spool_free_bytes"
    case spoolUncommittedLines = "millrace_spool_uncommitted_lines"
    case spoolOldestUncommitted = "millrace_spool_oldest_uncommitted_seconds"
    case conservationDifference = "millrace_conservation_difference_lines"

    case writerLinesCommitted = "millrace_writer_lines_committed_total"
    case writerLinesDuplicate = "millrace_writer_lines_duplicate_total"
    case writerLinesDead = "millrace_writer_lines_dead_total"
    case writerLinesRefused = "millrace_writer_lines_refused_total"
    case writerWaitingLines = "millrace_writer_waiting_lines"
    case writerBatches = "millrace_writer_batches_total"
    case writerBatchRows = "millrace_writer_batch_rows"
    case writerQueueDuration = "millrace_writer_queue_duration_seconds"
    case writerCopyDuration = "millrace_writer_copy_duration_seconds"
    case writerProjectionDuration = "millrace_writer_projection_duration_seconds"
    case writerCommitDuration = "millrace_writer_commit_duration_seconds"
    case writerRetries = "millrace_writer_retries_total"
    case writerParked = "millrace_writer_parked_events_total"
    case writerUnfolded = "millrace_writer_unfolded_batches_total"
    case writerDeadlocks = "millrace_writer_deadlocks_total"
    case writerJoined = "millrace_writer_ledger_rows_joined_total"
    case writerDroppedLetters = "millrace_writer_dead_letters_dropped_total"
    case writerStopped = "millrace_writer_stopped"
    case writerStalled = "millrace_writer_stalled"
    case writerStuckBatches = "millrace_writer_stuck_batches"
    case writerStalledSeconds = "millrace_writer_stalled_seconds"

    case rulesLines = "millrace_rules_lines_total"

    case tenantLinesAccepted = "millrace_tenant_lines_accepted_total"
    case tenantLinesCommitted = "millrace_tenant_lines_committed_total"
    case tenantLinesDead = "millrace_tenant_lines_dead_total"

    case leader = "millrace_leader"
    case outboxWaitingRows = "millrace_outbox_waiting_rows"
    case outboxDeliveredRows = "millrace_outbox_delivered_rows_total"
    case outboxRefusedRows = "millrace_outbox_refused_rows_total"

    case projectionsBehind = "millrace_projections_behind_batches"
    case projectionsParked = "millrace_projections_parked_events"
    case projectionsRebuildDone = "millrace_projections_rebuild_done_batches"
    case projectionsRebuildTotal = "millrace_projections_rebuild_total_batches"

    case pipelineDurable = "millrace_pipeline_received_to_durable_seconds"
    case pipelineCommit = "millrace_pipeline_durable_to_committed_seconds"
    case pipelineWhole = "millrace_pipeline_received_to_committed_seconds"

    case postgresqlUp = "millrace_postgresql_up"
    case standbyLag = "millrace_standby_lag_seconds"
    case partitionsMonthsAhead = "millrace_partitions_months_ahead"
    case partitionsCleaningWait = "millrace_partitions_cleaning_wait_seconds"
    case partitionsMonthsOverdue = "millrace_partitions_months_overdue"
    case partitionsMonthsRetired = "millrace_partitions_months_retired_total"
    case partitionsMonthsClosed = "millrace_partitions_months_closed_total"
    case partitionsRetirementFailures = "millrace_partitions_retirement_failures_total"
    case archiveBytesWritten = "millrace_archive_bytes_written_total"
    case logLinesDropped = "millrace_log_lines_dropped_total"
    case processResidentMemory = "millrace_process_resident_memory_bytes"
    case processCPU = "millrace_process_cpu_seconds_total"
    case buildInfo = "millrace_build_info"
}

extension MetricName {
    /// How a metric is exposed, what it tells, and the labels that each of its series has.
    package var definition: MetricDefinition {
        switch self {
        case .intakeLinesReceived: .counter("Lines, or items of bodies, that were looked at.", [.transport])
        case .intakeLinesAccepted: .counter("Lines that became durable.", [.kind])
        case .intakeLinesRefused: .counter("Lines that were refused, by reason.", [.code])
        case .intakeFieldsTreated:
            .counter("Values that [fields] lists and that were dropped, masked, hashed or encrypted.", [.action])
        case .intakeLinesSampledOut:
            .counter("Lines that count as accepted and that a rule samples out: they are kept nowhere.", [.kind])
        case .intakeLinesNotKept:
            .counter("Refused lines of a burst that were counted and not kept in dead_letters.", [.transport])
        case .intakeLinesAbandoned:
            .counter("Lines without an acknowledgement that a stop dropped while the spool was full.", [.transport])
        case .intakeReceivedBytes: .counter("Bytes that were read from clients, as they came.", [.transport])
        case .intakeConnectionsAccepted: .counter("Connections that were opened.", [.transport])
        case .intakeConnectionsRefused: .counter("Connections over the limit, closed at once.", [.transport])
        case .intakeConnectionsClosed:
            .counter("Connections that were closed for their refused lines.", [.transport])
        case .intakeAuthenticationsFailed:
            .counter("Requests, or TCP connections, without a key or token in force.", [.transport])
        case .intakeRateLimited:
            .counter(
                "Requests and connections refused, and TCP connections held back, for a limit of a key or an address.",
                [.transport])
        case .intakeConnectionsOpen: .gauge("Connections that are open now.", [.transport])
        case .tlsHandshakes: .counter("TLS handshakes that were done.", [.transport])
        case .tlsHandshakeFailures:
            .counter("TLS connections that ended before their handshake did, by reason.", [.transport, .reason])
        case .tlsCertificateExpiry:
            .gauge("When the certificate in force ends, in seconds since 1970; 0 without TLS.", [])

        case .accessKeysInForce: .gauge("Keys that open something.", [])
        case .accessKeysAge: .gauge("Since PostgreSQL said last which keys there are; 0: it never did.", [])
        case .accessKeyFailures: .counter("Looks at the keys that PostgreSQL did not answer.", [])

        case .backups: .gauge("Whole backups in backup.directory, by kind.", [.kind])
        case .backupLastTimestamp:
            .gauge("When the newest backup was begun, in seconds since 1970, by kind; 0: there is none.", [.kind])
        case .backupLastBytes: .gauge("What the newest backup takes on disk, by kind.", [.kind])
        case .backupWALLastTimestamp:
            .gauge("When a file of the log was last archived, in seconds since 1970; 0: never.", [])

        case .memoryBudget: .gauge("What clients may have the daemon hold in memory: memory.budget.", [])
        case .memoryUsed: .gauge("What the daemon holds for clients: lines, bodies, pages, answers, recordings.", [])
        case .memoryRefused:
            .counter("Requests refused, and lines held back or given up, for want of memory, by what for.", [.reason])

        case .httpRequests: .counter("Requests answered, by route and class of status.", [.route, .status])

        case .httpRequestDuration:
            .timer("From a request's head to the end of its answer, once a request, by route.", [.route])

        case .readConnectionsIdle: .gauge("Connections for reading that nobody uses.", [])
        case .readConnectionsBusy: .gauge("Connections for reading that a request uses.", [])
        case .readRequestsWaiting: .gauge("Requests that wait for a connection.", [])
        case .readRefused: .counter("Requests that got no connection for reading, by reason.", [.reason])
        case .readQueryDuration:
            .timer("Time of a request's statements in PostgreSQL, connecting included, by route.", [.route])

        case .readChosen: .counter("Requests that read PostgreSQL, by the server that they were given.", [.replica])
        case .readReplicaLag:
            .gauge("How far a replica is behind the primary, at most; 0 also where that is not known.", [.replica])
        case .readReplicaUp: .gauge("1 while a replica is read; the log says why one is not.", [.replica])

        case .jwksFetches: .counter("Fetches of jwt.jwks_url, by what came of them.", [.result])

        case .liveStreams: .gauge("Streams of server-sent events that are open, by route.", [.route])
        case .liveEventsSent: .counter("Committed events that streams of /v1/tail were given.", [])
        case .liveEventsDropped:
            .counter("Committed events that a stream of /v1/tail wanted and was too slow for.", [])

        case .spoolAppendedRecords: .counter("Records made durable.", [.kind])
        case .spoolAppendedLines: .counter("Lines made durable.", [.kind])
        case .spoolAppendedBytes: .counter("Bytes made durable, headers included.", [.kind])
        case .spoolGroups: .counter("Groups made durable, each by one fdatasync.", [])
        case .spoolRecoveredLines:
            .counter(
                "Lines found in the spool that the ledger lacked, after a start or a loss of the database.", [.kind])
        case .spoolQueueDuration: .timer("From receiving a line to the spool's taking it, counted for each line.", [])
        case .spoolSyncDuration: .timer("Time of a group's fdatasync, counted for each of its lines.", [])
        case .spoolFaults: .counter("Failed writes and syncs, a full disk not counted.", [])
        case .spoolDamaged: .counter("Damaged places that were found and set aside.", [])
        case .spoolRefused: .counter("Submissions that the spool refused, by reason.", [.reason])
        case .spoolRefusing: .gauge("1 while the spool takes nothing.", [])
        case .spoolQueueBytes: .gauge("Bytes in memory that wait for the disk.", [])
        case .spoolSegments: .gauge("Segment files.", [])
        case .spoolSegmentsRetired: .counter("Segments that were wholly in the database and were deleted.", [])
        case .spoolSegmentsRetiredEarly:
            .counter("Segments that were deleted for want of room before spool.retain had passed.", [])
        case .spoolRetentionBlocked:
            .gauge("1 while no segment may go, since a standby of spool.retain_until_replayed can't be asked.", [])
        case .spoolRetain: .gauge("How long segments that are wholly in the database are kept: spool.retain.", [])
        case .spoolBytes: .gauge("Bytes of all segment files.", [])
        case .spoolFreeBytes: .gauge("Bytes that are free on the spool's disk.", [])
        case .spoolUncommittedLines:
            .gauge(
                "Durable lines that are not yet in the database; unread: of an earlier run, kind not yet seen.", [.kind]
            )
        case .spoolOldestUncommitted: .gauge("Age of the oldest line not known to be in the database; 0: none.", [])

        case .conservationDifference:
            .gauge(
                "Received - (committed + duplicate + dead + refused + in spool); but for moments 0 unless lines are missing.",
                [])
        case .writerLinesCommitted: .counter("Rows that went in.", [.kind])
        case .writerLinesDuplicate: .counter("Lines whose row was there already.", [.kind])
        case .writerLinesDead: .counter("Lines that the database refuses for good, now in dead_letters.", [.kind])
        case .writerLinesRefused: .counter("Lines that the intake had refused, now in dead_letters.", [])
        case .writerWaitingLines: .gauge("Lines that wait for a writer.", [])
        case .writerBatches: .counter("Batches committed.", [])
        case .writerBatchRows: .summary("Lines of a batch.", [])
        case .writerQueueDuration: .timer("From a line's durability to a writer's taking it.", [])
        case .writerCopyDuration: .timer("Time of a batch's COPYs, counted for each of its lines.", [])
        case .writerProjectionDuration:
            .timer("Time of folding a batch into the projections, counted for each of its lines.", [])
        case .writerCommitDuration: .timer("Time of a batch's COMMIT, counted for each of its lines.", [])
        case .writerRetries: .counter("Batches tried again, by class of SQLSTATE.", [.reason])
        case .writerParked: .counter("Events whose row a projection's table refused, now in projections.parked.", [])
        case .writerDeadlocks:
            .counter("Batches tried again after a deadlock, on one server or between workers.", [])
        case .writerJoined: .counter("Rows that the ledger has fewer since settled neighbours were joined.", [])
        case .writerDroppedLetters:
            .counter("Dead letters of refused lines that were deleted to keep the bounds of [dead_letters].", [])
        case .writerUnfolded:
            .counter("Batches that went in without being in each version of each pack; a rebuild folds them.", [])
        case .writerStopped: .gauge("1 while the writers stand still until someone fixes the database.", [])
        case .writerStalled: .gauge("1 while lines wait and nothing is written; /readyz and the log say why.", [])
        case .writerStuckBatches: .gauge("Batches that failed and were set aside while others go on.", [])
        case .writerStalledSeconds: .gauge("How long nothing has been written while lines wait; 0: it is.", [])

        case .rulesLines: .counter("Lines that a rule decided against, by what became of them.", [.rule, .outcome])

        case .tenantLinesAccepted: .counter("Lines that became durable, by tenant.", [.tenant])
        case .tenantLinesCommitted: .counter("Rows that went in, by tenant.", [.tenant])
        case .tenantLinesDead: .counter("Lines that the database refused for good, by tenant.", [.tenant])

        case .leader:
            .gauge("1 while this daemon does what one of several does at a time, by what that is.", [.task])
        case .outboxWaitingRows:
            .gauge("Rows that wait in the outbox, as the daemon that empties it saw it last; 0 in the others.", [])
        case .outboxDeliveredRows:
            .counter("Rows of the outbox that are in analytics_events or dead_letters, and left it.", [])
        case .outboxRefusedRows: .counter("Rows of the outbox that are no events, now in dead_letters.", [])

        case .projectionsBehind:
            .gauge(
                "Of the newest 100,000 batches, those not folded into the live version; looked at every 10 s.", [.pack])
        case .projectionsParked: .gauge("Events whose row the live version's tables refused.", [.pack])
        case .projectionsRebuildDone: .gauge("Batches that a rebuild has folded; 0: there is none.", [.pack])
        case .projectionsRebuildTotal: .gauge("Batches that a rebuild has to fold; 0: there is none.", [.pack])

        case .pipelineDurable: .timer("From receiving a line to its durability in the spool.", [])
        case .pipelineCommit: .timer("From a line's durability to its commit.", [])
        case .pipelineWhole: .timer("From receiving a line to its commit.", [])

        case .standbyLag:
            .gauge(
                "How far the slowest standby is behind, of those that spool.retain_until_replayed does not name; 0: none is.",
                [])
        case .postgresqlUp: .gauge("1 while PostgreSQL answers.", [])
        case .partitionsMonthsAhead: .gauge("Whole months after this one that have their partitions.", [])
        case .partitionsCleaningWait:
            .gauge("How long rows have waited in the pending lists of the GIN indexes; 0: none do.", [])
        case .partitionsMonthsOverdue:
            .gauge(
                "Months that partitions.retain no longer keeps and that are not retired yet, as this daemon last saw.",
                [])
        case .partitionsMonthsRetired: .counter("Months that this daemon has retired.", [])
        case .partitionsMonthsClosed: .counter("Months that are over and were vacuumed and frozen.", [])
        case .partitionsRetirementFailures:
            .counter("Tries to retire or close a month that failed; the log says why, and the next try goes on.", [])
        case .archiveBytesWritten: .counter("Bytes of archives of months, compressed.", [])
        case .logLinesDropped: .counter("Log lines that nobody read in time, or that could not be written.", [])
        case .processResidentMemory: .gauge("Memory of the daemon, without its PostgreSQL.", [])
        case .processCPU: .counter("Processor time of the daemon, without its PostgreSQL.", [])
        case .buildInfo: .gauge("Always 1; the version is the label.", [.version])
        }
    }
}

extension MetricName {
    /// What tables, logs and `--stage` call a timer; nil for other metrics. A label's value follows after a colon.
    package var stage: String? {
        switch self {
        case .pipelineDurable: "received_to_durable"
        case .pipelineCommit: "durable_to_committed"
        case .pipelineWhole: "received_to_committed"
        case .spoolQueueDuration: "spool_queue"
        case .spoolSyncDuration: "fsync"
        case .writerQueueDuration: "writer_queue"
        case .writerCopyDuration: "copy"
        case .writerProjectionDuration: "projection"
        case .writerCommitDuration: "commit"
        case .httpRequestDuration: "http"
        case .readQueryDuration: "query"
        default: nil
        }
    }

    /// The timers in the order of tables: the whole way first, then its parts.
    package static let stages: [MetricName] = [
        .pipelineDurable, .pipelineCommit, .pipelineWhole, .spoolQueueDuration, .spoolSyncDuration,
        .writerQueueDuration, .writerCopyDuration, .writerProjectionDuration, .writerCommitDuration,
        .httpRequestDuration, .readQueryDuration,
    ]
}

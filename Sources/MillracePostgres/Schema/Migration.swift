/// One step of the schema and the way back. The text is that of `sql/migrations`, compiled in, so that the binary is all
/// there is to install.
package struct Migration: Sendable, Hashable {
    /// From 1, without a gap.
    package let version: Int
    package let title: String
    package let up: String
    package let down: String
    /// Tables and views that either of both locks against those who write, with their schema; those beneath a partitioned
    /// table with it. Each is there before and after.
    package let locked: [String]
    /// Keys that it gives to tables, whose indexes are built before.
    package let keys: Keys?

    package struct Keys: Sendable, Hashable {
        package var up: [PrimaryKey]
        package var down: [PrimaryKey]

        package init(up: [PrimaryKey], down: [PrimaryKey]) {
            self.up = up
            self.down = down
        }
    }

    package init(
        version: Int, title: String, up: String, down: String, locked: [String] = [], keys: Keys? = nil
    ) {
        self.version = version
        self.title = title
        self.up = up
        self.down = down
        self.locked = locked
        self.keys = keys
    }

    private init(
        _ version: Int, _ title: String, up: [UInt8], down: [UInt8], locked: [String] = [], keys: Keys? = nil
    ) {
        self.init(
            version: version, title: title,
            up: String(decoding: up, as: UTF8.self), down: String(decoding: down, as: UTF8.self), locked: locked,
            keys: keys)
    }

    func keys(_ direction: MigrationRecord.Direction) -> [PrimaryKey]? {
        direction == .up ? keys?.up : keys?.down
    }

    /// As the file is named: `0001_analytics_events`.
    package var name: String {
        let digits = String(version)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits + "_" + title
    }

    /// All that this version of Millrace knows, in order.
    package static let all: [Migration] = [
        Migration(
            1, "analytics_events",
            up: PackageResources._001_analytics_events_up_sql, down: PackageResources._001_analytics_events_down_sql),
        Migration(
            2, "conversations",
            up: PackageResources._002_conversations_up_sql, down: PackageResources._002_conversations_down_sql),
        Migration(
            3, "ledger",
            up: PackageResources._003_ledger_up_sql, down: PackageResources._003_ledger_down_sql),
        Migration(
            4, "dead_letters",
            up: PackageResources._004_dead_letters_up_sql, down: PackageResources._004_dead_letters_down_sql),
        Migration(
            5, "event_ids",
            up: PackageResources._005_event_ids_up_sql, down: PackageResources._005_event_ids_down_sql),
        Migration(
            6, "projections",
            up: PackageResources._006_projections_up_sql, down: PackageResources._006_projections_down_sql),
        Migration(
            7, "projection_versions",
            up: PackageResources._007_projection_versions_up_sql,
            down: PackageResources._007_projection_versions_down_sql,
            locked: ["public.ingest_batches", "public.analytics_events", "public.conversations"]),
        Migration(
            8, "outbox",
            up: PackageResources._008_outbox_up_sql, down: PackageResources._008_outbox_down_sql),
        Migration(
            9, "conversation_search",
            up: PackageResources._009_conversation_search_up_sql,
            down: PackageResources._009_conversation_search_down_sql,
            locked: ["public.user_questions_complete", "public.conversations"]),
        Migration(
            10, "ingest_runs",
            up: PackageResources._010_ingest_runs_up_sql, down: PackageResources._010_ingest_runs_down_sql),
        Migration(
            11, "millrace_database",
            up: PackageResources._011_millrace_database_up_sql, down: PackageResources._011_millrace_database_down_sql),
        Migration(
            12, "joined_batches",
            up: PackageResources._012_joined_batches_up_sql,
            down: PackageResources._012_joined_batches_down_sql,
            locked: ["public.ingest_batches"]),
        Migration(
            13, "bounded_refusals",
            up: PackageResources._013_bounded_refusals_up_sql,
            down: PackageResources._013_bounded_refusals_down_sql,
            locked: ["public.dead_letters", "public.ingest_batches"]),
        Migration(
            14, "parked_constraints",
            up: PackageResources._014_parked_constraints_up_sql,
            down: PackageResources._014_parked_constraints_down_sql,
            locked: ["projections.parked"]),
        Migration(
            15, "parked_events_index",
            up: PackageResources._015_parked_events_index_up_sql,
            down: PackageResources._015_parked_events_index_down_sql,
            locked: ["projections.parked"]),
        Migration(
            16, "waiting_events",
            up: PackageResources._016_waiting_events_up_sql, down: PackageResources._016_waiting_events_down_sql,
            locked: ["projections.parked"]),
        Migration(
            17, "conversation_statuses",
            up: PackageResources._017_conversation_statuses_up_sql,
            down: PackageResources._017_conversation_statuses_down_sql),
        Migration(
            18, "conversations_guard",
            up: PackageResources._018_conversations_guard_up_sql,
            down: PackageResources._018_conversations_guard_down_sql,
            locked: ["public.conversations"]),
        Migration(
            19, "session_tenant",
            up: PackageResources._019_session_tenant_up_sql, down: PackageResources._019_session_tenant_down_sql,
            locked: ["public.user_questions_complete"]),
        Migration(
            20, "pack_functions",
            up: PackageResources._020_pack_functions_up_sql, down: PackageResources._020_pack_functions_down_sql),
        Migration(
            21, "password_hashes",
            up: PackageResources._021_password_hashes_up_sql, down: PackageResources._021_password_hashes_down_sql),
        Migration(
            22, "access_keys",
            up: PackageResources._022_access_keys_up_sql, down: PackageResources._022_access_keys_down_sql),
        Migration(
            23, "audit_log",
            up: PackageResources._023_audit_log_up_sql, down: PackageResources._023_audit_log_down_sql),
        Migration(
            24, "tenant_columns",
            up: PackageResources._024_tenant_columns_up_sql, down: PackageResources._024_tenant_columns_down_sql,
            locked: ["public.event_ids", "projections.parked"]),
        Migration(
            25, "tenant_keys",
            up: PackageResources._025_tenant_keys_up_sql, down: PackageResources._025_tenant_keys_down_sql,
            locked: PrimaryKey.withTenants.map(\.table),
            keys: Keys(up: PrimaryKey.withTenants, down: PrimaryKey.withoutTenants)),
        Migration(
            26, "row_security",
            up: PackageResources._026_row_security_up_sql, down: PackageResources._026_row_security_down_sql,
            locked: [
                "public.user_questions_complete", "public.event_ids", "public.outbox", "public.dead_letters",
                "public.conversation_statuses", "public.conversations", "public.analytics_events", "projections.parked",
                "public.user_erasures", "public.password_hashes",
            ]),
        Migration(
            27, "erasures",
            up: PackageResources._027_erasures_up_sql, down: PackageResources._027_erasures_down_sql),
        Migration(
            28, "partition_months",
            up: PackageResources._028_partition_months_up_sql, down: PackageResources._028_partition_months_down_sql),
        Migration(
            29, "decrypt_scope",
            up: PackageResources._029_decrypt_scope_up_sql, down: PackageResources._029_decrypt_scope_down_sql,
            locked: ["public.access_keys"]),
        Migration(
            30, "operations",
            up: PackageResources._030_operations_up_sql, down: PackageResources._030_operations_down_sql),
        Migration(
            31, "quarantined_letters",
            up: PackageResources._031_quarantined_letters_up_sql,
            down: PackageResources._031_quarantined_letters_down_sql,
            locked: ["public.dead_letters"]),
        Migration(
            32, "compatible_versions",
            up: PackageResources._032_compatible_versions_up_sql,
            down: PackageResources._032_compatible_versions_down_sql),
        Migration(
            33, "erasure_progress",
            up: PackageResources._033_erasure_progress_up_sql, down: PackageResources._033_erasure_progress_down_sql,
            locked: ["public.erasure_keys", "public.erasure_spools", "public.erasures"]),
        Migration(
            34, "read_documents",
            up: PackageResources._034_read_documents_up_sql, down: PackageResources._034_read_documents_down_sql),
    ]
}

/// Where one migration stands in a database.
package struct MigrationStatus: Sendable, Hashable {
    package enum State: String, Sendable {
        case applied
        case pending
        /// Applied, but with another text than this version of Millrace has.
        case changed
        /// Applied by a newer version of Millrace.
        case unknown
    }

    package var version: Int
    package var title: String
    package var state: State
    /// When it was applied, as PostgreSQL writes a timestamptz, UTC; nil while pending.
    package var appliedAt: String?
}

/// One line of the history: a migration that was applied or undone.
package struct MigrationRecord: Sendable, Hashable {
    package enum Direction: String, Sendable {
        case up
        case down
    }

    package var version: Int
    package var title: String
    package var direction: Direction
    /// When it was done, as PostgreSQL writes a timestamptz, UTC.
    package var at: String
    /// The role that did it.
    package var role: String
}

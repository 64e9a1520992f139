/// The migrator's own tables: what is applied, and every up and down there was. Blocks.
struct MigrationTables {
    let connection: PostgresConnection

    struct Applied {
        var version: Int
        var title: String
        var checksum: String
        var appliedAt: String
    }

    var areThere: Bool {
        get throws(PostgresError) {
            // By reading the catalog: the name alone may be looked up in what this session knew before it waited for others.
            try connection.execute(
                "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = to_regclass('public.millrace_migrations'))"
            ).bool(0, 0) ?? false
        }
    }

    func create() throws(PostgresError) {
        guard try !areThere else { return }
        try connection.execute(
            """
            CREATE TABLE public.millrace_migrations (
                version integer NOT NULL,
                title text NOT NULL,
                checksum text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
                CONSTRAINT millrace_migrations_pkey PRIMARY KEY (version)
            );
            CREATE TABLE public.millrace_migration_history (
                at timestamptz NOT NULL DEFAULT clock_timestamp(),
                version integer NOT NULL,
                title text NOT NULL,
                direction text NOT NULL,
                checksum text NOT NULL,
                role text NOT NULL DEFAULT current_user,
                CONSTRAINT millrace_migration_history_pkey PRIMARY KEY (at, version),
                CONSTRAINT millrace_migration_history_direction_check CHECK (direction IN ('up', 'down'))
            );
            """)
    }

    /// Of the newest one that is applied; 0: none is.
    func version() throws(PostgresError) -> Int {
        try connection.execute("SELECT max(version) FROM public.millrace_migrations").count(0, 0)
    }

    /// In order.
    func applied() throws(PostgresError) -> [Applied] {
        let result = try connection.execute(
            """
            SELECT version, title, checksum, applied_at::text
            FROM public.millrace_migrations
            ORDER BY version
            """)
        return (0..<result.rowCount).map { row in
            Applied(
                version: result.int(row, 0) ?? 0,
                title: result.string(row, 1) ?? "",
                checksum: result.string(row, 2) ?? "",
                appliedAt: result.string(row, 3) ?? "")
        }
    }

    func record(_ migration: Migration, _ direction: MigrationRecord.Direction) throws(PostgresError) {
        let checksum = try checksum(migration)
        switch direction {
        case .up:
            try connection.query(
                "INSERT INTO public.millrace_migrations (version, title, checksum) VALUES ($1, $2, $3)",
                parameters: [.integer(migration.version), .text(migration.title), .text(checksum)])
        case .down:
            try connection.query(
                "DELETE FROM public.millrace_migrations WHERE version = $1",
                parameters: [.integer(migration.version)])
        }
        try connection.query(
            """
            INSERT INTO public.millrace_migration_history (version, title, direction, checksum)
            VALUES ($1, $2, $3, $4)
            """,
            parameters: [
                .integer(migration.version), .text(migration.title), .text(direction.rawValue), .text(checksum),
            ])
    }

    /// SHA-256 of both texts, computed by the server.
    func checksum(_ migration: Migration) throws(PostgresError) -> String {
        let result = try connection.query(
            "SELECT encode(sha256(convert_to($1, 'UTF8')), 'hex')",
            parameters: [.text(migration.up + "\n" + migration.down)])
        return result.string(0, 0) ?? ""
    }
}

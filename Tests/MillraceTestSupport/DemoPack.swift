internal import FoundationEssentials
package import MillraceProjections

/// A pack with a fold of each kind over made-up orders, for tests.
package enum DemoPack {
    /// Read from a folder as an operator's pack is. `replacing`: in pack.toml and up.sql.
    package static func load(replacing replacements: [(String, String)] = []) throws -> PackDefinition {
        let directory = try ScratchDirectory()
        let folder = "\(directory.path)/demo"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for (name, text) in [("pack.toml", toml), ("up.sql", up), ("down.sql", "-- gone with the database")] {
            var text = text
            for (old, new) in replacements { text = text.replacing(old, with: new) }
            try Data(text.utf8).write(to: URL(filePath: "\(folder)/\(name)"))
        }
        return try withExtendedLifetime(directory) { try PackLoader(directory: directory.path).load("demo") }
    }

    /// Replacements that make its table of sketches one of an older pack: each in one row.
    package static let wholeSketches = [
        ("chunk smallint NOT NULL,\n", "\n"), ("bucket, number, slot, chunk)", "bucket, number, slot)"),
    ]

    private static let toml = """
        pack = "demo"
        version = 1
        title = "Orders, for tests"

        [[fold]]
        name = "by_day"
        kind = "counter"
        events = ["order.*"]
        bucket = "day"
        by = { status = "payload.status", number = "payload.number" }
        sums = { total = "payload.total" }

        [[fold]]
        name = "top_users"
        kind = "top"
        events = ["*"]
        by = { user_id = "user_id" }

        [[fold]]
        name = "visitors"
        kind = "unique"
        events = ["*"]
        bucket = "month"
        by = { number = "payload.number" }
        of = "user_id"

        [[fold]]
        name = "orders"
        kind = "entity"
        events = ["order.saved"]
        deletes = ["order.deleted"]
        key = { id = "payload.id" }
        columns = { status = { field = "payload.status", default = "NEW" }, total = "payload.total", \
        saved_at = "payload.saved_at", tags = "payload.tags", user_id = "user_id", note = "payload.tags.note" }

        [[fold.counts]]
        name = "orders_by_status"
        by = ["status"]
        bucket = { column = "saved_at", unit = "day" }
        sums = ["total"]

        [[fold]]
        name = "lines"
        kind = "append"
        events = ["line.added"]
        columns = { order_id = "payload.id", text = { field = "payload.text", default = "it's empty" } }
        """

    private static let up = """
        CREATE TABLE demo_by_day (
            tenant_id integer NOT NULL DEFAULT 0,
            bucket timestamptz NOT NULL,
            status text NOT NULL,
            number numeric NOT NULL,
            slot smallint NOT NULL,
            n bigint NOT NULL,
            total numeric NOT NULL,
            PRIMARY KEY (tenant_id, bucket, status, number, slot)
        );
        CREATE TABLE demo_top_users (
            tenant_id integer NOT NULL DEFAULT 0,
            user_id uuid NOT NULL,
            n bigint NOT NULL,
            PRIMARY KEY (tenant_id, user_id)
        );
        CREATE TABLE demo_visitors (
            tenant_id integer NOT NULL DEFAULT 0,
            bucket timestamptz NOT NULL,
            number numeric NOT NULL,
            slot smallint NOT NULL,
            chunk smallint NOT NULL,
            sketch bytea NOT NULL,
            PRIMARY KEY (tenant_id, bucket, number, slot, chunk)
        );
        CREATE TYPE demo_status AS ENUM ('NEW', 'PAID', 'SENT');
        CREATE TABLE demo_orders (
            tenant_id integer NOT NULL DEFAULT 0,
            id bigint NOT NULL,
            event_at timestamptz NOT NULL,
            event_id uuid NOT NULL,
            deleted_at timestamptz,
            status demo_status,
            total numeric(12, 2),
            saved_at timestamptz,
            tags jsonb,
            note varchar(20),
            user_id uuid,
            PRIMARY KEY (tenant_id, id),
            CONSTRAINT demo_orders_total_check CHECK (total >= 0)
        );
        CREATE TABLE demo_orders_by_status (
            tenant_id integer NOT NULL DEFAULT 0,
            status demo_status NOT NULL,
            bucket timestamptz NOT NULL,
            slot smallint NOT NULL,
            n bigint NOT NULL,
            total numeric NOT NULL,
            PRIMARY KEY (tenant_id, status, bucket, slot)
        );
        CREATE TABLE demo_lines (
            tenant_id integer NOT NULL DEFAULT 0,
            event_id uuid NOT NULL,
            event_at timestamptz NOT NULL,
            order_id bigint,
            text text,
            PRIMARY KEY (tenant_id, event_at, event_id)
        );
        """
}

internal import FoundationEssentials

/// A pack of an operator, with a fold of each kind, in a directory for `projections.directory`. It folds events
/// `shop.order_saved {id, status, total, customer}`, `shop.order_deleted {id}` and `shop.noted {order, text}`.
package struct ShopPack: Sendable {
    package static let name = "shop"

    /// For `projections.directory`.
    package let directory: String

    /// Writes the files of version 1.
    package init(in scratch: ScratchDirectory) throws {
        directory = scratch.path + "/packs"
        try write(version: 1)
    }

    /// Puts the files of a version in the place of those there are: from 2 on with orders by hour.
    ///
    /// - Parameter suffix: more of up.sql, which changes the definition.
    package func write(version: Int, suffix: String = "") throws {
        let folder = directory + "/" + Self.name
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let isNewer = version > 1
        let files = [
            "pack.toml": Self.toml(version) + (isNewer ? Self.hourFold : ""),
            "up.sql": Self.up + (isNewer ? Self.hourTable : "") + suffix,
            "down.sql": (isNewer ? "DROP TABLE shop_orders_by_hour;\n" : "") + Self.down,
        ]
        for (name, text) in files {
            try Data(text.utf8).write(to: URL(filePath: "\(folder)/\(name)"))
        }
    }

    private static func toml(_ version: Int) -> String {
        """
        pack = "shop"
        version = \(version)
        title = "Orders"

        [[fold]]
        name = "orders_by_day"
        kind = "counter"
        events = ["shop.order_saved"]
        bucket = "day"
        by = { status = "payload.status" }
        sums = { total = "payload.total" }

        [[fold]]
        name = "top_customers"
        kind = "top"
        events = ["shop.order_saved"]
        bucket = "none"
        by = { customer = "payload.customer" }

        [[fold]]
        name = "customers"
        kind = "unique"
        events = ["shop.order_saved"]
        bucket = "day"
        of = "payload.customer"

        [[fold]]
        name = "orders"
        kind = "entity"
        events = ["shop.order_saved"]
        deletes = ["shop.order_deleted"]
        key = { id = "payload.id" }
        columns = { status = "payload.status", total = "payload.total", customer = "payload.customer" }

        [[fold.counts]]
        name = "orders_by_status"
        by = ["status"]
        sums = ["total"]

        [[fold]]
        name = "notes"
        kind = "append"
        events = ["shop.noted"]
        columns = { "order" = "payload.order", text = "payload.text" }

        """
    }

    private static let hourFold = """

        [[fold]]
        name = "orders_by_hour"
        kind = "counter"
        events = ["shop.order_saved"]
        bucket = "hour"

        """

    private static let hourTable = """

        CREATE TABLE shop_orders_by_hour (
            tenant_id integer NOT NULL DEFAULT 0,
            bucket timestamptz NOT NULL,
            slot smallint NOT NULL,
            n bigint NOT NULL,
            PRIMARY KEY (tenant_id, bucket, slot)
        ) WITH (fillfactor = 70);

        """

    private static let up = """
        -- Why: a fold of each kind.
        CREATE TYPE shop_status AS ENUM ('NEW', 'PAID', 'SHIPPED');

        CREATE TABLE shop_orders_by_day (
            tenant_id integer NOT NULL DEFAULT 0,
            status text NOT NULL,
            bucket timestamptz NOT NULL,
            slot smallint NOT NULL,
            n bigint NOT NULL,
            total numeric NOT NULL,
            PRIMARY KEY (tenant_id, bucket, status, slot)
        ) WITH (fillfactor = 70);

        CREATE TABLE shop_top_customers (
            tenant_id integer NOT NULL DEFAULT 0,
            customer text NOT NULL,
            n bigint NOT NULL,
            PRIMARY KEY (tenant_id, customer)
        );
        CREATE INDEX shop_top_customers_n_idx ON shop_top_customers (tenant_id, n DESC, customer);

        CREATE TABLE shop_customers (
            tenant_id integer NOT NULL DEFAULT 0,
            bucket timestamptz NOT NULL,
            slot smallint NOT NULL,
            chunk smallint NOT NULL,
            sketch bytea NOT NULL,
            PRIMARY KEY (tenant_id, bucket, slot, chunk)
        ) WITH (fillfactor = 70);

        CREATE TABLE shop_orders (
            tenant_id integer NOT NULL DEFAULT 0,
            id bigint NOT NULL,
            status shop_status,
            total numeric(12, 2),
            customer text,
            event_at timestamptz NOT NULL,
            event_id uuid NOT NULL,
            deleted_at timestamptz,
            PRIMARY KEY (tenant_id, id),
            CHECK (deleted_at IS NOT NULL OR (status IS NOT NULL AND total IS NOT NULL))
        );

        CREATE TABLE shop_orders_by_status (
            tenant_id integer NOT NULL DEFAULT 0,
            status shop_status NOT NULL,
            slot smallint NOT NULL,
            n bigint NOT NULL,
            total numeric NOT NULL,
            PRIMARY KEY (tenant_id, status, slot)
        ) WITH (fillfactor = 70);

        CREATE TABLE shop_notes (
            tenant_id integer NOT NULL DEFAULT 0,
            event_id uuid NOT NULL,
            event_at timestamptz NOT NULL,
            "order" bigint,
            text text,
            PRIMARY KEY (tenant_id, event_at, event_id)
        );

        CREATE VIEW shop_open_orders AS
        SELECT * FROM shop_orders WHERE deleted_at IS NULL AND status <> 'SHIPPED';

        CREATE FUNCTION shop_open_total(wanted shop_status) RETURNS numeric
        LANGUAGE sql STABLE
        AS 'SELECT COALESCE(sum(total), 0) FROM shop_open_orders WHERE status = wanted';

        """

    private static let down = """
        -- Why: undoes up.sql.
        DROP FUNCTION shop_open_total(shop_status);
        DROP VIEW shop_open_orders;
        DROP TABLE shop_notes, shop_orders_by_status, shop_orders, shop_customers, shop_top_customers, shop_orders_by_day;
        DROP TYPE shop_status;

        """
}

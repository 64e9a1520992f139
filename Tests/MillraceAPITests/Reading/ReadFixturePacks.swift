import FoundationEssentials

/// The files of two packs that have every kind of fold.
struct ReadFixturePacks {
    func write(to directory: String) throws {
        for (name, toml, sql) in [("shop", Self.shop, Self.shopSQL), ("conversations", Self.talk, Self.talkSQL)] {
            let folder = "\(directory)/\(name)"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            for (file, text) in [("pack.toml", toml), ("up.sql", sql), ("down.sql", "SELECT 1;\n")] {
                try Data(text.utf8).write(to: URL(filePath: "\(folder)/\(file)"))
            }
        }
    }

    private static let shop = """
        pack = "shop"
        version = 1
        title = "Orders and their notes"

        [[fold]]
        name = "orders_by_hour"
        kind = "counter"
        events = ["shop.order"]
        bucket = "hour"
        by = { region = "payload.region", channel = "payload.channel" }
        sums = { total = "payload.total" }

        [[fold]]
        name = "buyers"
        kind = "top"
        events = ["shop.order"]
        bucket = "none"
        by = { user_id = "user_id" }

        [[fold]]
        name = "regions_of_day"
        kind = "top"
        events = ["shop.order"]
        bucket = "day"
        by = { region = "payload.region" }

        [[fold]]
        name = "visitors"
        kind = "unique"
        events = ["*"]
        bucket = "day"
        by = { region = "payload.region" }
        of = "user_id"

        [[fold]]
        name = "orders"
        kind = "entity"
        events = ["shop.order"]
        deletes = ["shop.order_deleted"]
        key = { id = "payload.id" }
        columns = { user_id = "user_id", status = "payload.status", total = "payload.total", created_at = "payload.created_at", tags = "payload.tags" }
        [[fold.counts]]
        name = "orders_by_status"
        by = ["user_id", "status"]
        sums = ["total"]

        [[fold]]
        name = "notes"
        kind = "append"
        events = ["shop.note"]
        columns = { order_id = "payload.order_id", text = "payload.text" }
        """

    private static let shopSQL = """
        -- Why: tables for the tests.
        CREATE TYPE shop_status AS ENUM ('NEW', 'PAID');
        CREATE TABLE shop_orders_by_hour (
            tenant_id integer NOT NULL DEFAULT 0, region text NOT NULL, channel text NOT NULL,
            bucket timestamptz NOT NULL, slot smallint NOT NULL, n bigint NOT NULL, total numeric NOT NULL DEFAULT 0,
            PRIMARY KEY (tenant_id, bucket, region, channel, slot)
        );
        CREATE TABLE shop_buyers (
            tenant_id integer NOT NULL DEFAULT 0, user_id uuid NOT NULL, n bigint NOT NULL,
            PRIMARY KEY (tenant_id, user_id)
        );
        CREATE INDEX ON shop_buyers (tenant_id, n DESC, user_id);
        CREATE TABLE shop_regions_of_day (
            tenant_id integer NOT NULL DEFAULT 0, bucket timestamptz NOT NULL, region text NOT NULL, n bigint NOT NULL,
            PRIMARY KEY (tenant_id, bucket, region)
        );
        CREATE INDEX ON shop_regions_of_day (tenant_id, bucket, n DESC, region);
        CREATE TABLE shop_visitors (
            tenant_id integer NOT NULL DEFAULT 0, bucket timestamptz NOT NULL, region text NOT NULL,
            slot smallint NOT NULL, sketch bytea NOT NULL, PRIMARY KEY (tenant_id, bucket, region, slot)
        );
        CREATE TABLE shop_orders (
            tenant_id integer NOT NULL DEFAULT 0, id bigint NOT NULL, user_id uuid, status shop_status, total numeric,
            created_at timestamptz, tags text[], password_hash text, event_at timestamptz NOT NULL, event_id uuid NOT NULL,
            deleted_at timestamptz, PRIMARY KEY (tenant_id, id)
        );
        CREATE INDEX ON shop_orders (tenant_id, created_at DESC);
        CREATE INDEX ON shop_orders (tenant_id, user_id, created_at DESC);
        CREATE INDEX ON shop_orders (tenant_id, status);
        CREATE TABLE shop_orders_by_status (
            tenant_id integer NOT NULL DEFAULT 0, user_id uuid NOT NULL, status shop_status NOT NULL,
            slot smallint NOT NULL, n bigint NOT NULL, total numeric NOT NULL DEFAULT 0,
            PRIMARY KEY (tenant_id, user_id, status, slot)
        );
        CREATE TABLE shop_notes (
            tenant_id integer NOT NULL DEFAULT 0, order_id bigint, text text, event_at timestamptz NOT NULL,
            event_id uuid NOT NULL, PRIMARY KEY (tenant_id, event_at, event_id)
        );
        CREATE INDEX ON shop_notes (tenant_id, order_id, event_at);
        """

    private static let talk = """
        pack = "conversations"
        version = 1
        title = "Questions"

        [[fold]]
        name = "questions_by_source"
        kind = "counter"
        from = "conversations"
        bucket = "day"
        by = { source = "source" }

        [[fold]]
        name = "top_users"
        kind = "top"
        from = "conversations"
        bucket = "none"
        by = { user_id = "user_id" }

        [[fold]]
        name = "active_users"
        kind = "unique"
        from = "conversations"
        bucket = "day"
        by = {}
        of = "user_id"
        """

    private static let talkSQL = """
        -- Why: tables for the tests.
        CREATE TABLE conversations_questions_by_source (
            tenant_id integer NOT NULL DEFAULT 0, source text NOT NULL, bucket timestamptz NOT NULL,
            slot smallint NOT NULL, n bigint NOT NULL, PRIMARY KEY (tenant_id, source, bucket, slot)
        );
        CREATE TABLE conversations_top_users (
            tenant_id integer NOT NULL DEFAULT 0, user_id uuid NOT NULL, n bigint NOT NULL,
            PRIMARY KEY (tenant_id, user_id)
        );
        CREATE INDEX ON conversations_top_users (tenant_id, n DESC, user_id);
        CREATE TABLE conversations_active_users (
            tenant_id integer NOT NULL DEFAULT 0, bucket timestamptz NOT NULL, slot smallint NOT NULL,
            chunk smallint NOT NULL, sketch bytea NOT NULL, PRIMARY KEY (tenant_id, bucket, slot, chunk)
        );
        """
}

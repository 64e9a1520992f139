internal import FoundationEssentials
package import MillraceProjections

/// A pack whose rows go with others, for tests: houses, their rooms, what lies in these, and what both have. It folds
/// events `house.saved {id, name}`, `house.deleted {id}`, `room.saved {id, house, kind}`, `room.deleted {id}`,
/// `thing.put {room, text}` and `lamp.saved {id, house, room, watts}`, `lamp.deleted {id}`.
package enum HousePack {
    /// With these, `room.changed` and `lamp.changed` change single columns.
    package static let patches = [
        ("deletes = [\"room.deleted\"]", "deletes = [\"room.deleted\"]\npatches = [\"room.changed\"]"),
        ("deletes = [\"lamp.deleted\"]", "deletes = [\"lamp.deleted\"]\npatches = [\"lamp.changed\"]"),
    ]

    /// `replacing`: in pack.toml and up.sql.
    package static func load(replacing replacements: [(String, String)] = []) throws -> PackDefinition {
        let directory = try ScratchDirectory()
        let folder = "\(directory.path)/house"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for (name, text) in [("pack.toml", toml), ("up.sql", up), ("down.sql", "-- gone with the database")] {
            var text = text
            for (old, new) in replacements { text = text.replacing(old, with: new) }
            try Data(text.utf8).write(to: URL(filePath: "\(folder)/\(name)"))
        }
        return try withExtendedLifetime(directory) { try PackLoader(directory: directory.path).load("house") }
    }

    private static let toml = """
        pack = "house"
        version = 1
        title = "Houses, for tests"

        [[fold]]
        name = "things"
        kind = "append"
        events = ["thing.put"]
        columns = { room = "payload.room", text = "payload.text" }
        cascade = [{ from = "rooms", by = "room" }]

        [[fold]]
        name = "houses"
        kind = "entity"
        events = ["house.saved"]
        deletes = ["house.deleted"]
        key = { id = "payload.id" }
        columns = { name = "payload.name" }

        [[fold]]
        name = "rooms"
        kind = "entity"
        events = ["room.saved"]
        deletes = ["room.deleted"]
        key = { id = "payload.id" }
        columns = { house = "payload.house", kind = "payload.kind" }
        cascade = [{ from = "houses", by = "house" }]
        [[fold.counts]]
        name = "rooms_by_kind"
        by = ["house", "kind"]

        [[fold]]
        name = "lamps"
        kind = "entity"
        events = ["lamp.saved"]
        deletes = ["lamp.deleted"]
        key = { id = "payload.id" }
        columns = { house = "payload.house", room = "payload.room", watts = "payload.watts" }
        cascade = [{ from = "houses", by = "house" }, { from = "rooms", by = { room = "id" } }]
        [[fold.counts]]
        name = "lamps_by_room"
        by = ["room"]
        sums = ["watts"]
        """

    private static let up = """
        CREATE TABLE house_houses (
            tenant_id integer NOT NULL DEFAULT 0,
            id bigint NOT NULL,
            name text,
            event_at timestamptz NOT NULL,
            event_id uuid NOT NULL,
            deleted_at timestamptz,
            PRIMARY KEY (tenant_id, id)
        );
        CREATE TABLE house_rooms (
            tenant_id integer NOT NULL DEFAULT 0,
            id bigint NOT NULL,
            house bigint,
            kind text,
            event_at timestamptz NOT NULL,
            event_id uuid NOT NULL,
            deleted_at timestamptz,
            PRIMARY KEY (tenant_id, id),
            CHECK (kind <> 'no room')
        );
        CREATE TABLE house_rooms_by_kind (
            tenant_id integer NOT NULL DEFAULT 0,
            house bigint NOT NULL,
            kind text NOT NULL,
            slot smallint NOT NULL,
            n bigint NOT NULL,
            PRIMARY KEY (tenant_id, house, kind, slot)
        );
        CREATE TABLE house_lamps (
            tenant_id integer NOT NULL DEFAULT 0,
            id text NOT NULL,
            house bigint,
            room bigint,
            watts numeric,
            event_at timestamptz NOT NULL,
            event_id uuid NOT NULL,
            deleted_at timestamptz,
            PRIMARY KEY (tenant_id, id)
        );
        CREATE TABLE house_lamps_by_room (
            tenant_id integer NOT NULL DEFAULT 0,
            room bigint NOT NULL,
            slot smallint NOT NULL,
            n bigint NOT NULL,
            watts numeric NOT NULL,
            PRIMARY KEY (tenant_id, room, slot)
        );
        CREATE TABLE house_things (
            tenant_id integer NOT NULL DEFAULT 0,
            event_at timestamptz NOT NULL,
            event_id uuid NOT NULL,
            room bigint,
            text text,
            deleted_at timestamptz,
            PRIMARY KEY (tenant_id, event_at, event_id)
        );
        """
}

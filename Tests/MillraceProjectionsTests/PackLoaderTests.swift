import Foundation
import MillraceProjections
import MillraceTestSupport
import Testing

struct PackLoaderTests {
    /// A folder `demo` with a pack.toml of `folds`.
    private static func load(_ folds: String, pack: String = "demo") throws -> PackDefinition {
        let directory = try ScratchDirectory()
        let folder = "\(directory.path)/demo"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let toml = "pack = \"\(pack)\"\nversion = 3\ntitle = \"Demo\"\n" + folds
        for (name, text) in [("pack.toml", toml), ("up.sql", "-- up"), ("down.sql", "-- down")] {
            try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
        }
        return try withExtendedLifetime(directory) { try PackLoader(directory: directory.path).load("demo") }
    }

    @Test func `the pack of analytics is compiled in`() throws {
        let pack = try PackLoader().load("analytics")
        #expect(pack.name == "analytics" && pack.hash.count == 64)
        #expect(pack.upSQL.contains("CREATE TABLE analytics_events_by_hour"))
        let counter = try #require(pack.folds.first { $0.name == "events_by_hour" })
        #expect(counter.table == "analytics_events_by_hour" && counter.source == .events([.any]))
        guard case .counter(let counted) = counter.kind else {
            Issue.record("events_by_hour is no counter")
            return
        }
        #expect(counted.bucket == .hour && counted.dimensions.map(\.column) == ["event_type"])
    }

    @Test func `every kind is read from a folder`() throws {
        let pack = try Self.load(
            """
            [[fold]]
            name = "revenue"
            kind = "counter"
            events = ["order.*", "refund"]
            bucket = "day"
            by = { currency = { field = "payload.currency", default = "EUR" } }
            sums = { total = "payload.amounts.0" }
            [[fold]]
            name = "askers"
            kind = "top"
            from = "conversations"
            by = { user_id = "user_id" }
            [[fold]]
            name = "orders"
            kind = "entity"
            table = "demo_all_orders"
            events = ["order.saved"]
            deletes = ["order.deleted"]
            key = { id = "payload.id" }
            columns = { status = { field = "payload.status", default = "NEW" }, total = "payload.total" }
            [[fold.counts]]
            name = "orders_by_status"
            by = ["status"]
            bucket = { column = "total", unit = "month" }
            sums = ["total"]
            [[fold]]
            name = "lines"
            kind = "append"
            events = ["line.added"]
            [fold.columns]
            text = "payload.text"
            """)
        #expect(pack.version == 3 && pack.folds.map(\.line) == [4, 11, 16, 29])
        guard case .counter(let revenue) = pack.folds[0].kind, case .top(let askers) = pack.folds[1].kind,
            case .entity(let orders) = pack.folds[2].kind, case .append(let columns) = pack.folds[3].kind
        else {
            Issue.record("the kinds are others: \(pack.folds)")
            return
        }
        #expect(revenue.dimensions[0].fallback == "EUR")
        #expect(revenue.sums[0].field == FieldPath(column: "payload", path: ["amounts", "0"]))
        #expect(askers.bucket == nil && pack.folds[1].source == .conversations)
        #expect(pack.folds[2].table == "demo_all_orders" && orders.deletes == [.exactly("order.deleted")])
        #expect(orders.counts.map(\.table) == ["demo_orders_by_status"] && orders.counts[0].line == 24)
        #expect(orders.counts[0].bucket == StatusCounts.Bucket(column: "total", unit: .month))
        #expect(columns.map(\.line) == [34])
    }

    @Test(arguments: [
        ("[[fold]]\nname = \"a\"\nkind = \"countr\"", 6, "the nearest is \"counter\""),
        ("[[fold]]\nname = \"a\"\nkind = \"counter\"\nevents = [\"*\"]\nbuket = \"day\"", 8, "known key is bucket"),
        ("[[fold]]\nname = \"a\"\nkind = \"counter\"\nevents = [\"*\"]\nbucket = \"week\"", 8, "\"month\", \"none\""),
        (
            "[[fold]]\nname = \"a\"\nkind = \"counter\"\nevents = [\"*\"]\nby = { t = \"event_typ\" }", 8,
            "the nearest is event_type"
        ),
        (
            "[[fold]]\nname = \"a\"\nkind = \"counter\"\nevents = [\"*\"]\nby = { t = \"user_id.x\" }", 8,
            "names behind payload"
        ),
        ("[[fold]]\nname = \"a\"\nkind = \"counter\"\nevents = [\"*\"]\nby = { n = \"event_type\" }", 8, "rename"),
        (
            "[[fold]]\nname = \"a\"\nkind = \"counter\"\nevents = [\"*\"]\nsums = { t = \"event_type\" }", 8,
            "is no number"
        ),
        ("[[fold]]\nname = \"a\"\nkind = \"counter\"", 4, "needs events"),
        ("[[fold]]\nname = \"a\"\nkind = \"counter\"\nevents = [\"a*\"]", 7, "a prefix like"),
        ("[[fold]]\nname = \"a\"\nkind = \"unique\"\nevents = [\"*\"]", 4, "needs of"),
        ("[[fold]]\nname = \"a\"\ntable = \"orders\"\nkind = \"append\"\nevents = [\"*\"]", 6, "demo_orders"),
        (
            "[[fold]]\nname = \"a\"\nkind = \"entity\"\nevents = [\"x.*\"]\ndeletes = [\"x.gone\"]\n"
                + "key = { id = \"payload.id\" }", 8, "deletes and events both take x.gone"
        ),
        ("[[fold]]\nname = \"a\"\nkind = \"entity\"\nevents = [\"x\"]", 4, "needs key"),
        (
            "[[fold]]\nname = \"a\"\nkind = \"entity\"\nevents = [\"x\"]\nkey = { id = \"payload.id\" }\n"
                + "[[fold.counts]]\nname = \"b\"\nby = [\"idd\"]", 11, "the nearest is id"
        ),
        (
            "[[fold]]\nname = \"a\"\nkind = \"append\"\nevents = [\"x\"]\n"
                + "[[fold]]\nname = \"a\"\nkind = \"append\"\nevents = [\"x\"]", 8, "there twice"
        ),
        ("[[fold]]\nname = \"a\nkind", 5, "is no TOML"),
        ("", 1, "needs a fold"),
    ])
    func `what is wrong is told with its line and its fix`(folds: String, line: Int, fix: String) throws {
        let errors = try #require(throws: PackErrors.self) { try Self.load(folds) }
        #expect(errors.errors.first?.line == line, "\(errors)")
        #expect(errors.description.contains(fix), "\(errors)")
        #expect(errors.errors.first?.file.hasSuffix("/demo/pack.toml") == true)
    }

    @Test func `a pack is named as its folder`() throws {
        let errors = try #require(throws: PackErrors.self) {
            try Self.load("[[fold]]\nname = \"a\"\nkind = \"append\"\nevents = [\"*\"]", pack: "other")
        }
        #expect(errors.description.contains("name both the same"))
    }

    @Test func `an unknown pack is told with those that are known`() throws {
        let errors = try #require(throws: PackErrors.self) { try PackLoader().load("analytic") }
        #expect(errors.errors.first?.code == .unknownPack)
        #expect(errors.description.contains("the nearest is \"analytics\""))
    }
}

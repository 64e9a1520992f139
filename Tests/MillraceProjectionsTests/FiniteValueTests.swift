import MillraceProjections
import MillraceTestSupport
import Testing

/// What is counted or added up must cancel when it is taken off again.
@Suite(.onOwnThreads) struct FiniteValueTests {
    /// The demo pack, with a double and a day that are counted by, and a double and a time that nobody counts.
    private static let pack = [
        (
            "note = \"payload.tags.note\" }",
            "note = \"payload.tags.note\", weight = \"payload.weight\", share = \"payload.share\", "
                + "day = \"payload.day\", ends_at = \"payload.ends_at\" }"
        ),
        ("by = [\"status\"]", "by = [\"status\", \"share\", \"day\"]"),
        (
            "note varchar(20),",
            "note varchar(20), weight double precision, share demo_share, day date, ends_at timestamptz,"
        ),
        (
            "status demo_status NOT NULL,\n",
            "status demo_status NOT NULL, share demo_share NOT NULL, day date NOT NULL,\n"
        ),
        ("PRIMARY KEY (tenant_id, status, bucket, slot)", "PRIMARY KEY (tenant_id, status, share, day, bucket, slot)"),
        ("CREATE TYPE demo_status", "CREATE DOMAIN demo_share AS double precision; CREATE TYPE demo_status"),
    ]

    private static func order(_ members: String) -> String {
        #"{"id":1,"number":1,"status":"PAID","share":0.5,"day":"2026-11-20","saved_at":"2026-11-20T10:00:00Z",\#(members)}"#
    }

    @Test(arguments: [
        #""NaN""#, #""nan""#, #"" NaN ""#, #""-NaN""#, #""nan(7)""#, #""inf""#, #""+Inf""#, #""Infinity""#,
        #""-infinity""#, #""\tINFINITY\n""#, #""-inf""#,
    ])
    func `a number that is not finite is parked where it is added up or a key, in whatever spelling`(
        value: String
    ) throws {
        let rig = try FoldRig("not finite \(value)", pack: DemoPack.load(replacing: Self.pack))
        var rows = EventRows()
        rows.append("order.saved", Self.order(#""total":\#(value)"#), number: 1)
        rows.append("order.saved", Self.order(#""total":10.25"#), number: 2)
        rows.append("order.saved", Self.order(#""number":\#(value),"total":1"#), number: 3)
        rows.append("order.saved", Self.order(#""share":\#(value),"total":2"#), number: 4)
        for row in rows.rows { try rig.fold([row]) }
        #expect(
            try rig.parked() == [
                "by_day not_finite 1", "orders not_finite 1", "by_day not_finite 3", "visitors not_finite 3",
                "orders not_finite 4",
            ])
        #expect(try rig.strings("SELECT sum(total) FROM projections.demo_by_day") == ["12.25"])
        // The event whose `number` is parked elsewhere is the latest state.
        #expect(try rig.strings("SELECT sum(total) FROM projections.demo_orders_by_status") == ["1.00"])
    }

    @Test func `a time that is not finite is parked where it is counted by, and kept where it is not`() throws {
        let rig = try FoldRig(pack: DemoPack.load(replacing: Self.pack))
        var rows = EventRows()
        rows.append("order.saved", Self.order(#""saved_at":"infinity","total":1"#), number: 1)
        rows.append("order.saved", Self.order(#""saved_at":" -Infinity","total":1"#), number: 2)
        rows.append("order.saved", Self.order(#""day":"-INFINITY","total":1"#), number: 3)
        rows.append(
            "order.saved", Self.order(#""total":7,"ends_at":"infinity","weight":"NaN","saved_at":"epoch""#), number: 4)
        rows.append("order.saved", Self.order(#""day":"nancy","total":1"#), number: 5)
        try rig.fold(rows.rows)
        #expect(
            try rig.parked() == [
                "orders not_finite 1", "orders not_finite 2", "orders not_finite 3", "orders not_finite 5",
            ])
        #expect(
            try rig.strings("SELECT concat_ws(' ', total, ends_at, weight) FROM projections.demo_orders")
                == ["7.00 infinity NaN"])
        #expect(
            try rig.strings(
                "SELECT concat_ws(' ', bucket AT TIME ZONE 'UTC', n, total) FROM projections.demo_orders_by_status")
                == ["1970-01-01 00:00:00 1 7.00"])
    }

    @Test func `a deletion is taken whatever else its payload has, and a text may be NaN`() throws {
        let rig = try FoldRig(pack: DemoPack.load())
        var rows = EventRows()
        rows.append("order.saved", #"{"id":1,"number":1,"status":"NEW","tags":{"note":"NaN"}}"#, number: 1)
        rows.append("order.deleted", #"{"id":2,"number":1,"status":"infinity","saved_at":"infinity"}"#, number: 2)
        try rig.fold(rows.rows)
        #expect(try rig.parked() == [])
        #expect(try rig.strings("SELECT note FROM projections.demo_orders ORDER BY id") == ["NaN", "NULL"])
        #expect(
            try rig.strings("SELECT status FROM projections.demo_by_day ORDER BY status") == ["NEW", "infinity"])
    }

    @Test func `a default that is not finite is refused where it would be added up`() throws {
        let errors = try #require(throws: PackErrors.self) {
            try FoldRig(
                pack: DemoPack.load(replacing: [
                    (
                        "sums = { total = \"payload.total\" }",
                        "sums = { total = { field = \"payload.total\", default = \"NaN\" } }"
                    )
                ]))
        }
        #expect(errors.description.contains(":11: the default of demo_by_day.total is NaN"), "\(errors)")
    }

    @Test func `a whole number is one however it is written, and no other number is`() throws {
        let rig = try FoldRig(pack: DemoPack.load())
        var rows = EventRows()
        for (number, id) in ["7", "7.0", "7e0", "70e-1", "700.00e-2", #""7.00""#, #""7""#].enumerated() {
            rows.append("order.saved", #"{"id":\#(id),"number":1,"total":\#(number)}"#, number: UInt64(number))
        }
        try rig.fold(rows.rows)
        for row in rows.rows { try rig.fold([row]) }
        #expect(try rig.parked() == [])
        #expect(try rig.strings("SELECT concat_ws(' ', id, total) FROM projections.demo_orders") == ["7 6.00"])
        var others = EventRows()
        for (number, id) in ["7.5", "70.5e-1", "1e-1", #""7.""#, #"".0""#, #""7.0 ""#, "-8.0", "-0.0", "9e3"]
            .enumerated()
        {
            others.append("order.saved", #"{"id":\#(id),"number":1}"#, number: UInt64(number))
        }
        try rig.fold(others.rows)
        #expect(try rig.parked() == (0...5).map { "orders database \($0)" })
        #expect(
            try rig.strings("SELECT id FROM projections.demo_orders ORDER BY id") == ["-8", "0", "7", "9000"])
    }
}

import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import Testing

@Suite(.onOwnThreads) struct PackCheckTests {
    private static func errors(_ replacing: (String, String)...) throws -> String {
        let connection = try TestCluster.shared.database("pack check").connect()
        do {
            try PackFixture.install(DemoPack.load(replacing: replacing), on: connection)
            return ""
        } catch let errors as PackErrors {
            return errors.description
        }
    }

    @Test func `tables that fit are taken`() throws {
        #expect(try Self.errors() == "")
    }

    @Test(arguments: [
        ("CREATE TABLE demo_lines", "CREATE TABLE demo_line", ":41: up.sql makes no table demo_lines"),
        ("total numeric NOT NULL,", "total double precision NOT NULL,", ":11: demo_by_day.total is double precision"),
        ("n bigint NOT NULL,", "n integer NOT NULL,", "make it bigint"),
        ("sketch bytea", "sketch text", "demo_visitors.sketch is text; make it bytea"),
        ("slot smallint", "slot integer", "make it smallint"),
        ("order_id bigint,", "order_id bigint, seen_at timestamptz DEFAULT now(),", "isn't commutative"),
        ("order_id bigint,", "order_id bigint, row bigserial,", "isn't commutative"),
        ("order_id bigint,", "order_id bigint, extra text NOT NULL,", "nothing fills it"),
        ("saved_at timestamptz,", "saved_at timestamptz NOT NULL,", "CHECK (deleted_at IS NOT NULL OR saved_at"),
        ("tags jsonb", "tags json", "make it jsonb"),
        ("(tenant_id, event_at, event_id)", "(event_id)", "make it (tenant_id, event_at, event_id)"),
        ("(tenant_id, event_at, event_id)", "(tenant_id, event_id)", "make it (tenant_id, event_at, event_id)"),
        ("note varchar(20)", "notes varchar(20)", "has no column note; the nearest is notes"),
        ("user_id uuid,", "user_id bigint,", "demo_orders.user_id is bigint, and user_id does not fit; make it uuid"),
    ])
    func `tables that don't fit are told with line and fix`(old: String, new: String, fix: String) throws {
        let errors = try Self.errors((old, new))
        #expect(errors.contains(fix), "\(errors)")
    }
}

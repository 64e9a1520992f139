import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct OlderVersionTests {
        /// `make upgrade-test` runs a real older version; here a later migration is made up.
        @Test func `an older version keeps everything in its spool while newer tables are not for it`() throws {
            let installation = try Installation("olderVersion")
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            #expect(try daemon.stop() == .status(0))
            let connection = try installation.database.connect()
            try connection.execute(
                """
                INSERT INTO public.millrace_migrations (version, title, checksum) VALUES (9999, 'later', 'x');
                CREATE OR REPLACE FUNCTION public.millrace_compatible_from()
                    RETURNS integer LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
                AS $$ SELECT 9999 $$
                """)
            try daemon.start()
            #expect(try HTTPClient(daemon.http).postEvents(EventFactory(seed: 5).lines(0..<10)).status == 202)
            let isSaid = eventually {
                (try? Readiness.of(daemon)).map { !$0.writing && $0.reason?.contains("knows 9999 or more") == true }
                    ?? false
            }
            #expect(isSaid, "\(daemon.log)")
            #expect(try auditor.events == 0)
            try connection.execute(
                """
                DELETE FROM public.millrace_migrations WHERE version = 9999
                """)
            try auditor.waitForRows(10)
            try auditor.verify(daemon)
            #expect(try daemon.stop() == .status(0))
        }
    }
}

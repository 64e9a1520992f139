import MillraceTestSupport
import Testing

extension EndToEnd {
    struct RefusedRowTests {
        @Test(arguments: ["the parent", "a leaf"])
        func `a trigger that keeps every row out is told, crashes nothing, and loses nothing`(place: String) throws {
            let mishap = try Mishap("null_trigger")
            try mishap.makeTrigger(
                on: place == "a leaf" ? Mishap.leaf() : "public.analytics_events", "RETURN NULL;")
            #expect(try mishap.post(Mishap.events(50)).status == 202)
            try mishap.waitForStall("takes no row")
            #expect(try mishap.daemon.process.isRunning)
            #expect(mishap.daemon.log.contains("without an error"))
            #expect(try mishap.auditor.rows == 0)
            #expect(try mishap.auditor.integer("SELECT count(*) FROM public.dead_letters") == 0)
            try mishap.execute("DROP FUNCTION public.mishap CASCADE")
            try mishap.auditor.waitForRows(50)
            try mishap.waitForHealth()
            try mishap.auditor.verify(mishap.daemon)
            #expect(try mishap.daemon.stop() == .status(0))
        }

        @Test func `rows that a trigger keeps out of others are dead letters, never duplicates`() throws {
            let mishap = try Mishap()
            try mishap.makeTrigger(
                on: "public.analytics_events",
                "IF NEW.event_type = 'hidden' THEN RETURN NULL; END IF; RETURN NEW;")
            let twice = try Mishap.event(in: 0, "twice")
            let timeless = Mishap.event("hidden", #","id":"00000000-0000-4000-8000-000000000001""#)
            let lines = Mishap.events(10) + [twice, twice, try Mishap.event(in: 0, "hidden"), timeless, timeless]
            #expect(try mishap.post(lines, isAwaited: true).status == 200)
            #expect(try mishap.auditor.rows == 11)
            let report = try mishap.auditor.verify(mishap.daemon)
            #expect(report.total?.committed == 11 && report.total?.duplicate == 1 && report.total?.dead == 3)
            #expect(try mishap.auditor.integer("SELECT count(*) FROM public.event_ids") == 0)
            #expect(
                try mishap.auditor.strings(
                    "SELECT DISTINCT code || (message ~ 'kept the row out') FROM public.dead_letters")
                    == ["databasetrue"])
            #expect(mishap.daemon.log.contains("lines refused, now dead letters"))
            #expect(try mishap.daemon.stop() == .status(0))
        }

        @Test func `a trigger's own error for one row costs that row alone`() throws {
            let mishap = try Mishap()
            try mishap.makeTrigger(
                on: "public.analytics_events",
                "IF NEW.event_type = 'poison' THEN RAISE EXCEPTION 'no poison here'; END IF; RETURN NEW;")
            let lines = Mishap.events(60) + Mishap.events(1, "poison") + Mishap.events(39)
            #expect(try mishap.post(lines, isAwaited: true).status == 200)
            #expect(try mishap.auditor.rows == 99)
            #expect(
                try mishap.auditor.strings("SELECT code || ' ' || sqlstate || ' ' || message FROM public.dead_letters")
                    == ["database P0001 no poison here"])
            // Alone, with no other row that goes in after it.
            #expect(try mishap.post(Mishap.events(1, "poison"), isAwaited: true).status == 200)
            #expect(try mishap.auditor.integer("SELECT count(*) FROM public.dead_letters") == 2)
            try mishap.waitForHealth()
            try mishap.auditor.verify(mishap.daemon)
            #expect(try mishap.daemon.stop() == .status(0))
        }

        @Test func `a constraint that is checked at the commit costs its row alone`() throws {
            let mishap = try Mishap()
            let user = "843d440a-a7a7-45ee-96df-3568c37384b9"
            try mishap.execute(
                """
                CREATE TABLE public.known_users (id uuid PRIMARY KEY);
                INSERT INTO public.known_users VALUES ('\(user)');
                ALTER TABLE \(try Mishap.leaf()) ADD CONSTRAINT known FOREIGN KEY (user_id)
                    REFERENCES public.known_users DEFERRABLE INITIALLY DEFERRED
                """)
            let stranger = Mishap.event("page", #","user_id":"943d440a-a7a7-45ee-96df-3568c37384b9""#)
            let known = Mishap.event("page", #","user_id":"\#(user)""#)
            #expect(try mishap.post([known, stranger, known], isAwaited: true).status == 200)
            #expect(try mishap.auditor.rows == 2)
            #expect(try mishap.auditor.strings("SELECT sqlstate FROM public.dead_letters") == ["23503"])
            try mishap.auditor.verify(mishap.daemon)
            #expect(try mishap.daemon.stop() == .status(0))
        }

        @Test func `when no row goes in, none is moved, whatever the SQLSTATE, and all go in after the fix`() throws {
            let mishap = try Mishap()
            try mishap.execute("ALTER TABLE public.analytics_events ADD COLUMN region text NOT NULL")
            #expect(try mishap.post(Mishap.events(30)).status == 202)
            try mishap.waitForStall("23502")
            let save =
                #"{"conversation_id":"c","question":"q","response":"r","user_id":"843d440a-a7a7-45ee-96df-3568c37384b9"}"#
            // The other table takes rows; that says nothing of this one.
            #expect(try mishap.post([save], isAwaited: true).status == 200)
            #expect(try mishap.post(Mishap.events(30)).status == 202)
            try mishap.waitForStall("23502")
            #expect(try mishap.auditor.integer("SELECT count(*) FROM public.dead_letters") == 0)
            try mishap.execute("ALTER TABLE public.analytics_events ALTER COLUMN region DROP NOT NULL")
            try mishap.auditor.waitForRows(61)
            try mishap.waitForHealth()
            try mishap.auditor.verify(mishap.daemon)
            #expect(try mishap.daemon.stop() == .status(0))
        }
    }
}

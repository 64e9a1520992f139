import Testing

extension EndToEnd {
    /// The rules themselves: each refuses what Citus refuses, and nothing beside it.
    struct CitusRulesTests {
        @Test(arguments: [
            (CitusRules.Rule.systemColumn, "SELECT 1 FROM public.analytics_events_y2026m11 WHERE ctid >= '(0,0)'"),
            (.rowLock, "SELECT id FROM public.analytics_events AS stored WHERE id = $1 FOR UPDATE OF stored"),
            (.trigger, "CREATE TRIGGER t BEFORE UPDATE ON public.conversations FOR EACH ROW EXECUTE FUNCTION f()"),
            (.trigger, "ALTER TABLE public.event_ids ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES x (id)"),
            (.policy, "CREATE POLICY p ON public.conversations USING (tenant_id = (SELECT f()))"),
            (
                .detach,
                "ALTER TABLE public.analytics_events DETACH PARTITION public.analytics_events_y2026m11 CONCURRENTLY"
            ),
            (
                .detach,
                "ALTER TABLE public.analytics_events\\nDETACH PARTITION public.analytics_events_y2026m11 FINALIZE"
            ),
            (.conflict, "INSERT INTO public.event_ids (id) SELECT $1 ON CONFLICT (seen_at) DO NOTHING"),
            (.conflict, "INSERT INTO public.event_ids (id) SELECT $1 ON CONFLICT DO NOTHING"),
            (
                .conflict,
                "INSERT INTO public.event_ids (id) SELECT $1 ON CONFLICT (id, tenant_id) DO UPDATE SET seen_at = now()"
            ),
            (.distributionColumn, "UPDATE public.event_ids SET seen_at = $2, id = $1 WHERE id = $3"),
            (
                .localJoin,
                "SELECT 1 FROM public.analytics_events AS e JOIN projections.parked AS p ON p.event_id = e.id"
            ),
            (.localJoin, "DELETE FROM public.event_ids USING public.dead_letters AS l WHERE l.id = event_ids.id"),
            (
                .correlation,
                "SELECT 1 FROM pg_temp.millrace_stage AS staged WHERE NOT EXISTS (SELECT FROM public.conversations AS c WHERE c.id = staged.id)"
            ),
            (
                .correlation,
                "SELECT (SELECT b.folded FROM public.ingest_batches AS b WHERE b.batch_id = stored.batch_id) FROM public.conversations AS stored"
            ),
            (
                .localFunction,
                "SELECT id FROM public.conversations AS s WHERE s.status <> public.conversation_status(s.tenant_id, s.conversation_id, s.id)"
            ),
            (.volatileReturning, "INSERT INTO public.event_ids (id) SELECT $1 RETURNING extract(epoch FROM seen_at)"),
            (.severalStatements, "SET LOCAL x = 1; CREATE INDEX i ON public.conversations (id)"),
            (.severalStatements, "CREATE UNIQUE INDEX i ON public.conversations (id); SELECT 1"),
            (.keyFromIndex, "ALTER TABLE public.event_ids ADD CONSTRAINT k PRIMARY KEY USING INDEX i"),
            (
                .lateral,
                "SELECT id FROM public.conversations WHERE (SELECT sum(n) FROM jsonb_path_query(metadata, '$.**') AS f (value) CROSS JOIN LATERAL CAST(value AS numeric) AS m (n)) < 5"
            ),
            (
                .namelessRow,
                "COPY (SELECT row_to_json(line) FROM (SELECT id FROM public.conversations) AS line ORDER BY 1) TO STDOUT"
            ),
            (.shell, "SELECT gin_clean_pending_list(4711)"),
            (.shell, "BEGIN; SELECT brin_summarize_new_values(4711); COMMIT"),
        ])
        func `what Citus refuses is found`(rule: CitusRules.Rule, statement: String) {
            let sql = statement.replacing("\\n", with: "\n")
            #expect(CitusRules.check(sql) == [CitusRules.Violation(rule: rule, statement: sql)])
        }

        @Test(arguments: [
            "COPY public.analytics_events_y2026m11 (id, payload) FROM STDIN (FORMAT binary)",
            "INSERT INTO public.event_ids AS e (id) SELECT $1 ON CONFLICT (id, tenant_id) DO NOTHING RETURNING id, tenant_id",
            "INSERT INTO verify_counts SELECT batch_id, count(*) FROM public.conversations_y2026m11 GROUP BY batch_id",
            "INSERT INTO public.erased_rows AS e (batch_id, conversations) SELECT 1, 2 ON CONFLICT (batch_id) DO UPDATE SET conversations = 3",
            "WITH s AS MATERIALIZED (SELECT id, status FROM public.conversations) SELECT 1 FROM s WHERE s.status <> public.conversation_status(s.id)",
            "WITH s AS MATERIALIZED (SELECT id FROM public.conversations) SELECT (SELECT b.folded FROM public.ingest_batches AS b WHERE b.batch_id = s.batch_id) FROM s",
            "SELECT 1 FROM public.conversations WHERE batch_id NOT IN (SELECT batch_id FROM public.ingest_batches WHERE last_batch_id IS NULL)",
            "SELECT id FROM public.conversations WHERE public.prints_within(metadata, 5)",
            "COPY (SELECT row_to_json(line) FROM public.conversations AS line ORDER BY 1) TO STDOUT",
            "SELECT 1 FROM public.ingest_batches AS b WHERE ctid = $1 FOR UPDATE",
            "UPDATE public.conversations AS stored SET status = change.status FROM change WHERE stored.id = change.id",
            "SELECT 'public.event_ids FOR UPDATE', to_regclass('public.conversations')",
            "-- public.event_ids FOR UPDATE\\nSELECT 1",
            "SELECT result FROM run_command_on_all_nodes('SELECT gin_clean_pending_list(1)')",
            "CREATE INDEX CONCURRENTLY i ON public.analytics_events_y2026m11 USING gin (payload)",
            "SELECT 1 FROM projections.analytics_events_by_hour FOR UPDATE",
            "ALTER TABLE public.analytics_events DETACH PARTITION public.analytics_events_y2026m11",
        ])
        func `what Citus takes is left alone`(statement: String) {
            #expect(CitusRules.check(statement.replacing("\\n", with: "\n")).isEmpty)
        }
    }
}

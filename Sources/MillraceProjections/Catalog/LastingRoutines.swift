import MillracePostgres

/// The functions of a pack that outlive a switch, because they are replaced and not made anew: whoever is about to call one,
/// or waits in one for the switch to end, finds it. Those are the ones whose arguments and result are of types that no
/// version makes, and whose body is looked up when it runs. In the transaction of a switch; blocks.
struct LastingRoutines {
    private static let live = PackVersion.liveSchema

    let connection: PostgresConnection

    /// Gives the live functions of `pack` the definitions of those in `schema` of the same name, arguments and result, and
    /// drops the latter.
    ///
    /// - Returns: their entries in `projections.versions.objects`.
    func replace(of pack: String, from schema: String) throws(PostgresError) -> [String] {
        // Names are written out whole.
        try connection.execute("SET LOCAL search_path = pg_catalog")
        let pairs = try connection.query(Self.pairs, parameters: [.text(schema), .text("\(pack)_")])
        var kept: [String] = []
        for row in 0..<pairs.rowCount {
            let name = pairs.string(row, 0) ?? ""
            let (own, other) = (pairs.string(row, 1) ?? "", pairs.string(row, 2) ?? "")
            // "CREATE OR REPLACE FUNCTION schema.name(…": the schema stands there first.
            var definition = pairs.string(row, 3) ?? ""
            guard let place = definition.firstRange(of: " \(schema).") else { continue }
            definition.replaceSubrange(place, with: " \(Self.live).")
            try connection.execute(
                """
                \(definition);
                \(pairs.bool(row, 4) == true ? "GRANT EXECUTE ON ROUTINE \(own) TO" : "REVOKE EXECUTE ON ROUTINE \(own) FROM") PUBLIC;
                DROP ROUTINE \(other)
                """)
            kept.append("routine \(name)")
        }
        try connection.execute("SET LOCAL search_path TO DEFAULT")
        return kept
    }

    /// Live and new functions that are alone of their name, alike from outside, and depend on nothing of their version.
    private static let pairs = """
        WITH routine AS (
            SELECT oid, proname, pronamespace::regnamespace::text AS space, pronargdefaults,
                pg_get_function_identity_arguments(oid) AS arguments,
                coalesce(pg_get_function_result(oid), '') AS result, prokind,
                count(*) OVER (PARTITION BY pronamespace, proname) AS namesakes
            FROM pg_proc
            WHERE pronamespace IN ('\(live)'::regnamespace, $1::text::regnamespace)
                AND starts_with(proname, $2)
                AND prokind IN ('f', 'p')
                AND prorettype <> 'trigger'::regtype
        )
        SELECT old.proname, old.oid::regprocedure::text, new.oid::regprocedure::text, pg_get_functiondef(new.oid),
            has_function_privilege('public', new.oid, 'EXECUTE')
        FROM routine AS old
        JOIN routine AS new USING (proname, arguments, result, prokind)
        WHERE old.space = '\(live)' AND new.space = $1
            AND old.namesakes = 1 AND new.namesakes = 1
            AND new.pronargdefaults >= old.pronargdefaults
            AND NOT EXISTS (
                SELECT
                FROM pg_depend AS link
                LEFT JOIN pg_class ON link.refclassid = 'pg_class'::regclass AND pg_class.oid = link.refobjid
                LEFT JOIN pg_type ON link.refclassid = 'pg_type'::regclass AND pg_type.oid = link.refobjid
                LEFT JOIN pg_proc ON link.refclassid = 'pg_proc'::regclass AND pg_proc.oid = link.refobjid
                WHERE link.classid = 'pg_proc'::regclass AND link.objid IN (old.oid, new.oid)
                    AND coalesce(relnamespace, typnamespace, pronamespace)
                        IN ('\(live)'::regnamespace, $1::text::regnamespace)
            )
        ORDER BY old.proname
        """
}

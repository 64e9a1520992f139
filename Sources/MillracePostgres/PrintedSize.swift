/// Keeps documents from being read that would be too large once PostgreSQL prints their numbers: `1e131071` is 16 bytes in a
/// table and 131,072 on its way to a client. Millrace takes no such event; other programs may write what they like.
package enum PrintedSize {
    /// What no setting lets an event be larger than (`EventLimits.payloadTextBytesCeiling`).
    package static let bytesMax = 64 << 20
    /// A byte of jsonb becomes so many at most: 16 of them are a number of 147,455 digits.
    private static let growthMax = 9216

    /// `column` (jsonb), or NULL where the digits of its long numbers are too many: never up to `bytesMax`, always above
    /// twice as many. Prints nothing; a document that is stored in few bytes costs hardly anything, one that is compressed
    /// its decompression, and only a large one is walked through, by a function of migration 0034.
    package static func guarded(_ column: String, bytesMax: Int = bytesMax) -> String {
        // An empty object changes nothing but makes the server decompress, so that the size is the whole one.
        let bytesSafe = 2 * bytesMax / growthMax
        return """
            CASE
                WHEN pg_column_size(\(column)) <= \(bytesSafe)
                    AND (pg_column_compression(\(column)) IS NULL OR pg_column_size(\(column) || '{}') <= \(bytesSafe))
                THEN \(column)
                WHEN public.prints_within(\(column), \(2 * bytesMax)) THEN \(column)
            END
            """
    }
}

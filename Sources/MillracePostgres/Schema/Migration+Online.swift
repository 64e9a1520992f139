/// Indexes of months that a migration's `CREATE INDEX` on their parent would build while nobody can write. Built before, one
/// by one and CONCURRENTLY, they are found by it and taken as they are.
struct OnlineIndexes: Sendable {
    struct Index: Sendable {
        /// The partitioned table, with its schema.
        var table: String
        /// Of the parent's index, with its schema.
        var name: String
        /// What follows `ON table`.
        var definition: String
        /// Of a month's index: the month's name, `_`, and this.
        var suffix: String
    }

    /// What the indexes want, and may be there already; the migration makes it again, in the same words.
    var prelude: String?
    var indexes: [Index]
}

extension Migration {
    /// What is built before it; nil: nothing.
    var online: OnlineIndexes? {
        switch title {
        case "projection_versions":
            OnlineIndexes(
                indexes: ["analytics_events", "conversations"].map { table in
                    OnlineIndexes.Index(
                        table: "public.\(table)", name: "public.\(table)_batch_id_idx",
                        definition: "USING brin (batch_id) WITH (pages_per_range = 32)", suffix: "batch_id_idx")
                })
        case "conversation_search":
            OnlineIndexes(
                prelude: Self.repeatable(
                    String(up.prefix(upTo: up.firstRange(of: Self.view)?.lowerBound ?? up.startIndex))),
                indexes: [
                    OnlineIndexes.Index(
                        table: "public.conversations", name: "public.conversations_document_idx",
                        definition: "USING gin (public.conversation_document(question, response))",
                        suffix: "conversation_document_idx")
                ])
        default: nil
        }
    }

    /// Whether it wants something to be there before its transaction begins.
    func isPrepared(_ direction: MigrationRecord.Direction) -> Bool {
        keys(direction) != nil || direction == .up && (online != nil || ledgerParts != nil)
    }

    /// `up` with what the prelude of `online` has made already, and `ledgerParts`.
    var upOnline: String {
        if let parts = ledgerParts { return parts.completing(up) }
        return online?.prelude == nil ? up : Self.repeatable(up)
    }

    private static let view = "CREATE OR REPLACE VIEW"

    private static func repeatable(_ sql: String) -> String {
        sql.replacing(
            "CREATE FUNCTION public.conversation_document",
            with: "CREATE OR REPLACE FUNCTION public.conversation_document")
    }
}

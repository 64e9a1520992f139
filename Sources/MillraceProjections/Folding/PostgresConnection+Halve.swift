internal import MillracePostgres

extension PostgresConnection {
    /// Runs `body` with parts of `0..<count`, each after a savepoint, and halves a part whose values are refused down to
    /// single ones. Returns those. In a transaction; blocks.
    func halve(
        _ count: Int, _ body: (Range<Int>) throws(PostgresError) -> Void
    ) throws(PostgresError) -> [(index: Int, error: PostgresError)] {
        var refused: [(index: Int, error: PostgresError)] = []
        // Parts still to do, the next one last, so that the stack stays as deep as the tree.
        var parts = [0..<count]
        while let part = parts.popLast() {
            guard !part.isEmpty else { continue }
            try execute("SAVEPOINT millrace_fold_part")
            do throws(PostgresError) {
                try body(part)
                try execute("RELEASE SAVEPOINT millrace_fold_part")
            } catch {
                guard error.isOfRow else { throw error }
                try execute("ROLLBACK TO SAVEPOINT millrace_fold_part; RELEASE SAVEPOINT millrace_fold_part")
                if part.count == 1 {
                    refused.append((part.lowerBound, error))
                } else {
                    let middle = part.lowerBound + part.count / 2
                    parts += [middle..<part.upperBound, part.lowerBound..<middle]
                }
            }
        }
        return refused
    }
}

extension PostgresError {
    /// Whether the values of a row are at fault.
    var isOfRow: Bool {
        guard code == .serverError else { return false }
        switch sqlState?.category {
        case "22", "23", "54": return true
        default: return false
        }
    }
}

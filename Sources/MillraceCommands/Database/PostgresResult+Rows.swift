internal import MillracePostgres

extension PostgresResult {
    /// Each row as its texts; NULL is empty.
    var texts: [[String]] {
        let width = columns.count
        return (0..<rowCount).map { row in (0..<width).map { string(row, $0) ?? "" } }
    }

    /// 0 for NULL.
    func count(_ row: Int, _ column: Int) -> Int { int(row, column) ?? 0 }
}

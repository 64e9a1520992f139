import MillraceEvent

/// Reads rows of binary COPY: for each the columns' bytes, nil for NULL. Nil when the bytes don't end with a row.
func decodeCopyRows(_ bytes: some Collection<UInt8>) -> [[[UInt8]?]]? {
    var rest = Array(bytes)[...]
    func take(_ count: Int) -> [UInt8]? {
        guard rest.count >= count else { return nil }
        defer { rest.removeFirst(count) }
        return Array(rest.prefix(count))
    }
    func integer(_ count: Int) -> Int? {
        take(count).map { bytes in bytes.reduce(0) { $0 << 8 | Int($1) } }
    }
    var rows: [[[UInt8]?]] = []
    while !rest.isEmpty {
        guard let columnCount = integer(2) else { return nil }
        var row: [[UInt8]?] = []
        for _ in 0..<columnCount {
            guard let count = integer(4) else { return nil }
            if count == 0xFFFF_FFFF {
                row.append(nil)
            } else {
                guard let value = take(count) else { return nil }
                row.append(value)
            }
        }
        rows.append(row)
    }
    return rows
}

/// Values of columns as text, in the order of `kinds`: `u` UUID, `i` integer, `t` text, `j` jsonb, `z` timestamptz in
/// microseconds since the Unix epoch.
func describe(_ row: [[UInt8]?], as kinds: String) -> [String?] {
    zip(row, kinds).map { column, kind in
        guard let column else { return nil }
        let integer = column.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        switch kind {
        case "u": return UniqueID(bytes: column)?.description
        case "i": return column.count == 4 ? "\(Int32(truncatingIfNeeded: integer))" : "\(Int64(bitPattern: integer))"
        case "z": return column.count == 8 ? "\(Int64(bitPattern: integer) + 946_684_800_000_000)" : nil
        case "j": return column.first == 1 ? String(decoding: column.dropFirst(), as: UTF8.self) : nil
        default: return String(decoding: column, as: UTF8.self)
        }
    }
}

package import MillraceJSON

/// One part of the report on the database: rows of named values, each with the command that fixes it where something is
/// wrong.
package struct CareTable: Sendable, Equatable {
    package enum Value: Sendable, Equatable {
        case none
        case bool(Bool)
        case integer(Int)
        /// With a fraction, in decimal digits.
        case number(String)
        case text(String)
    }

    /// In snake_case: its name in JSON.
    package var name: String
    /// What it shows, and how it was found where that is an estimate.
    package var title: String
    /// In snake_case. The last one is `fix`: the command, or nothing.
    package var columns: [String]
    package var rows: [[Value]]
    /// Why something may be missing.
    package var note: String?

    init(name: String, title: String, columns: [String] = [], rows: [[Value]] = [], note: String? = nil) {
        self.name = name
        self.title = title
        self.columns = columns
        self.rows = rows
        self.note = note
    }

    /// The rows of an answer by their types: whole numbers, numbers, truth values, and texts.
    init(_ section: CareSection, _ answer: borrowing PostgresResult) {
        let types = answer.columnTypes
        var rows: [[Value]] = []
        for row in 0..<answer.rowCount {
            var values: [Value] = []
            for (column, type) in types.enumerated() {
                values.append(answer.string(row, column).map { Self.value($0, type) } ?? .none)
            }
            rows.append(values)
        }
        self.init(name: section.name, title: section.title, columns: answer.columns, rows: rows)
    }

    /// `type`: an OID of `pg_type`.
    private static func value(_ text: String, _ type: UInt32) -> Value {
        switch type {
        case 16: .bool(text == "t")
        case 20, 21, 23: Int(text).map { .integer($0) } ?? .none
        case 700, 701, 1700: Double(text).map { $0.isFinite } == true ? .number(text) : .none
        default: .text(text)
        }
    }

    /// Commands that fix what is wrong, in their order.
    package var fixes: [String] {
        guard let column = columns.firstIndex(of: "fix") else { return [] }
        return rows.compactMap { row in
            if case .text(let fix) = row[column] { fix } else { nil }
        }
    }
}

/// The report on the database.
package struct CareReport: Sendable, Equatable {
    /// PostgreSQL's version.
    package var server: String
    package var database: String
    /// The session's role, and whether it may see what sessions of others do (`pg_monitor`).
    package var role: String
    package var isMonitor: Bool
    /// RFC 3339: since when the statistics count; nil where they were never reset.
    package var statisticsSince: String?
    /// What can't be seen, and why.
    package var notes: [String]
    package var tables: [CareTable]

    package func table(_ name: String) -> CareTable? { tables.first { $0.name == name } }
}

extension CareTable: JSONWritable {
    package static let schema: JSONSchema = .object(
        [
            ("title", .text.described("What it shows, and how it was found where that is an estimate")),
            ("note", .text.described("Why something may be missing")),
            (
                "rows",
                .array(of: .anyObject).described(
                    "A value a column; `fix` is the command that fixes it, null where nothing is wrong")
            ),
        ], required: ["title", "rows"])

    /// `{"title":…,"rows":[{…}]}`.
    package func write(to json: inout JSONWriter) {
        json.append(raw: "{")
        json.append(name: "title")
        json.append(title)
        if let note {
            json.append(name: "note")
            json.append(note)
        }
        json.append(name: "rows")
        json.append(raw: "[")
        for row in rows {
            json.separate()
            json.append(raw: "{")
            for (column, value) in zip(columns, row) {
                json.append(name: column)
                value.write(to: &json)
            }
            json.append(raw: "}")
        }
        json.append(raw: "]}")
    }
}

extension CareTable.Value {
    fileprivate func write(to json: inout JSONWriter) {
        switch self {
        case .none: json.append(raw: "null")
        case .bool(let bool): json.append(bool)
        case .integer(let number): json.append(number)
        case .number(let digits): json.append(raw: Array(digits.utf8))
        case .text(let text): json.append(text)
        }
    }
}

extension CareReport: JSONShape {
    package static let name = "DatabaseReport"

    package static let fields: [JSONField<Self>] =
        [
            JSONField("server", \.server, doc: "PostgreSQL's version"),
            JSONField("database", \.database),
            JSONField("role", \.role, doc: "The session's role"),
            JSONField("is_monitor", \.isMonitor, doc: "Whether it may see what sessions of others do"),
            JSONField(
                "statistics_since", optional: \.statisticsSince, as: .time,
                doc: "Since when the statistics count; absent: they were never reset"),
            JSONField("notes", \.notes, doc: "What can't be seen, and why"),
        ]
        + CareSection.all.map { section in
            JSONField(section.name) { $0.table(section.name) ?? CareTable(name: section.name, title: section.title) }
        }
}

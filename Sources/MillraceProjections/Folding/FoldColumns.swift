internal import MillracePostgres

/// The columns of a fold's tuples, gathered one by one.
struct FoldColumns {
    private(set) var columns: [FoldColumn] = []
    /// The first columns: the key without slot.
    private(set) var keyCount = 0

    private let source: PartitionedTable
    /// What the field extractor is to look into, by its name in `source`.
    private let document: String
    /// The fold's table; nil when the catalog lacks it.
    private let catalog: CatalogTable?
    /// Gives the number of the extractor's output for a path; `wantsJSON` of a jsonb column.
    private let output: (_ path: [String], _ wantsJSON: Bool) -> Int

    init(
        of fold: FoldDefinition, in catalog: CatalogTable?,
        output: @escaping (_ path: [String], _ wantsJSON: Bool) -> Int
    ) {
        source = fold.source.table
        document = source.columns[RowLayout.document(of: source)]
        self.catalog = catalog
        self.output = output
        switch fold.kind {
        case .counter(let counter), .top(let counter):
            addKey(counter.bucket, counter.dimensions)
            for sum in counter.sums { add(sum, isSum: true) }
        case .unique(let unique):
            addKey(unique.bucket, unique.dimensions)
        case .entity(let entity):
            add(entity)
        case .append(let mapped):
            addRowColumn("tenant_id")
            addRowColumn("created_at", as: "event_at")
            addRowColumn("id", as: "event_id")
            keyCount = columns.count
            for column in mapped { add(column) }
        }
    }

    /// How the value of `field` is taken out of a row.
    func step(
        _ field: FieldPath, wantsJSON: Bool = false, isRequired: Bool, rules: ValueRules = [], isState: Bool = false
    ) -> FoldStep {
        guard field.column == document else {
            // Other columns than texts have values of their own types.
            let isText = RowLayout.element(of: field.column) == .text
            return FoldStep(
                .column, index: RowLayout.index(of: field.column, in: source), isRequired: isRequired,
                rules: isText ? rules : [], isState: isState)
        }
        return FoldStep(
            .path, index: output(field.path, wantsJSON), isRequired: isRequired, rules: rules, isState: isState)
    }

    private mutating func addKey(_ bucket: TimeBucket?, _ dimensions: [ColumnMapping]) {
        addRowColumn("tenant_id")
        if bucket != nil { add("bucket", .timestamptz, FoldStep(.bucket)) }
        for dimension in dimensions { add(dimension, isKey: true) }
        keyCount = columns.count
    }

    private mutating func add(_ entity: FoldKind.Entity) {
        addRowColumn("tenant_id")
        for column in entity.key {
            add(column, isCounted: true)
            // An empty text is a key like any other; a missing value is no key.
            columns[columns.count - 1].step.isRequired = true
        }
        keyCount = columns.count
        add("event_at", .timestamptz, FoldStep(.stateAt))
        addRowColumn("id", as: "event_id")
        let change = "k.c\(columns.count)"
        add("deleted_at", .int4, FoldStep(.change))
        columns[columns.count - 1].expression = "CASE WHEN \(change) <> 0 THEN k.c\(keyCount) END"
        var values: [String] = []
        let counted = entity.countedColumns
        for column in entity.columns {
            add(column, isCounted: counted.contains(column.column), isState: true)
            let expression = columns[columns.count - 1].expression
            values.append("('\(column.column)', \(values.count + 1), to_jsonb(\(expression)))")
            guard column.fallback != nil || !entity.patches.isEmpty else { continue }
            columns[columns.count - 1].expression = "CASE WHEN \(change) = 0 THEN \(expression) END"
        }
        guard !entity.patches.isEmpty, !values.isEmpty else { return }
        // Only the history has this one.
        add(HistoryTables.patch, .text, FoldStep(.named))
        columns[columns.count - 1].expression = """
            CASE WHEN \(change) = 2 THEN (
                SELECT COALESCE(jsonb_object_agg(p.name, p.value), '{}')
                FROM (VALUES \(values.joined(separator: ", "))) AS p (name, place, value)
                WHERE substr(k.c\(columns.count - 1), p.place, 1) = '1'
            ) END
            """
    }

    /// A column of the row under its own name or another one.
    private mutating func addRowColumn(_ name: String, as own: String? = nil) {
        add(own ?? name, RowLayout.element(of: name), FoldStep(.column, index: RowLayout.index(of: name, in: source)))
    }

    private mutating func add(_ name: String, _ element: ArrayElement, _ step: FoldStep) {
        columns.append(
            FoldColumn(name: name, element: element, expression: "k.c\(columns.count)", step: step, field: name))
    }

    /// `isKey`: a null counts as the fallback, or else as an empty text; in a column of another type it means no key.
    /// `isCounted`: of an entity's key, or added up or counted by.
    private mutating func add(
        _ mapping: ColumnMapping, isKey: Bool = false, isSum: Bool = false, isCounted: Bool = false,
        isState: Bool = false
    ) {
        let column = catalog?.column(mapping.column)
        let type = (isSum ? column?.fullType : column?.type) ?? "text"
        let isText = column?.isText ?? true
        let fallback = mapping.fallback ?? (isKey && isText ? "" : nil)
        let isPath = mapping.field.column == document
        var expression = "k.c\(columns.count)::\(type)"
        if let fallback {
            expression = "coalesce(\(expression), '\(fallback.replacing("'", with: "''"))'::\(type))"
        }
        columns.append(
            FoldColumn(
                name: mapping.column, element: isPath ? .text : RowLayout.element(of: mapping.field.column),
                expression: expression,
                step: step(
                    mapping.field, wantsJSON: type == "jsonb", isRequired: isKey && fallback == nil,
                    rules: ValueRules(of: column, isCounted: isKey || isSum || isCounted), isState: isState),
                field: mapping.field.description))
    }
}

/// A column of a fold's tuples, as the statements see it: an array that is unnested as `k.cN`.
struct FoldColumn {
    /// In the table.
    var name: String
    var element: ArrayElement
    /// What goes into the table, of `k.cN`.
    var expression: String
    var step: FoldStep
    /// For messages.
    var field: String

    var quotedName: String { "\"\(name)\"" }
}

extension [FoldColumn] {
    /// Without what only the history has.
    var ofTable: [FoldColumn] { filter { $0.name != HistoryTables.patch } }

    /// The columns' arrays, then `more`, as rows: `unnest($1::…[], …) AS k (c0, c1, …)`; `isNumbered`: with `number`, from 1.
    func unnested(_ more: [(name: String, element: ArrayElement)] = [], isNumbered: Bool = false) -> String {
        let arrays = (map(\.element) + more.map(\.element)).enumerated()
            .map { "$\($0 + 1)::\($1.arrayName)" }.joined(separator: ", ")
        let names = indices.map { "c\($0)" } + more.map(\.name) + (isNumbered ? ["number"] : [])
        return "unnest(\(arrays))\(isNumbered ? " WITH ORDINALITY" : "") AS k (\(names.joined(separator: ", ")))"
    }
}

/// What an event does to its entity.
enum EntityChange: UInt8 {
    /// Says all of it.
    case save
    case delete
    /// Changes the columns that it names.
    case patch
}

/// What one column of a fold's tuples is filled from. Plain values: the steps lie in memory that rows are run over.
struct FoldStep {
    enum Source: UInt8 {
        /// `index`: of the row's column, which is copied with its length.
        case column
        /// `index`: of what the field extractor found.
        case path
        /// Start of the bucket that created_at is in.
        case bucket
        /// When the state that the row says was so.
        case stateAt
        /// int4, of `EntityChange`.
        case change
        /// Text, a digit for each column of a state: 1 when the row's document has it.
        case named
    }

    var source: Source
    var index: Int
    /// Part of the key: without this value the row has no key.
    var isRequired: Bool
    /// Of its text; none where the value is no text.
    var rules: ValueRules
    /// Left null for an event that deletes.
    var isState: Bool

    init(_ source: Source, index: Int = 0, isRequired: Bool = false, rules: ValueRules = [], isState: Bool = false) {
        self.source = source
        self.index = index
        self.isRequired = isRequired
        self.rules = rules
        self.isState = isState
    }
}

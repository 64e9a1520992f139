internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceEvent
internal import MillraceProjections

/// `[fields]`: its keys, and which projections are folded from what it lists.
struct FieldsCheck {
    /// Columns that are named.
    private static let namedMax = 8

    let configuration: FieldsConfiguration
    let packs: [PackDefinition]

    /// None where nothing is set.
    func run() -> [CheckResult] {
        guard !configuration.isEmpty || !configuration.keysFile.isEmpty else { return [] }
        let loaded: LoadedFields
        do throws(FieldsError) {
            loaded = try LoadedFields(configuration)
        } catch {
            return [
                CheckResult(
                    "fields", ok: false, detail: error.description,
                    fix: "Correct it there; `millrace fields keys` makes keys, and `millrace fields apply` tries paths."
                )
            ]
        }
        return [CheckResult("fields", ok: true, detail: loaded.summary, fix: ""), projections()].compactMap { $0 }
    }

    private func projections() -> CheckResult? {
        var columns: [String] = []
        for pack in packs {
            for fold in pack.folds {
                for (column, field) in fold.sources {
                    let treated = configuration.action(on: [field.column] + field.path) { type in
                        fold.source.patterns.isEmpty
                            || type.map { type in
                                fold.source.patterns.contains { $0.matches(type) }
                            } ?? true
                    }
                    if let treated { columns.append("\(pack.name).\(fold.name).\(column) (\(treated))") }
                }
            }
        }
        guard !columns.isEmpty else { return nil }
        let named = columns.prefix(Self.namedMax).joined(separator: ", ")
        let more = columns.count > Self.namedMax ? " and \(columns.count - Self.namedMax) more" : ""
        return .warning(
            "fields in projections", detail: "folded from what [fields] treats: \(named)\(more)",
            fix:
                "They hold ciphertext, hashes or masks: encrypted values differ each time, so counts by them count rows. "
                + "Leave such paths out, or list them in fields.sha256, which keeps equal values equal.")
    }
}

extension FoldDefinition {
    /// What its columns are filled from.
    fileprivate var sources: [(column: String, field: MillraceProjections.FieldPath)] {
        func columns(_ mappings: [ColumnMapping]) -> [(String, MillraceProjections.FieldPath)] {
            mappings.map { ($0.column, $0.field) }
        }
        switch kind {
        case .counter(let counter), .top(let counter): return columns(counter.dimensions + counter.sums)
        case .unique(let unique): return columns(unique.dimensions) + [("of", unique.of)]
        case .entity(let entity): return columns(entity.key + entity.columns)
        case .append(let mappings): return columns(mappings)
        }
    }
}

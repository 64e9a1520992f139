/// A file to import, and what its name says.
struct ImportFile: Equatable {
    /// - for standard input.
    var path: String
    /// The array's name that the file's name (or `--kind`) gives its records.
    var collection: String?
    /// A record a line, by the file's name.
    var holdsLines: Bool
    /// Whose records those with an ambiguous name are.
    var system: ImportSystem?

    /// `kind`: an array's name that someone gave.
    init(path: String, kind: String?, system: ImportSystem?) {
        self.path = path
        self.system = system
        var name = path.split(separator: "/").last.map(String.init) ?? ""
        var holdsLines = false
        let extensions = [".gz", ".zst", ".zstd", ".json", ".ndjson", ".jsonl"]
        while let ending = extensions.first(where: { name.lowercased().hasSuffix($0) }) {
            holdsLines = holdsLines || ending == ".ndjson" || ending == ".jsonl"
            name = String(name.dropLast(ending.count))
        }
        self.holdsLines = holdsLines
        collection = kind ?? Self.collection(named: name)
    }

    /// `users`, `CartItems`, `users-2025-12-28`, `user`.
    private static func collection(named name: String) -> String? {
        var words = SnakeCase.from(name).split(separator: "_")
        while let last = words.last, last.allSatisfy(\.isNumber) { words.removeLast() }
        let plain = words.joined(separator: "_")
        return ImportKind.collection(plain) ?? ImportKind.collection(plain + "s")
    }

    /// Whether an array of that name in the file is one of records of its own; not what is nested in the file's records.
    func isCollection(_ name: String) -> Bool {
        guard ImportKind.collection(name) != nil else { return false }
        guard let collection, name != collection else { return true }
        return !ImportKind.named(collection).contains { $0.children[name] != nil }
    }

    /// What the records of an array are; nil when their fields must say it.
    func kind(of name: String?) -> ImportKind? {
        guard let name = name.flatMap({ ImportKind.collection($0) }) ?? collection else { return nil }
        let kinds = ImportKind.named(name)
        return kinds.count == 1 ? kinds.first : kinds.first { $0.system == system }
    }
}

internal import MillraceTOML
internal import TOMLKit

/// Reads one pack.toml into values, and collects what is wrong on the way.
struct PackReader {
    /// What pack.toml alone says.
    struct Draft {
        var name: String
        var version: Int
        var title: String
        var folds: [FoldDefinition]
    }

    /// A table of the file and where it stands, as `TOMLLines` counts.
    struct Place {
        var table: TOMLTable
        var path: [String]
        /// For messages: what the table is.
        var what: String
    }

    let file: String
    private let text: String
    private let lines: TOMLLines
    private(set) var errors: [PackError] = []

    init(file: String, text: String) {
        self.file = file
        self.text = text
        lines = TOMLLines(text)
    }

    mutating func report(_ code: PackError.Code, _ path: [String], _ message: String) {
        errors.append(PackError(code: code, file: file, line: lines.line(of: path), message: message))
    }

    mutating func report(_ code: PackError.Code, line: Int, _ message: String) {
        errors.append(PackError(code: code, file: file, line: line, message: message))
    }

    func line(of path: [String]) -> Int { lines.line(of: path) }

    /// Nil when something is wrong, which is then in `errors`. `folder`: the pack's name must be its folder's.
    mutating func read(folder: String) -> Draft? {
        guard let table = parse() else { return nil }
        let top = Place(table: table, path: [], what: "a pack")
        checkKeys(top, ["pack", "version", "title", "fold"])
        let name = string("pack", in: top) ?? folder
        if name != folder {
            report(.invalidValue, ["pack"], "pack is \"\(name)\" and its folder \"\(folder)\"; name both the same")
        }
        if !Self.isName(name, lengthMax: 31) {
            report(
                .invalidValue, ["pack"],
                "pack is \"\(name)\"; wanted: a lower-case letter, then at most 30 of a-z, 0-9 and _")
        }
        let version = integer("version", in: top) ?? 1
        if version < 1 || version > Int(Int32.max) {
            report(.invalidValue, ["version"], "version is \(version); wanted: an integer from 1 on")
        }
        let title = string("title", in: top) ?? ""
        let folds = readFolds(top, pack: name)
        guard errors.isEmpty else { return nil }
        return Draft(name: name, version: version, title: title, folds: folds)
    }

    private mutating func parse() -> TOMLTable? {
        if let nul = text.utf8.firstIndex(of: 0) {
            // The parser takes a C string: it would not see what follows.
            let line = text.utf8[..<nul].count { $0 == UInt8(ascii: "\n") } + 1
            errors.append(
                PackError(code: .invalidSyntax, file: file, line: line, message: "is no TOML: it holds a NUL byte"))
            return nil
        }
        do {
            return try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            errors.append(
                PackError(
                    code: .invalidSyntax, file: file, line: error.source.begin.line,
                    message: "is no TOML: \(error.description)"))
        } catch {
            errors.append(PackError(code: .invalidSyntax, file: file, line: 1, message: "is no TOML: \(error)"))
        }
        return nil
    }

    private mutating func readFolds(_ top: Place, pack: String) -> [FoldDefinition] {
        guard let array = top.table["fold"]?.array, !array.isEmpty else {
            report(.missingKey, [], "a pack needs a fold; add a [[fold]] table with its name and kind")
            return []
        }
        var folds: [FoldDefinition] = []
        var names: Set<String> = []
        var tables: Set<String> = []
        for (index, item) in array.enumerated() {
            let path = ["fold", "#\(index)"]
            guard let table = item.table else {
                report(.invalidValue, ["fold"], "fold is no list of tables; write [[fold]]")
                return []
            }
            guard let fold = readFold(Place(table: table, path: path, what: "a fold"), pack: pack) else { continue }
            var made = [(name: fold.name, table: fold.table, path: path)]
            if case .entity(let entity) = fold.kind {
                for (index, counts) in entity.counts.enumerated() {
                    made.append((counts.name, counts.table, path + ["counts", "#\(index)"]))
                }
            }
            for one in made {
                if !names.insert(one.name).inserted {
                    report(.impossibleCombination, one.path, "the name \"\(one.name)\" is there twice; rename one")
                } else if !tables.insert(one.table).inserted {
                    report(
                        .impossibleCombination, one.path,
                        "the table \(one.table) is filled by another fold too; give each its own")
                }
            }
            folds.append(fold)
        }
        if errors.isEmpty { checkCascades(&folds) }
        return folds
    }
}

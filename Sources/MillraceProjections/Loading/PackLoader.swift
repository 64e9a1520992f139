internal import CPacks
internal import Crypto
internal import FoundationEssentials
internal import MillraceEvent
internal import MillraceTOML

/// `[projections]`: what is kept current from the events.
package struct ProjectionsConfiguration: Sendable, Equatable {
    /// Names of packs.
    package var packs = ["analytics", "conversations"]
    /// Of the operator's packs, a folder each. Empty: only those that are compiled in.
    package var directory = ""

    package init() {}
}

/// Finds packs, compiled in or in the operator's directory, and reads them. Checks all that can be said without a
/// database; `PackCheck` does the rest.
package struct PackLoader: Sendable {
    /// Of the operator's packs, a folder each; nil: none.
    private let directory: String?

    package init(directory: String? = nil) {
        self.directory = directory.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Names of the packs that are compiled in, in alphabetic order.
    package static var builtIn: [String] { PackFiles.builtIn }

    /// Names of all packs that `load` knows, in alphabetic order. Blocks on the disk.
    package var names: [String] {
        guard let directory, let found = try? FileManager.default.contentsOfDirectory(atPath: directory) else {
            return Self.builtIn
        }
        let folders = found.filter { FileManager.default.fileExists(atPath: "\(directory)/\($0)/pack.toml") }
        return Set(Self.builtIn + folders).sorted()
    }

    /// Reads the packs in the order of `names`. Blocks on the disk. Throws all that is wrong with any of them.
    package func load(_ names: [String]) throws(PackErrors) -> [PackDefinition] {
        var errors: [PackError] = []
        var packs: [PackDefinition] = []
        var seen: Set<String> = []
        for name in names where seen.insert(name).inserted {
            if let pack = read(name, &errors) { packs.append(pack) }
        }
        guard errors.isEmpty else { throw PackErrors(errors: errors) }
        return packs
    }

    /// Reads one pack. Blocks on the disk.
    package func load(_ name: String) throws(PackErrors) -> PackDefinition {
        try load([name])[0]
    }

    /// The lines of a pack's `seed.ndjson`, events to try it with; nil when it has none. Blocks on the disk. Throws when its
    /// file can't be read.
    package func seed(of name: String) throws(PackErrors) -> [String]? {
        let path = directory.map { "\($0)/\(name)" } ?? ""
        guard directory != nil, !name.contains("/"), FileManager.default.fileExists(atPath: "\(path)/pack.toml") else {
            return PackFiles.seed(builtIn: name).map(Self.lines)
        }
        guard FileManager.default.fileExists(atPath: "\(path)/seed.ndjson") else { return nil }
        guard let data = FileManager.default.contents(atPath: "\(path)/seed.ndjson"),
            let text = String(validating: data, as: UTF8.self)
        else {
            let error = PackError(
                code: .unreadableFile, file: "\(path)/seed.ndjson", line: 1,
                message: "cannot be read as UTF-8; it holds an event a line")
            throw PackErrors(errors: [error])
        }
        return Self.lines(text)
    }

    private static func lines(_ text: String) -> [String] {
        text.split(whereSeparator: \.isNewline).map(String.init).filter { !$0.allSatisfy(\.isWhitespace) }
    }

    /// A folder of the operator's stands before a pack of the same name that is compiled in.
    private func read(_ name: String, _ errors: inout [PackError]) -> PackDefinition? {
        if let directory, !name.contains("/"), FileManager.default.fileExists(atPath: "\(directory)/\(name)/pack.toml")
        {
            guard let files = PackFiles(folder: "\(directory)/\(name)", errors: &errors) else { return nil }
            return Self.read(files, name: name, &errors)
        }
        if let files = PackFiles(builtIn: name) { return Self.read(files, name: name, &errors) }
        let known = names
        let nearest = EditDistance.nearest(to: name, among: known) { $0 } ?? ""
        let place = directory.map { " or make \($0)/\(name)/pack.toml" } ?? ""
        errors.append(
            PackError(
                code: .unknownPack, file: "projections.packs", line: 1,
                message: "there is no pack \"\(name)\"; known are \(known.joined(separator: ", ")), the nearest is "
                    + "\"\(nearest)\"; name one of them\(place)"))
        return nil
    }

    /// `name`: of the folder.
    static func read(_ files: PackFiles, name: String, _ errors: inout [PackError]) -> PackDefinition? {
        var reader = PackReader(file: files.path, text: files.toml)
        let draft = reader.read(folder: name)
        errors += reader.errors.sorted { $0.line < $1.line }
        guard let draft, reader.errors.isEmpty else { return nil }
        let hash = SHA256.hash(data: Array((files.toml + files.upSQL + files.downSQL).utf8)).hexadecimal
        return PackDefinition(
            name: draft.name, version: draft.version, title: draft.title, folds: draft.folds, upSQL: files.upSQL,
            downSQL: files.downSQL, hash: hash, file: files.path)
    }
}

/// The text of a pack's files.
struct PackFiles {
    /// Where pack.toml was read; for messages.
    var path: String
    var toml: String
    var upSQL: String
    var downSQL: String

    /// Names of the packs that are compiled in, in alphabetic order.
    static let builtIn: [String] = {
        var names: Set<String> = []
        for file in files { names.insert(String(cString: file.pack)) }
        return names.sorted()
    }()

    /// Nil when no such pack is compiled in.
    init?(builtIn name: String) {
        let texts = Self.texts(builtIn: name)
        guard let toml = texts["pack.toml"], let up = texts["up.sql"], let down = texts["down.sql"] else { return nil }
        self.init(path: "sql/packs/\(name)/pack.toml", toml: toml, upSQL: up, downSQL: down)
    }

    /// Nil when no such pack is compiled in, or none with a seed.
    static func seed(builtIn name: String) -> String? { texts(builtIn: name)["seed.ndjson"] }

    /// By the files' names.
    private static func texts(builtIn name: String) -> [String: String] {
        var texts: [String: String] = [:]
        for file in files where String(cString: file.pack) == name {
            let bytes = UnsafeBufferPointer(start: file.bytes, count: file.length)
            texts[String(cString: file.name)] = String(decoding: bytes, as: UTF8.self)
        }
        return texts
    }

    /// Of a folder; blocks on the disk. `errors` say what can't be read; then it is nil.
    init?(folder: String, errors: inout [PackError]) {
        func text(_ name: String) -> String {
            let path = "\(folder)/\(name)"
            guard let data = FileManager.default.contents(atPath: path) else {
                errors.append(
                    PackError(
                        code: .unreadableFile, file: path, line: 1,
                        message: "cannot be read; a pack's folder holds pack.toml, up.sql and down.sql"))
                return ""
            }
            guard let text = String(validating: data, as: UTF8.self) else {
                errors.append(
                    PackError(code: .unreadableFile, file: path, line: 1, message: "is not UTF-8; save it as UTF-8"))
                return ""
            }
            return text
        }
        let before = errors.count
        self.init(
            path: "\(folder)/pack.toml", toml: text("pack.toml"), upSQL: text("up.sql"), downSQL: text("down.sql"))
        if errors.count > before { return nil }
    }

    private init(path: String, toml: String, upSQL: String, downSQL: String) {
        self.path = path
        self.toml = toml
        self.upSQL = upSQL
        self.downSQL = downSQL
    }

    private static var files: [mr_pack_file] { (0..<mr_pack_file_count).map(mr_pack_file_at) }
}

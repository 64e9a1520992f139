internal import Crypto
internal import FoundationEssentials
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
        let digest = SHA256.hash(data: Array((files.toml + files.upSQL + files.downSQL).utf8))
        let hash = digest.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
        return PackDefinition(
            name: draft.name, version: draft.version, title: draft.title, folds: draft.folds, upSQL: files.upSQL,
            downSQL: files.downSQL, hash: hash, file: files.path)
    }
}

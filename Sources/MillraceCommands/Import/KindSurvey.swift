internal import Glibc

/// Finds out whose export files are, where the names of their arrays alone do not tell.
enum KindSurvey {
    /// Gives every file its system. Where none is given, an object with named arrays is read to its end for their names;
    /// blocks on the disk then.
    static func assign(_ files: inout [ImportFile]) throws(CommandError) {
        guard files.contains(where: { $0.system == nil }) else { return }
        var names: [Set<String>] = []
        for file in files { names.append(try collections(file)) }
        let everywhere = systems(names.reduce([]) { $0.union($1) })
        for index in files.indices where files[index].system == nil {
            let ambiguous = names[index].filter { ImportKind.named($0).count > 1 }
            guard !ambiguous.isEmpty else { continue }
            let own = systems(names[index])
            let candidates = own.isEmpty ? everywhere : own
            if candidates.count == 1, let system = candidates.first {
                files[index].system = system
                continue
            }
            // The fields of a record tell a conversation save from a case's conversation.
            guard let name = ambiguous.sorted().first(where: { $0 != "conversations" }) else { continue }
            let systems = ImportKind.named(name).compactMap { $0.system?.rawValue }.joined(separator: ", ")
            throw CommandError(
                "\(files[index].path): \(name) may be of \(systems)",
                hint: "Say which with --system, or give the export's other files in the same command")
        }
    }

    /// The systems that names of arrays leave no doubt about.
    private static func systems(_ names: Set<String>) -> Set<ImportSystem> {
        Set(
            names.compactMap { name in
                let kinds = ImportKind.named(name)
                return kinds.count == 1 ? kinds.first?.system : nil
            })
    }

    /// Names of the arrays of records in a file.
    private static func collections(_ file: ImportFile) throws(CommandError) -> Set<String> {
        var names = Set([file.collection].compactMap { $0 })
        // Standard input can be read only once.
        guard file.path != "-", !file.holdsLines else { return names }
        let descriptor = open(file.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return names }
        defer { close(descriptor) }
        let reader = RecordReader(descriptor: descriptor, holdsLines: false, isCollection: file.isCollection)
        while true {
            switch reader.next() {
            case .record(_, let name, _), .tooLong(let name, _):
                // An array, or lines: there are no other names in it.
                guard let name else { return names }
                if let known = ImportKind.collection(name) { names.insert(known) }
            case .unknownMember: break
            case .needsInput: try reader.read()
            case .broken, .ended: return names
            }
        }
    }
}

internal import CPacks
internal import FoundationEssentials

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
        var texts: [String: String] = [:]
        for file in Self.files where String(cString: file.pack) == name {
            let bytes = UnsafeBufferPointer(start: file.bytes, count: file.length)
            texts[String(cString: file.name)] = String(decoding: bytes, as: UTF8.self)
        }
        guard let toml = texts["pack.toml"], let up = texts["up.sql"], let down = texts["down.sql"] else { return nil }
        self.init(path: "sql/packs/\(name)/pack.toml", toml: toml, upSQL: up, downSQL: down)
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

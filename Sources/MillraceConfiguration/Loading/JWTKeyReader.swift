internal import MillraceAPI
internal import MillracePostgres
internal import MillraceTOML
internal import TOMLKit

/// Reads `[[jwt.keys]]` tables and the files they name.
struct JWTKeyReader {
    private static let fields = ["algorithm", "id", "public_key_file", "secret", "secret_file"]

    private let path: String
    private let lines: TOMLLines
    private(set) var errors: [ConfigurationError] = []
    /// Files that secrets were read from, and config.toml where a key has its secret there.
    private(set) var secretFiles: [String] = []
    private var ids: Set<String> = []

    init(path: String, lines: TOMLLines) {
        self.path = path
        self.lines = lines
    }

    /// Nil when something is wrong with it, which is then in `errors`.
    mutating func read(_ table: TOMLTable, index: Int) -> JWTKey? {
        let before = errors.count
        var texts: [String: String] = [:]
        for field in table.keys {
            guard Self.fields.contains(field) else {
                let nearest = EditDistance.nearest(to: field, among: Self.fields) { $0 } ?? ""
                report(
                    .unknownKey, index, field,
                    "jwt.keys.\(field) is unknown; the nearest known key is jwt.keys.\(nearest)")
                continue
            }
            guard let text = table[field]?.string, !text.isEmpty else {
                report(.invalidValue, index, field, "jwt.keys.\(field) is no string, or empty; wanted: a string")
                continue
            }
            texts[field] = text
        }
        guard errors.count == before else { return nil }
        guard let id = texts["id"] else {
            report(.invalidValue, index, nil, "jwt.keys needs an id: the kid of the tokens it signs")
            return nil
        }
        if !ids.insert(id).inserted {
            report(.impossibleCombination, index, "id", "jwt.keys.id \"\(id)\" is there twice; each id names one key")
        }
        let choices = JWTKey.Algorithm.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
        guard let algorithm = texts["algorithm"].flatMap(JWTKey.Algorithm.init) else {
            let found = texts["algorithm"].map { "the string \"\($0)\"" } ?? "missing"
            report(.invalidValue, index, "algorithm", "jwt.keys.algorithm is \(found); wanted: \(choices)")
            return nil
        }
        guard let material = material(of: algorithm, texts, index), errors.count == before else { return nil }
        return JWTKey(id: id, algorithm: algorithm, material: material)
    }

    private mutating func material(
        of algorithm: JWTKey.Algorithm, _ texts: [String: String], _ index: Int
    ) -> JWTKey.Material? {
        let wanted = algorithm == .hs256 ? ["secret", "secret_file"] : ["public_key_file"]
        let given = ["public_key_file", "secret", "secret_file"].filter { texts[$0] != nil }
        guard given.count == 1, wanted.contains(given[0]) else {
            let found = given.isEmpty ? "none" : given.joined(separator: " and ")
            report(
                .impossibleCombination, index, nil,
                "a key of jwt.keys for \(algorithm.rawValue) needs \(wanted.joined(separator: " or ")); found: \(found)"
            )
            return nil
        }
        if let secret = texts["secret"] {
            secretFiles.append(path)
            return checkedSecret(secret, "secret", index)
        }
        let file = TextFile.resolve(texts[given[0]] ?? "", beside: path)
        guard let text = TextFile.read(file) else {
            report(.unreadableFile, index, given[0], "\(file) cannot be read: \(TextFile.reason)")
            return nil
        }
        if given[0] == "secret_file" {
            secretFiles.append(file)
            return checkedSecret(text.trimmed, "secret_file", index)
        }
        guard text.contains("-----BEGIN ") else {
            report(.invalidValue, index, given[0], "\(file) holds no PEM text; wanted: a public key in PEM form")
            return nil
        }
        return .publicKey(pem: text)
    }

    private mutating func checkedSecret(_ secret: String, _ field: String, _ index: Int) -> JWTKey.Material? {
        guard secret.utf8.count >= JWTKey.secretBytesMin else {
            report(
                .invalidValue, index, field,
                "jwt.keys.\(field) has \(secret.utf8.count) bytes; HS256 wants \(JWTKey.secretBytesMin) or more")
            return nil
        }
        return .secret(Secret(secret))
    }

    private mutating func report(
        _ code: ConfigurationError.Code, _ index: Int, _ field: String?, _ message: String
    ) {
        let place = ["jwt", "keys", "#\(index)"] + (field.map { [$0] } ?? [])
        errors.append(
            ConfigurationError(
                code: code, origin: .file(path: path, line: lines.line(of: place)),
                key: field.map { "jwt.keys.\($0)" } ?? "jwt.keys", message: message))
    }
}

internal import FoundationEssentials
internal import MillraceAPI
internal import MillraceConfiguration
internal import MillracePostgres

/// The keys of bearer tokens. Those of config.toml were read with it; the key set's file was not.
struct TokenKeyCheck {
    private struct KeySet: Decodable {
        struct Key: Decodable {
            var kty: String
        }

        var keys: [Key]
    }

    let configuration: JWTConfiguration

    func run() -> CheckResult {
        var count = configuration.keys.count + (configuration.secret.isEmpty ? 0 : 1)
        let path = configuration.jwksFile
        if !path.isEmpty {
            let data = FileManager.default.contents(atPath: path)
            guard let data, let set = try? JSONDecoder().decode(KeySet.self, from: data) else {
                return CheckResult(
                    "bearer tokens", ok: false,
                    detail: data == nil ? "\(path) can't be read" : "\(path) is no JSON Web Key Set",
                    fix: "Correct jwt.jwks_file, or the file and its permissions.")
            }
            count += set.keys.count
        }
        return CheckResult(
            "bearer tokens", ok: true,
            detail: count == 0 ? "no keys: routes that want a bearer token answer 401" : "\(count) keys", fix: "")
    }
}

internal import MillraceTOML

/// Every section and key, in the order of config.toml: the only place that says what a key means.
enum ConfigurationSchema {
    static let sections = [
        data, tcp, http, intake, tls, memory, limits, rules, fields, deadLetters, spool, database, partitions, archive,
        projections, dedup, audit, outbox, erasure, api, live, page, identity, auth, jwt, log, latency, metrics,
        embedded,
        backup,
    ]

    /// Variables that other programs use too, and the keys they stand for. `MILLRACE_…` wins over them.
    static let environmentAliases = [
        ("DATABASE_URL", "database.url"), ("STRICT_HEALTH_CHECKS", "http.strict_health_checks"),
    ]

    static func section(_ name: String) -> ConfigurationSection? { sections.first { $0.name == name } }

    /// `fullName`: `section.key`.
    static func key(_ fullName: String) -> ConfigurationKey? {
        for section in sections {
            if let key = section.keys.first(where: { section.fullName(of: $0) == fullName }) { return key }
        }
        return nil
    }

    /// The known key that someone probably meant, as `section.key`. The same key in another section counts as one letter.
    static func nearestKey(to name: String, in sectionName: String) -> String {
        var best = (name: "", distance: Int.max)
        for section in sections {
            for key in section.keys {
                let distance =
                    section.name == sectionName
                    ? EditDistance.between(name, key.name)
                    : min(
                        EditDistance.between("\(sectionName).\(name)", section.fullName(of: key)),
                        name == key.name ? 1 : Int.max)
                if distance < best.distance { best = (section.fullName(of: key), distance) }
            }
        }
        return best.name
    }
}

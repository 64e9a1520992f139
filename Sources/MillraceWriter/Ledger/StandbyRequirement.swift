/// Which standbys must have replayed a commit before its segments may go: `spool.retain_until_replayed`.
package enum StandbyRequirement: Sendable, Equatable {
    case none
    /// Those that are attached, whoever they are.
    case all
    /// By `application_name`; one that is absent holds everything up.
    case named([String])

    /// From the setting: "" none, "*" all, else names with commas between.
    package init(_ text: String) {
        let names = text.split(separator: ",").map { name in
            String(name.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }.filter { !$0.isEmpty }
        self = names.isEmpty ? .none : names == ["*"] ? .all : .named(names)
    }

    /// As `query` tells it. Both are nil where the role may not see them.
    struct Standby: Equatable {
        var name: String?
        var replayed: LogPosition?
    }

    enum Standing: Equatable {
        /// All of them are as far as this.
        case replayed(LogPosition)
        /// Why nothing can be said.
        case blocked(String)
    }

    /// Rows of (application_name, replay_lsn). Neither backups nor mere receivers of the log replay anything.
    static let query = """
        SELECT application_name, replay_lsn::text
        FROM pg_catalog.pg_stat_replication
        WHERE state IS DISTINCT FROM 'backup' AND application_name IS DISTINCT FROM 'pg_receivewal'
        """

    func standing(of standbys: [Standby]) -> Standing {
        var wanted = standbys
        if case .named(let names) = self {
            if standbys.contains(where: { $0.name == nil }) { return .blocked(Self.hidden) }
            for name in names where !standbys.contains(where: { $0.name == name }) {
                return .blocked(
                    "no standby with the application_name \(name) is attached (spool.retain_until_replayed)")
            }
            wanted = standbys.filter { standby in names.contains { $0 == standby.name } }
        }
        var position = LogPosition(bytes: .max)
        for standby in wanted {
            guard let replayed = standby.replayed else { return .blocked(Self.hidden) }
            position = min(position, replayed)
        }
        return .replayed(position)
    }

    private static let hidden = """
        pg_stat_replication does not tell how far the standbys have replayed: GRANT pg_monitor to the daemon's role, if it \
        does not have it
        """
}

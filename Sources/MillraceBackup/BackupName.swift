package import MillraceEvent

/// The name of a backup's folder: when it was begun, in UTC, and of which kind: `20261130T100500Z`,
/// `20261130T100500Z-base`. Names ascend with time. While it is being made it ends in `.partial`, and while it is being
/// removed in `.removed`; neither is a backup.
package struct BackupName: Sendable, Hashable, Comparable, CustomStringConvertible {
    package enum Kind: String, Sendable, Codable, CaseIterable {
        /// By pg_dump: one database, restored into any server of the same major version or a newer one.
        case dump
        /// By pg_basebackup: the embedded database's whole cluster, the beginning of a recovery to a point in time.
        case base
    }

    static let partial = ".partial"
    static let removed = ".removed"

    package let kind: Kind
    /// `20261130T100500Z`
    private let time: String

    /// To the second.
    package init(_ kind: Kind, at time: Timestamp) {
        self.kind = kind
        self.time = String(time.rfc3339.prefix(19)).replacing("-", with: "").replacing(":", with: "") + "Z"
    }

    /// nil for any other name.
    package init?(_ text: String) {
        guard let match = text.wholeMatch(of: #/([0-9]{8}T[0-9]{6}Z)(-base)?/#) else { return nil }
        time = String(match.output.1)
        kind = match.output.2 == nil ? .dump : .base
    }

    package var description: String { time + (kind == .base ? "-base" : "") }

    package static func < (left: BackupName, right: BackupName) -> Bool { "\(left)" < "\(right)" }
}

package import MillraceJSON

/// What an erasure changed, or would change.
package struct ErasureCounts: Sendable, Equatable {
    /// Events that lost their user, or text of theirs.
    package var events = 0
    /// Conversation saves of the user, deleted.
    package var saves = 0
    /// Saves of others in which the id stood.
    package var mentions = 0
    /// Rows of packs' tables, deleted or changed.
    package var rows = 0
    /// Sketches made anew.
    package var sketches = 0
    package var deadLetters = 0
    package var outbox = 0
    /// Lines of daemons' spools.
    package var lines = 0

    package init() {}

    package static func += (left: inout ErasureCounts, right: ErasureCounts) {
        left.events += right.events
        left.saves += right.saves
        left.mentions += right.mentions
        left.rows += right.rows
        left.sketches += right.sketches
        left.deadLetters += right.deadLetters
        left.outbox += right.outbox
        left.lines += right.lines
    }

    /// By name, as reports and the audit log have them.
    package var named: [(name: String, count: Int)] {
        [
            ("events", events), ("conversations", saves), ("mentions", mentions), ("projection_rows", rows),
            ("sketches", sketches), ("dead_letters", deadLetters), ("outbox", outbox), ("spool_lines", lines),
        ]
    }

    package var json: JSONValue {
        .object(named.map { ($0.name, .integer($0.count)) })
    }

    package var isEmpty: Bool { named.allSatisfy { $0.count == 0 } }
}

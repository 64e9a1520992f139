internal import MillraceChannels
import MillraceEvent

/// A row for `dead_letters`: a line that will not become a row.
struct DeadLetter {
    /// First of the `lines` sequences it stands for.
    var sequence: UInt64
    var kind: RecordKind
    var tenant: Int32
    /// A `RefusalCode`, or one of the codes below.
    var code: String
    /// PostgreSQL's, when the database refused the row.
    var sqlState: String?
    var message: String
    /// The line; nil when its bytes are lost.
    var line: String?
    var receivedAt: Timestamp
    /// Who sent a line that the intake refused: an address, or the outbox.
    var peer: String?
    /// 1, or more when a damaged stretch of the spool lost several.
    var lines = 1

    /// The database refused the row.
    static let databaseCode = "database"
    /// The month was detached (`partitions.retired`).
    static let monthRetiredCode = "month_retired"
    /// The line was received under a clock that was so wrong that its month is not made.
    static let monthUnacceptableCode = "month_unacceptable"
    /// The spool's bytes were damaged or missing.
    static let spoolDamageCode = "spool_damage"
}

extension DeadLetter {
    /// One letter for all lines of a stretch that can't be read back. Where their kind went with their bytes, they count
    /// as events.
    init(_ lost: LostSequences, kind: RecordKind) {
        self.init(
            sequence: lost.sequences.lowerBound, kind: kind, tenant: 0, code: Self.spoolDamageCode,
            message: lost.reason, line: nil, receivedAt: .now, lines: lost.sequences.count
        )
    }
}

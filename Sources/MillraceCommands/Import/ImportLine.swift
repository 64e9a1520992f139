/// One line for the daemon, made of a record.
struct ImportLine: Equatable {
    /// The name of the record's kind.
    var kind: String
    var bytes: [UInt8]
    /// Its time is not the record's, which the daemon would not take any more.
    var isMoved: Bool
    /// False when the record has another line that counts for it.
    var isCounted: Bool
}

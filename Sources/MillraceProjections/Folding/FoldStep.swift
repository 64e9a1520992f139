/// What one column of a fold's tuples is filled from. Plain values: the steps lie in memory that rows are run over.
struct FoldStep {
    enum Source: UInt8 {
        /// `index`: of the row's column, which is copied with its length.
        case column
        /// `index`: of what the field extractor found.
        case path
        /// Start of the bucket that created_at is in.
        case bucket
        /// int4, 1 for an event that deletes.
        case isDeleted
    }

    var source: Source
    var index: Int
    /// Without a value the row has no key.
    var isRequired: Bool
    /// A text like "now" would depend on when the row arrives.
    var isTime: Bool
    /// Left null for an event that deletes.
    var isState: Bool

    init(_ source: Source, index: Int = 0, isRequired: Bool = false, isTime: Bool = false, isState: Bool = false) {
        self.source = source
        self.index = index
        self.isRequired = isRequired
        self.isTime = isTime
        self.isState = isState
    }
}

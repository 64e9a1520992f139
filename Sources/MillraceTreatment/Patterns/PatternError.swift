/// Why a regular expression is not taken.
struct PatternError: Error, Equatable {
    /// What is wrong, and what is wanted.
    var message: String
    /// Of the first character that is not taken, counted from 1 in Unicode scalars; nil: of the whole.
    var place: Int?
}

internal import CMillrace

extension mr_text {
    /// Whether the field extractor found a number that is too long to be given out.
    var hasLongNumbers: Bool { length < 0 }
}

/// A part of a regular expression.
indirect enum PatternNode: Equatable {
    /// One of these characters, as ranges of Unicode scalars.
    case scalars([ClosedRange<UInt32>])
    case sequence([PatternNode])
    case choice([PatternNode])
    /// `max`: nil: any number of times.
    case repeated(PatternNode, min: Int, max: Int?)
    /// The beginning of the text.
    case start
    /// The end of the text.
    case end
}

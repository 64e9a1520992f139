/// Why a record could not be encoded at all.
package enum BatchEncoderError: String, Error, Sendable {
    /// The payload does not hold as many lines as its header says, or its kind has no rows.
    case recordMismatch = "record_mismatch"
    case outOfMemory = "out_of_memory"
}

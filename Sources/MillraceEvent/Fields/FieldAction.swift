/// What is done with a listed value before anything is written. Raw value = metric tag = key of `[fields]`; where two could
/// be meant, the one that is listed first here is done.
package enum FieldAction: String, Sendable, CaseIterable {
    /// The member is left out; an array's element becomes null.
    case drop
    /// `***` takes its place.
    case mask
    /// A keyed hash takes its place: the same value gives the same one within a tenant.
    case sha256
    /// Its ciphertext takes its place.
    case encrypt

    /// For the C finder.
    var rank: UInt8 { UInt8(Self.allCases.firstIndex(of: self) ?? 0) }
}

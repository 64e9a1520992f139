/// The packs that shipped with Millrace before, as they were, for `projections.directory`.
package enum OlderPacks {
    /// Version 1 of analytics and conversations: their sketches are in one row each.
    package static let directory =
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
        + "/Fixtures/packs-version-1"
}

/// Where the sources lie.
enum Repository {
    /// This file is Tests/MillraceEndToEndTests/Harness/Repository.swift.
    static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4).joined(
        separator: "/")
}

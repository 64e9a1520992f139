import FoundationEssentials

/// Where the sources lie.
enum Repository {
    /// This file is Tests/MillraceEndToEndTests/Harness/Repository.swift.
    static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4).joined(
        separator: "/")

    /// What users read.
    static func pages() throws -> [String] {
        let guides = root + "/Sources/millrace/Millrace.docc"
        let names = try FileManager.default.contentsOfDirectory(atPath: guides).filter { $0.hasSuffix(".md") }
        return ["\(root)/README.md"] + names.sorted().map { "\(guides)/\($0)" }
    }
}

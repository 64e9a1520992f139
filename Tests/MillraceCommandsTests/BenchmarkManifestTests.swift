import Foundation
import Testing

/// Benchmarks/Package.swift compiles Millrace's targets as parts of its own, and nothing but `make bench-parts` builds them.
struct BenchmarkManifestTests {
    private static func text(_ path: String) throws -> String {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return try String(contentsOf: URL(filePath: "/\(root)/\(path)"), encoding: .utf8)
    }

    /// The names of dependencies in the first list in brackets behind `start`.
    private static func dependencies(in text: Substring) -> Set<String> {
        guard let open = text.firstIndex(of: "[") else { return [] }
        var depth = 0
        let list = text[open...].prefix { character in
            if character == "[" { depth += 1 }
            if character == "]" { depth -= 1 }
            return depth > 0
        }
        let bare = list.replacing(/package: "[\w-]+"/, with: "")
        return Set(bare.matches(of: /"(\w+)"/).map { String($0.1) })
    }

    @Test func `the parts that are measured have the dependencies of the targets that they are`() throws {
        let package = try Self.text("Package.swift")
        let benchmarks = try Self.text("Benchmarks/Package.swift")
        let parts = benchmarks.matches(of: /part\(\s*"(\w+)"/)
        #expect(parts.count >= 10)
        for part in parts {
            let target = try #require(
                package.range(of: "name: \"\(part.1)\",\\s*dependencies: ", options: .regularExpression).map {
                    package[$0.upperBound...]
                } ?? (package.contains(".target(name: \"\(part.1)\", swiftSettings") ? "[]" : nil),
                "\(part.1) is no target")
            #expect(
                Self.dependencies(in: benchmarks[part.range.upperBound...]) == Self.dependencies(in: target),
                "\(part.1)")
        }
    }
}

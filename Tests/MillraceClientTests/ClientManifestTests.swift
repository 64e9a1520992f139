import Foundation
import Testing

/// Who uses the client must not need libpq, or anything else of the daemon's.
struct ClientManifestTests {
    @Test func `the client stands on SwiftNIO, its TLS, logging and lifecycle, and on no target of the daemon`() throws
    {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let package = try String(contentsOf: URL(filePath: "/\(root)/Package.swift"), encoding: .utf8)
        let target = try #require(
            package.firstMatch(
                of: #/\.target\(\s*name: "MillraceClient",\s*dependencies: \[([^\]]*)\](.*?)\n {8}\),/#
                    .dotMatchesNewlines())
        )
        let dependencies = target.output.1.split(separator: "\n").map { line in
            line.trimmingCharacters(in: CharacterSet(charactersIn: " ,"))
        }.filter { !$0.isEmpty }
        #expect(
            dependencies == [
                #".product(name: "Logging", package: "swift-log")"#,
                #".product(name: "NIOCore", package: "swift-nio")"#,
                #".product(name: "NIOPosix", package: "swift-nio")"#,
                #".product(name: "NIOSSL", package: "swift-nio-ssl")"#,
                #".product(name: "ServiceLifecycle", package: "swift-service-lifecycle")"#,
            ])
        // SwiftPM builds no dependency with flags of that kind.
        #expect(!target.output.2.contains("unsafeFlags"))
        #expect(package.contains(#".library(name: "MillraceClient", targets: ["MillraceClient"])"#))
    }
}

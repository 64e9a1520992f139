internal import FoundationEssentials
internal import Glibc

/// An empty directory that goes with its contents when the last reference does. Every user may enter it, because
/// PostgreSQL runs as a user of its own when the tests run as root.
package final class ScratchDirectory: Sendable {
    package let path: String

    package init() throws {
        path = try Self.make()
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// One that nobody removes.
    static func make() throws -> String {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/millrace-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw TestSupportError(message: "no scratch directory in \(parent): \(String(cString: strerror(errno)))")
        }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        chmod(path, 0o755)
        return path
    }
}

import Glibc
import MillraceTestSupport

/// The program under test.
enum MillraceBinary {
    /// `MILLRACE_BINARY`, or `millrace` beside the test bundle, where `swift build` puts both.
    static var path: String {
        get throws {
            if let path = Environment.string("MILLRACE_BINARY") { return path }
            var buffer = [CChar](repeating: 0, count: 4096)
            let count = readlink("/proc/self/exe", &buffer, buffer.count)
            let bundle = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let path = bundle.prefix(through: bundle.lastIndex(of: "/") ?? bundle.startIndex) + "millrace"
            guard access(String(path), X_OK) == 0 else {
                throw TestSupportError(
                    message: "There is no \(path): build it with `swift build`, or set MILLRACE_BINARY.")
            }
            return String(path)
        }
    }
}

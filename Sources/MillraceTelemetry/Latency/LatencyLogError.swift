internal import Glibc

/// Why an interval was not written to `latency.log`. Nothing is lost by it: the next interval begins where the last one
/// that was written ended.
package struct LatencyLogError: Error, CustomStringConvertible {
    /// What failed: open, read, write or rename.
    package var call: String
    package var path: String
    /// The system's words.
    package var reason: String

    package var hint: String { "make room, or correct the directory's mode; or set latency.log" }

    /// From `errno`.
    init(_ call: String, _ path: String) {
        self.call = call
        self.path = path
        reason = String(cString: strerror(errno))
    }

    package var description: String { "\(call) of \(path) failed: \(reason)" }
}

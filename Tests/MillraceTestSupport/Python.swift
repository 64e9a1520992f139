internal import FoundationEssentials

/// The interpreter with the packages of Tests/requirements.txt.
package enum Python {
    static let hint =
        "`make test` installs what the tests want of Python into .build-python; or set MILLRACE_PYTHON "
        + "to an interpreter that has the packages of Tests/requirements.txt"

    /// `MILLRACE_PYTHON`, or `.build-python/bin/python` beside Package.swift.
    package static var path: String {
        get throws {
            if let path = ProcessInfo.processInfo.environment["MILLRACE_PYTHON"] { return path }
            // This file is Tests/MillraceTestSupport/Python.swift.
            let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
            let path = root.joined(separator: "/") + "/.build-python/bin/python"
            guard FileManager.default.isExecutableFile(atPath: path) else {
                throw TestSupportError(message: "there is no \(path): \(hint)")
            }
            return path
        }
    }
}

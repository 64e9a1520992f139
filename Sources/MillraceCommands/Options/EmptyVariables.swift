internal import Glibc

/// Variables of the environment that are there and empty: how compose files and units spell "not set".
package enum EmptyVariables {
    /// Takes them out of this process's environment, so that nobody who reads it (libpq too, whose `PGSSLMODE` has no empty
    /// value) takes them for a choice. Before any other thread runs.
    package static func remove() {
        var names: [String] = []
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            if text.hasSuffix("="), text.firstIndex(of: "=") == text.index(before: text.endIndex) {
                names.append(String(text.dropLast()))
            }
            next += 1
        }
        for name in names { unsetenv(name) }
    }
}

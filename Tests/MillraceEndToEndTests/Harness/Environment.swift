import Glibc

/// What the one who runs the tests may set.
enum Environment {
    static func string(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    static func integer(_ name: String) -> Int? {
        string(name).flatMap { Int($0) }
    }
}

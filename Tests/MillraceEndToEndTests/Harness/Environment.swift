import Glibc
import MillraceTestSupport

/// What the one who runs the tests may set.
enum Environment {
    static func string(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    static func integer(_ name: String) -> Int? {
        string(name).flatMap { Int($0) }
    }
}

extension SeededGenerator {
    /// From the environment, or one by chance; printed, so that a failure can be repeated.
    static func seed(_ variable: String) -> UInt64 {
        let seed = Environment.string(variable).flatMap { UInt64($0) } ?? UInt64.random(in: 1...999_999_999)
        print("\(variable)=\(seed)")
        return seed
    }
}

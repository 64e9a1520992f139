/// Where a value came from.
package enum ConfigurationOrigin: Sendable, Equatable, CustomStringConvertible {
    case builtIn
    /// `line` counts from 1.
    case file(path: String, line: Int)
    /// The variable's name.
    case environment(String)
    /// The flag, as it is written on the command line.
    case flag(String)

    package var description: String {
        switch self {
        case .builtIn: "default"
        case .file(let path, let line): "\(path):\(line)"
        case .environment(let name): name
        case .flag(let flag): flag
        }
    }
}

internal import ArgumentParser
internal import MillraceConfiguration
internal import MillraceDaemon

/// What a command, or the daemon, ends with: the one map from errors to it.
enum ExitStatus: Int32 {
    case done = 0
    /// The same may succeed later, or elsewhere: a service manager tries again.
    case failed = 1
    /// The command line or the configuration is wrong: the unit's RestartPreventExitStatus.
    case misused = 2

    init(_ error: any Error) {
        switch error {
        case let code as ExitCode:
            self = Self(rawValue: code.rawValue) ?? .failed
        case is ConfigurationErrors, is ListenAddressError: self = .misused
        default:
            switch MillraceCommand.exitCode(for: error) {
            case .success: self = .done
            // ArgumentParser's own status for wrong use is 64 (EX_USAGE).
            case .validationFailure: self = .misused
            default: self = .failed
            }
        }
    }
}

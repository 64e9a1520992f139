internal import ArgumentParser
internal import MillraceChannels
internal import MillraceIntake

/// Where a daemon listens: `host:port`, `[v6]:port` or `unix:/path`.
package enum Endpoint: Sendable, Equatable, CustomStringConvertible {
    case tcp(host: String, port: UInt16)
    case unix(path: String)

    /// nil for anything else; a port that the system would choose is none.
    package init?(_ text: String) {
        switch ListenAddress(text) {
        case .tcp(let host, let port) where port > 0: self = .tcp(host: host, port: UInt16(port))
        case .unix(let path): self = .unix(path: path)
        default: return nil
        }
    }

    package var description: String {
        switch self {
        case .tcp(let host, let port): "\(ListenAddress.tcp(host: host, port: Int(port)))"
        case .unix(let path): "\(ListenAddress.unix(path: path))"
        }
    }
}

extension Endpoint: ExpressibleByArgument {
    package init?(argument: String) {
        self.init(argument)
    }
}

extension Submission.Acknowledgement: ExpressibleByArgument {}

/// A length of time on the command line: `90s`, `30m`, `12h`, `30d`.
package struct Age: Equatable, ExpressibleByArgument {
    package var seconds: Int

    package init(hours: Int) {
        seconds = hours * 3600
    }

    package init?(argument: String) {
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86400]
        guard let unit = argument.last.flatMap({ units[$0] }), let count = Int(argument.dropLast()), count >= 0 else {
            return nil
        }
        let (seconds, isTooLong) = count.multipliedReportingOverflow(by: unit)
        guard !isTooLong else { return nil }
        self.seconds = seconds
    }
}

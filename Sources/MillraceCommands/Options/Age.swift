internal import ArgumentParser

/// A length of time on the command line: `90s`, `30m`, `12h`, `30d`.
struct Age: Equatable, ExpressibleByArgument {
    var seconds: Int

    init?(argument: String) {
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86400]
        guard let unit = argument.last.flatMap({ units[$0] }), let count = Int(argument.dropLast()), count >= 0 else {
            return nil
        }
        let (seconds, isTooLong) = count.multipliedReportingOverflow(by: unit)
        guard !isTooLong else { return nil }
        self.seconds = seconds
    }
}

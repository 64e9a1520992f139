internal import MillraceEvent

extension TimeRange {
    /// Of a report: what the request leaves out ends with the day (UTC), so that those who ask for the last days ask for
    /// the same. Throws `APIProblem` for a longer one than `api.report_range_max`.
    static func ofReport(
        _ parameters: RequestParameters, days: Int, _ api: APIConfiguration, now: Timestamp = .now
    ) throws(APIProblem) -> TimeRange {
        let day: Int64 = 86_400_000_000
        let tomorrow = Timestamp(microseconds: (now.microseconds / day + 1) * day)
        let until = parameters.time("to") ?? tomorrow
        let since = parameters.time("from") ?? Timestamp(microseconds: until.microseconds - Int64(days) * day)
        guard since < until else { throw RequestParameters.invalid("from", "before to") }
        let longest = api.reportRangeMax.components.seconds
        guard (until.microseconds - since.microseconds) / 1_000_000 <= longest else {
            throw RequestParameters.invalid(
                "from", "at most \(longest / 86_400) days before to (api.report_range_max)")
        }
        return TimeRange(from: since.rfc3339, to: until.rfc3339)
    }

    /// With as many seconds more at the end.
    func extended(bySeconds seconds: Int) -> TimeRange {
        guard let end = Timestamp(rfc3339: to) else { return self }
        return TimeRange(
            from: from, to: Timestamp(microseconds: end.microseconds + Int64(seconds) * 1_000_000).rfc3339)
    }
}

/// A length of time as requests write it: a whole number and its unit, such as `30m` or `7d`.
struct ReportSpan: Sendable {
    let seconds: Int

    private static let units: [(suffix: String, seconds: Int)] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]

    static func parameter(_ name: String, _ doc: String, fallback: String) -> APIParameter {
        APIParameter(name, .text(bytesMax: 10), doc + ": a number and s, m, h or d", fallback: fallback)
    }

    /// Throws `APIProblem`.
    init(_ name: String, of parameters: RequestParameters, default fallback: String, daysMax: Int) throws(APIProblem) {
        let text = parameters.text(name) ?? fallback
        let unit = Self.units.first { text.hasSuffix($0.suffix) }
        let digits = text.dropLast()
        guard let unit, digits.allSatisfy({ $0.isASCII && $0.isNumber }), let count = Int(digits), count > 0,
            count <= daysMax * 86_400 / unit.seconds
        else {
            throw RequestParameters.invalid(name, "a length of time such as 30m or 7d, at most \(daysMax)d")
        }
        seconds = count * unit.seconds
    }
}

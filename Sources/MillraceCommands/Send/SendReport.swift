internal import MillraceClient
internal import MillraceConsole
internal import MillraceTelemetry

/// What became of the lines of one `send`.
struct SendReport: Encodable {
    struct Refused: Encodable {
        /// In the input, from 1.
        var line: Int
        var code: String
        var message: String
    }

    /// An accepted line that a projection or a table did not take; with `--ack committed`.
    struct Reported: Encodable {
        /// In the input, from 1.
        var line: Int
        var fate: SendStateMachine.Reported.Fate
        var pack: String?
        var fold: String?
        var code: String
        var constraint: String?
        var sqlstate: String?
        var message: String

        init(_ reported: SendStateMachine.Reported) {
            line = reported.lineNumber
            fate = reported.fate
            let report = reported.report
            (pack, fold, code) = (report.pack, report.fold, report.code)
            (constraint, sqlstate, message) = (report.constraint, report.sqlstate, report.message)
        }

        /// For people.
        var text: String {
            let place = [
                pack.map { "pack \($0)" }, fold.map { "fold \($0)" }, constraint.map { "constraint \($0)" },
                sqlstate.map { "SQLSTATE \($0)" }, code == "database" ? nil : code,
            ].compactMap { $0 }
            return "\(fate.rawValue): \((place + [message]).joined(separator: ", "))"
        }
    }

    /// Lines read, empty ones not counted.
    var sent: Int
    /// Durable in the spool (or committed, with `--ack committed`).
    var accepted: Int
    var refused: Int
    /// Of `accepted`, with `--ack committed`: lines that a projection lacks, and lines that are in `dead_letters` instead of
    /// their table.
    var parked: Int
    var deadLetters: Int
    /// Lines that went out and are not known to be kept: 0 unless it gave up.
    var unsettled: Int
    /// Lines that went out again after a connection ended.
    var resent: Int
    var reconnects: Int
    var seconds: Double
    var refusedByCode: [String: Int]
    /// The first ones.
    var refusals: [Refused]
    /// The first ones.
    var reports: [Reported]
    /// Why it gave up.
    var failure: String?

    init(of machine: SendStateMachine, elapsed: Duration, failure: CommandError?) {
        accepted = machine.acceptedCount
        refused = machine.refusedCount
        parked = machine.parkedCount
        deadLetters = machine.deadCount
        unsettled = machine.window.count
        sent = accepted + refused + unsettled
        resent = machine.resentCount
        reconnects = machine.reconnectCount
        seconds = elapsed.reportedSeconds
        refusedByCode = machine.refusedByCode
        refusals = machine.refused.map { Refused(line: $0.lineNumber, code: $0.code, message: $0.message) }
        reports = machine.reported.map { Reported($0) }
        self.failure = failure?.description
    }

    var isComplete: Bool { refused == 0 && parked == 0 && deadLetters == 0 && failure == nil }

    /// For people.
    var text: String {
        let rate = seconds > 0 ? Int(Double(accepted + refused) / seconds) : 0
        var lines = [
            "sent \(Format.count(sent)) lines in \(Format.duration(.seconds(seconds))) (\(Format.count(rate)) lines/s): "
                + "\(Format.count(accepted)) accepted, \(Format.count(refused)) refused"
        ]
        if reconnects > 0 || resent > 0 {
            lines.append("reconnected \(reconnects) times; \(Format.count(resent)) lines went out again")
        }
        if unsettled > 0 {
            lines.append("\(Format.count(unsettled)) lines are not known to be kept: send them again")
        }
        if parked > 0 || deadLetters > 0 {
            lines.append(
                "of the accepted, \(Format.count(parked)) are parked and \(Format.count(deadLetters)) are dead letters:"
            )
        }
        for report in reports { lines.append(TerminalText.line("  line \(report.line): \(report.text)")) }
        if parked + deadLetters > reports.count {
            lines.append("  … and \(Format.count(parked + deadLetters - reports.count)) more")
        }
        for (code, count) in refusedByCode.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
            lines.append("  \(code): \(Format.count(count))")
        }
        for refusal in refusals {
            lines.append(TerminalText.line("  line \(refusal.line): \(refusal.code): \(refusal.message)"))
        }
        if refused > refusals.count { lines.append("  … and \(Format.count(refused - refusals.count)) more") }
        return lines.joined(separator: "\n")
    }
}

/// How far a `send` is.
struct SendProgress: Equatable {
    var accepted: Int
    var refused: Int
    /// Bytes read of the input, before decompression.
    var readBytes: Int
    /// nil when the input is no file.
    var totalBytes: Int?
    /// Lines read and not answered.
    var unsettled: Int
    /// Why there is no connection now.
    var trouble: String?

    /// 0 ... 1; nil when the input's size is not known.
    var fraction: Double? {
        guard let totalBytes, totalBytes > 0 else { return nil }
        return min(1, Double(readBytes) / Double(totalBytes))
    }

    /// One line for a reader: a bar where the size is known.
    /// - Parameters:
    ///   - elapsed: since the start.
    ///   - linesPerSecond: of late.
    func line(elapsed: Duration, linesPerSecond: Double) -> String {
        var parts: [String] = []
        if let fraction { parts.append(Format.bar(fraction)) }
        parts.append("\(Format.count(accepted)) accepted")
        if refused > 0 { parts.append("\(Format.count(refused)) refused") }
        if let trouble {
            parts.append("waiting: \(trouble)")
            return parts.joined(separator: "  ")
        }
        parts.append("\(Format.count(Int(linesPerSecond))) lines/s")
        if let left = fraction.flatMap({ Format.timeLeft($0, elapsed: elapsed) }) { parts.append(left) }
        return parts.joined(separator: "  ")
    }
}

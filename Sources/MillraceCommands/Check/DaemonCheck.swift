internal import MillraceConsole

/// Asks the running daemon whether it writes what it takes, and what else it finds.
struct DaemonCheck {
    let context: CommandContext

    func run() -> [CheckResult] {
        do {
            let destination = try Destination(context.httpListener())
            guard let answer = try? HTTPProbe.get("/readyz", from: destination, timeout: .seconds(3)) else {
                return [
                    CheckResult(
                        "writing", ok: true, detail: "no daemon answers at \(destination), so none was asked", fix: "")
                ]
            }
            guard let writing = WritingAnswer(answer.body) else {
                return [
                    CheckResult("writing", ok: true, detail: "the daemon at \(destination) does not say", fix: "")
                ]
            }
            let reason = writing.reason ?? "it gives no reason"
            let result = CheckResult(
                "writing", ok: writing.writing,
                detail: writing.writing
                    ? "the daemon at \(destination) writes"
                    : "the daemon at \(destination) has written nothing since \(writing.since ?? "?"): \(reason)",
                fix: "Fix the reason; what was taken is in the spool and is written then.")
            return [result] + writing.standbys
        } catch {
            return [CheckResult("writing", ok: true, detail: "no daemon was asked: \(error)", fix: "")]
        }
    }
}

extension WritingAnswer {
    /// Of a standby that lags further than the spool keeps lines, or nearly so.
    fileprivate var standbys: [CheckResult] {
        (notes ?? []).filter { $0.code == "standby_lag" }.map { note in
            let parts = note.message.split(separator: "; ", maxSplits: 1)
            return CheckResult(
                "standbys", ok: false, detail: String(parts.first ?? ""), fix: parts.dropFirst().joined())
        }
    }
}

internal import MillraceConsole

/// Asks the running daemon whether it writes what it takes.
struct DaemonCheck {
    let context: CommandContext

    func run() -> CheckResult {
        do {
            let destination = try Destination(context.httpListener())
            guard let answer = try? HTTPProbe.get("/readyz", from: destination, timeout: .seconds(3)) else {
                return CheckResult(
                    "writing", ok: true, detail: "no daemon answers at \(destination), so none was asked", fix: "")
            }
            guard let writing = WritingAnswer(answer.body) else {
                return CheckResult("writing", ok: true, detail: "the daemon at \(destination) does not say", fix: "")
            }
            let reason = writing.reason ?? "it gives no reason"
            return CheckResult(
                "writing", ok: writing.writing,
                detail: writing.writing
                    ? "the daemon at \(destination) writes"
                    : "the daemon at \(destination) has written nothing since \(writing.since ?? "?"): \(reason)",
                fix: "Fix the reason; what was taken is in the spool and is written then.")
        } catch {
            return CheckResult("writing", ok: true, detail: "no daemon was asked: \(error)", fix: "")
        }
    }
}

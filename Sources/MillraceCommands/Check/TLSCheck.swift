internal import FoundationEssentials
internal import Glibc
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceIntake

/// The files of `[tls]`, where a listener speaks it.
struct TLSCheck {
    /// As early as Let's Encrypt's clients renew.
    private static let daysLeftMin: Int64 = 7

    let configuration: DaemonConfiguration

    func run() -> [CheckResult] {
        guard configuration.tcp.tls || configuration.http.tls else { return [] }
        do throws(TLSFileError) {
            let files = try TLSFiles(reading: configuration.tls)
            return [certificate(files.facts), key(files.keyMode)]
        } catch {
            return [CheckResult("tls", ok: false, detail: error.message, fix: error.hint + ".")]
        }
    }

    private func certificate(_ facts: CertificateFacts) -> CheckResult {
        let now = Int64(time(nil))
        let days = (facts.validUntil - now) / 86_400
        let until = Date(timeIntervalSince1970: Double(facts.validUntil)).formatted(.iso8601)
        let names = facts.names.isEmpty ? "no names" : facts.names.joined(separator: ", ")
        return CheckResult(
            "tls certificate", ok: facts.isValid(at: now) && days >= Self.daysLeftMin && !facts.names.isEmpty,
            detail: "\(facts.subject), for \(names), until \(until) (\(days) days); its key fits",
            fix: facts.names.isEmpty
                ? "Have it made with subject alternative names: clients look at nothing else."
                : "Renew \(configuration.tls.certificate), then `systemctl reload millrace`.")
    }

    private func key(_ mode: UInt32) -> CheckResult {
        let path = configuration.tls.key
        let text = String(mode, radix: 8)
        return CheckResult(
            "tls key", ok: mode & 0o007 == 0, detail: "\(path), mode 0\(text)",
            fix: "Others may read it: chmod 0600 \(path), or 0640 with the group of the daemon's user.")
    }
}

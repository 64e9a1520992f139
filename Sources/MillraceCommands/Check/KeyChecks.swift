internal import MillraceAccess
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres

/// Looks who may connect and by what: listeners that others reach, and the keys that are in force.
struct KeyChecks {
    /// A key that ends so soon is named.
    private static let soon = Duration.seconds(14 * 86_400)

    let configuration: DaemonConfiguration

    /// Of the listeners, as they are configured.
    func listeners() -> CheckResult {
        let remote = configuration.remoteListeners
        guard !remote.isEmpty else {
            return CheckResult("listeners", ok: true, detail: "loopback and Unix sockets only", fix: "")
        }
        let detail = remote.map { "\($0.address) \($0.hasTLS ? "with TLS" : "WITHOUT TLS")" }.joined(separator: ", ")
        guard remote.contains(where: { !$0.hasTLS }) else {
            return CheckResult("listeners", ok: true, detail: "\(detail); every client needs a key", fix: "")
        }
        return .warning(
            "listeners", detail: "\(detail): keys and events pass as plain text (auth.plaintext_behind_proxy)",
            fix: "Let nothing reach it but a proxy that ends TLS, on a private network; or set tcp.tls and http.tls.")
    }

    /// Of the keys in the database, whose tables must be there.
    func keys(_ connection: PostgresConnection) throws(PostgresError) -> CheckResult {
        let table = KeyTable(connection: connection)
        let keys: KeyTable.InForce
        do throws(PostgresError) {
            keys = try table.inForce(configuration.auth.keysMax)
        } catch {
            guard error.sqlState == .insufficientPrivilege else { throw error }
            return CheckResult(
                "keys", ok: false, detail: "this role may not read them, so the daemon lets nobody in",
                fix: "GRANT SELECT ON public.access_keys, public.access_keys_state TO the role of database.url.")
        }
        guard !keys.records.isEmpty else {
            guard keys.areAnyKnown || configuration.wantsKeys else {
                return CheckResult(
                    "keys", ok: true, detail: "none: this machine needs none, and nobody else can connect", fix: "")
            }
            return .warning(
                "keys", detail: "none in force, and one is wanted of everyone",
                fix: "Make one by `millrace keys create --scope write`.")
        }
        let limit = Timestamp.now.advanced(by: Self.soon).microseconds
        let ending = keys.records.filter { [$0.expiresAt, $0.revokedAt].contains { $0.map { $0 < limit } ?? false } }
        let detail = "\(Format.count(keys.records.count)) in force, and wanted of everyone"
        guard !keys.isCut else {
            return CheckResult(
                "keys", ok: false, detail: "\(detail); there are more, and the newest open nothing",
                fix: "Revoke what nobody uses, or raise auth.keys_max.")
        }
        guard !ending.isEmpty else { return CheckResult("keys", ok: true, detail: detail, fix: "") }
        let names = ending.prefix(5).map { $0.name.isEmpty ? $0.id : "\($0.id) (\($0.name))" }
        let more = ending.count > names.count ? " and \(ending.count - names.count) more" : ""
        return .warning(
            "keys", detail: "\(detail); within 14 days these end: \(names.joined(separator: ", "))\(more)",
            fix: "Change their clients over: `millrace keys rotate ID`, or make new ones.")
    }
}

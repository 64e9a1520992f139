internal import MillraceBackup
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillracePostgres

/// Reads a backup and says what is wrong with it. Blocks on the disk.
struct BackupCheck {
    let store: BackupStore
    let configuration: DaemonConfiguration

    /// `progress`: the share that is done.
    func run(_ name: BackupName, progress: (Double) -> Void) -> (bytes: Int, problems: [String]) {
        do {
            let manifest = try store.manifest(of: name)
            let total = Double(max(1, manifest.bytes))
            var problems = store.problems(of: name, manifest) { progress(Double($0) / total) }
            if name.kind == .base, problems.isEmpty {
                do {
                    try configuration.embeddedCluster.verifyBase("\(store.path(name))/\(BackupStore.database)")
                } catch {
                    problems.append("\(error)")
                }
            }
            return (manifest.bytes, problems)
        } catch {
            return (0, ["\(error)"])
        }
    }
}

extension BackupCommand {
    /// `dumping the database  [####----] 25%  ETA 3 min 20 s`
    static func line(_ step: String, _ share: Double, _ elapsed: Duration) -> String {
        "\(step)  \(Format.bar(share))" + (Format.timeLeft(share, elapsed: elapsed).map { "  \($0)" } ?? "")
    }
}

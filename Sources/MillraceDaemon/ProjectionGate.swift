import Logging
import MillraceConfiguration
internal import MillraceThreads
import MillracePostgres
import MillraceProjections
import MillraceTelemetry
import MillraceWriter

/// Looks, before the stages start, whether the packs' files and their versions in the database go together.
///
/// A pack that is not installed, or whose files changed under its version, keeps the daemon from starting. A database
/// that is away can't say, and one without the catalog wants its migrations first: then the daemon starts, and its
/// writers leave out what they don't know.
struct ProjectionGate {
    let configuration: DaemonConfiguration
    let logger: Logger

    /// Throws `ProjectionsError`, and a `PostgresError` when the database's encoding is not UTF-8.
    func check(_ packs: [PackDefinition]) async throws {
        try await BlockingThread.run(named: "projections") { try look(packs) }
    }

    private func look(_ packs: [PackDefinition]) throws {
        let standings: [PackStanding]
        do throws(PostgresError) {
            let connection = try PostgresConnection(
                connectionString: configuration.database.url.value, applicationName: "millrace projections",
                connectTimeout: configuration.database.connectTimeout, interrupt: PostgresInterrupt())
            try connection.requireUTF8()
            guard try PackVersion.isCatalogThere(connection) else { return }
            standings = PackStanding.all(packs, try PackVersion.all(connection))
        } catch {
            guard error.code != .databaseUnfit else { throw error }
            logger.warning("projections not checked", metadata: [.error: "\(error)"])
            return
        }
        for standing in standings {
            if let refusal = standing.refusal { throw refusal }
            guard let warning = standing.warning else { continue }
            logger.warning(
                "pack not folded",
                metadata: [.pack: "\(standing.pack)", .reason: "\(warning.message)", .hint: "\(warning.fix)"])
        }
    }
}

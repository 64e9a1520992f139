import Logging
import MillraceClient
import ServiceLifecycle
import UnixSignals

/// What the guide to the Swift client shows of a server: a test compares it with the page, word by word.
enum ClientSnippets {
    static func serve(_ server: any Service, key: String, logger: Logger) async throws {
        var configuration = MillraceClient.Configuration(
            host: "millrace.example", tls: .init(authorities: "/etc/millrace/ca.crt"), key: key)
        configuration.whenFull = .refuse
        configuration.onRefused = { refusal in logger.error("event refused", metadata: ["code": "\(refusal.code)"]) }
        let client = try MillraceClient(configuration, logger: logger)
        try await ServiceGroup(services: [client, server], gracefulShutdownSignals: [.sigterm], logger: logger).run()
    }
}

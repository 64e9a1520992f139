internal import CLibPQ
internal import Logging

/// Takes a connection's notices from libpq, which would otherwise print them to standard error.
final class NoticeLog {
    private let logger: Logger?

    init(logger: Logger?) {
        self.logger = logger
    }

    /// The log must live as long as the connection.
    func attach(to connection: OpaquePointer) {
        PQsetNoticeReceiver(
            connection,
            { context, result in
                guard let context else { return }
                Unmanaged<NoticeLog>.fromOpaque(context).takeUnretainedValue().take(result)
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
        // libpq's own warnings; they say nothing that an error does not say again.
        PQsetNoticeProcessor(connection, { _, _ in }, nil)
    }

    private func take(_ result: OpaquePointer?) {
        guard let logger, let result else { return }
        logger.debug(
            "database notice",
            metadata: [
                "sqlstate": "\(PostgresError.field(.sqlState, of: result) ?? "")",
                "message": "\(PostgresError.field(.message, of: result) ?? "")",
            ]
        )
    }
}

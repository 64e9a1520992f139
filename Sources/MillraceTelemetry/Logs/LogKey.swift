/// The keys of log metadata. Raw value = the key in a line; the same words as the metrics' labels and the tables' columns.
package enum LogKey: String, Sendable {
    case addresses
    /// How long something took, in seconds, once it is over.
    case afterSeconds = "after_seconds"
    /// Settings that a reload has changed.
    case applied
    /// A batch's sequences.
    case batch
    case batches
    case bytes
    case code
    case count
    /// Until something ends; below zero once it has.
    case days
    case databaseID = "database_id"
    /// Settings that a restart will change.
    case delayed = "needs_restart"
    case directory
    /// An error's whole description.
    case error
    case finding
    /// How long something has lasted so far, in seconds.
    case forSeconds = "for_seconds"
    case from
    case heldBy = "held_by"
    /// The operator's next step.
    case hint
    case httpConnections = "http_connections"
    /// The last refusal's code, in a line that counts several.
    case lastRefusal = "last_code"
    case lastPeer = "last_peer"
    case limit
    case lines
    case linesWaiting = "lines_waiting"
    case message
    /// Of a certificate: DNS names and addresses.
    case names
    case needed
    case nextSequence = "next_sequence"
    case notKept = "not_kept"
    case pack
    case partition
    case path
    case peer
    case psql
    /// An error's message, beside its code.
    case reason
    /// Its place in api.read_url, from 1, and its connection string without the password.
    case replica
    case route
    case rows
    case seconds
    case segment
    case segments
    case serverStart = "server_start"
    case session
    case spoolID = "spool_id"
    /// The five characters of PostgreSQL's SQLSTATE; the same word as in tables, answers and reports.
    case sqlState = "sqlstate"
    /// Its application_name, or its slot.
    case standby
    case status
    case step
    /// Of a certificate, as RFC 4514 writes it.
    case subject
    case tcpConnections = "tcp_connections"
    case title
    case version
    case versionID = "version_id"
    case waiter
    case waitsFor = "waits_for"
    case writer
}

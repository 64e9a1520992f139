/// The keys of log metadata. Raw value = the key in a line; the same words as the metrics' labels.
package enum LogKey: String, Sendable, CaseIterable {
    case address
    case attempt
    case batchID = "batch_id"
    case bytes
    case cause
    case client
    case code
    case connection
    case count
    case database
    case dead
    case delay
    case directory
    case duplicates
    case duration
    case error
    case file
    case firstSequence = "first_seq"
    case hint
    case kind
    case lastSequence = "last_seq"
    case limit
    case line
    case message
    case migration
    case partition
    case path
    case pid
    case reason
    case route
    case rows
    case segment
    case sequence = "seq"
    case service
    case signal
    case spoolID = "spool_id"
    case sqlState = "sqlstate"
    case state
    case status
    case table
    case transport
    case version
    case writer
}

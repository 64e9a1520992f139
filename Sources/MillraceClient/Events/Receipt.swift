public import FoundationEssentials

extension MillraceClient {
    /// What the daemon said of an event that it took.
    public struct Receipt: Sendable, Hashable {
        /// Of the event.
        public let id: UUID
        /// Why the event is not, or not only, in its table; only with ``Acknowledgement/committed``. Empty where all is well.
        /// Of a group with more such lines than `tcp.reported_lines_max`, the first ones are named.
        public let reports: [Report]
    }

    /// Why an accepted event is not, or not only, in the tables.
    public struct Report: Sendable, Hashable {
        /// Where the event is.
        public enum Fate: Sendable, Hashable {
            /// Its row is stored, and one projection lacks it.
            case parked
            /// It is in no table, and in `dead_letters`.
            case deadLetter
        }

        /// Where the event is.
        public let fate: Fate
        /// The daemon's code, such as `database`.
        public let code: String
        /// What the database said.
        public let message: String
        /// Of a parked event: `pack.fold`.
        public let projection: String?
        /// The constraint that it broke.
        public let constraint: String?
        /// PostgreSQL's own code.
        public let sqlState: String?
    }

    /// An event that the daemon did not take. It is not sent again.
    public struct Refusal: Sendable, Hashable {
        /// As it was sent.
        public let event: Event
        /// The daemon's code, such as `invalid_user_id`.
        public let code: String
        /// What was wrong, and what is wanted.
        public let message: String
    }

    /// What became of the events that were enqueued since the flush before.
    public struct FlushReport: Sendable, Hashable {
        /// The daemon has them.
        public internal(set) var acceptedCount = 0
        /// It refused them.
        public internal(set) var refusedCount = 0
        /// The first 100 of them.
        public internal(set) var refusals: [Refusal] = []
        /// Of the accepted ones, those with reports; the first 100.
        public internal(set) var reported: [Receipt] = []
    }
}

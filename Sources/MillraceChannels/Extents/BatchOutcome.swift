/// What became of a batch, once its transaction is committed.
package struct BatchOutcome: Sendable {
    /// Counts of one kind of record.
    package struct Counts: Sendable, Equatable {
        /// Rows that went in.
        package var committed = 0
        /// Lines whose row was there already.
        package var duplicates = 0
        /// Lines that the database refuses for good, or whose bytes were damaged: in `dead_letters`.
        package var dead = 0

        package init(committed: Int = 0, duplicates: Int = 0, dead: Int = 0) {
            self.committed = committed
            self.duplicates = duplicates
            self.dead = dead
        }
    }

    /// Lines of one tenant, of both kinds.
    package struct TenantLines: Sendable, Equatable {
        package var tenant: Int32
        package var committed: Int
        package var dead: Int

        package init(tenant: Int32, committed: Int, dead: Int) {
            self.tenant = tenant
            self.committed = committed
            self.dead = dead
        }
    }

    package var sequences: Range<UInt64>
    package var events = Counts()
    package var conversations = Counts()
    /// Lines of kind `refused`, now in `dead_letters`.
    package var refused = 0
    /// What of the events and conversations is whose; each tenant once.
    package var tenants: [TenantLines] = []
    /// Sequences of the duplicates, ascending.
    package var duplicateSequences: [UInt64] = []
    /// Sequences of the dead lines, ascending.
    package var deadSequences: [UInt64] = []
    /// Sequences of lines that someone waits for and that a projection lacks, ascending, once for each fold.
    package var parkedSequences: [UInt64] = []
    /// Of dead and parked lines that someone waits for, in order of sequence: as many as they want.
    package var reports: [LineReport] = []

    package init(sequences: Range<UInt64>) {
        self.sequences = sequences
    }
}

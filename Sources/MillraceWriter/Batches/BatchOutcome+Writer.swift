internal import Algorithms
internal import MillraceChannels
internal import MillraceEvent
import MillracePostgres

extension BatchOutcome {
    /// Counts rows that were there already. `isConversations`: of that kind, else events.
    mutating func countDuplicates(_ sequences: [UInt64], isConversations: Bool) {
        duplicateSequences += sequences
        if isConversations { conversations.duplicates += sequences.count } else { events.duplicates += sequences.count }
    }

    /// Those that rows went into.
    var tables: Set<PartitionedTable> {
        var tables: Set<PartitionedTable> = []
        if events.committed > 0 { tables.insert(.analyticsEvents) }
        if conversations.committed > 0 { tables.insert(.conversations) }
        return tables
    }

    private mutating func countTenants(_ encoded: EncodedBatch) {
        for (tenant, sequences) in encoded.owners {
            let dead = deadSequences.count(within: sequences)
            let committed = sequences.count - dead - duplicateSequences.count(within: sequences)
            if let index = tenants.firstIndex(where: { $0.tenant == tenant }) {
                tenants[index].committed += committed
                tenants[index].dead += dead
            } else {
                tenants.append(TenantLines(tenant: tenant, committed: committed, dead: dead))
            }
        }
    }

    /// Fills in the other counts, once every row's fate is known. Whatever is neither a duplicate nor dead went in.
    mutating func count(letters: [DeadLetter], of encoded: EncodedBatch) {
        duplicateSequences.sort()
        for letter in letters {
            switch letter.kind {
            case .event: events.dead += letter.lines
            case .conversation: conversations.dead += letter.lines
            case .refused: refused += letter.lines
            }
        }
        deadSequences = letters.flatMap { $0.sequence..<$0.sequence + UInt64($0.lines) }.sorted()
        events.committed = encoded.eventLines - events.dead - events.duplicates
        conversations.committed = encoded.conversationLines - conversations.dead - conversations.duplicates
        countTenants(encoded)
    }
}

extension [UInt64] {
    /// Of an ascending list.
    fileprivate func count(within range: Range<UInt64>) -> Int {
        partitioningIndex { $0 >= range.upperBound } - partitioningIndex { $0 >= range.lowerBound }
    }
}

import MillraceEvent
import MillracePostgres

extension BatchOutcome {
    /// Fills in the counts, once every row's fate is known. Whatever is neither a duplicate nor dead went in.
    mutating func settle(letters: [DeadLetter], of encoded: EncodedBatch, leaves: [EncodedLeaf]) {
        duplicateSequences.sort()
        for letter in letters {
            switch letter.kind {
            case .event: events.dead += letter.lines
            case .conversation: conversations.dead += letter.lines
            case .refused: refused += letter.lines
            }
        }
        deadSequences = letters.flatMap { $0.sequence..<$0.sequence + UInt64($0.lines) }.sorted()
        for leaf in leaves where leaf.key.table == .conversations {
            conversations.duplicates += leaf.sequences(of: 0..<leaf.count).count {
                duplicateSequences.containsSorted($0)
            }
        }
        events.duplicates = duplicateSequences.count - conversations.duplicates
        events.committed = encoded.eventLines - events.dead - events.duplicates
        conversations.committed = encoded.conversationLines - conversations.dead - conversations.duplicates
    }
}

extension [UInt64] {
    /// Binary search in an ascending array.
    fileprivate func containsSorted(_ element: UInt64) -> Bool {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < element { low = middle + 1 } else { high = middle }
        }
        return low < count && self[low] == element
    }
}

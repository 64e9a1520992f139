internal import MillraceEvent
internal import NIOCore

/// What is written once all batches up to here are durable (committed), or refused.
struct TCPAnswer: Equatable {
    struct Refusal: Equatable {
        var line: UInt64
        var refusal: MillraceEvent.Refusal
    }

    /// In order of line.
    var refusals: [Refusal]
    /// How many first lines of the connection are answered now.
    var ack: UInt64
}

/// The batches of one connection whose answers are still to come, in the order in which they came.
struct TCPAnswerQueue {
    private struct Batch {
        var id: UInt64
        var lastLine: UInt64
        var byteCount: Int
        var refusals: [TCPAnswer.Refusal]
        var isAckReady: Bool
    }

    private var batches = CircularBuffer<Batch>()
    private var lastID: UInt64 = 0
    /// Of the batches.
    private(set) var byteCount = 0

    var isEmpty: Bool { batches.isEmpty }

    /// Id of the batch whose answer comes next.
    var oldest: UInt64? { batches.first?.id }

    /// Returns the batch's id. One whose lines were all refused is ready for its answer.
    mutating func append(_ batch: TCPBatch) -> UInt64 {
        lastID += 1
        batches.append(
            Batch(
                id: lastID, lastLine: batch.lastLine, byteCount: batch.byteCount, refusals: batch.refusals,
                isAckReady: batch.records.isEmpty))
        byteCount += batch.byteCount
        return lastID
    }

    /// The lines of a batch are durable (committed), or refused. One that is no longer here changes nothing.
    mutating func ackReady(_ id: UInt64) {
        // Ids are consecutive, so the place follows from the id.
        guard let first = batches.first, id >= first.id, id - first.id < UInt64(batches.count) else { return }
        batches[batches.index(batches.startIndex, offsetBy: Int(id - first.id))].isAckReady = true
    }

    /// One answer for all the batches whose turn it is; nil when there is none.
    mutating func takeNext() -> TCPAnswer? {
        var answer: TCPAnswer?
        while let batch = batches.first, batch.isAckReady {
            batches.removeFirst()
            byteCount -= batch.byteCount
            answer = TCPAnswer(refusals: (answer?.refusals ?? []) + batch.refusals, ack: batch.lastLine)
        }
        return answer
    }

    mutating func removeAll() {
        batches.removeAll()
        byteCount = 0
    }
}

internal import MillraceChannels
internal import MillraceEvent
internal import NIOCore

/// What is written once all batches up to here are durable (committed), or refused.
struct TCPAnswer: Equatable {
    struct Refusal: Equatable {
        var line: UInt64
        var refusal: MillraceEvent.Refusal
    }

    /// What the database says of a line.
    struct Report: Equatable {
        var line: UInt64
        var report: LineReport
    }

    /// How many lines of a stretch are dead or parked, where not all are reported.
    struct Totals: Equatable {
        var lines: ClosedRange<UInt64>
        var parked: Int
        var dead: Int
    }

    /// In order of line.
    var refusals: [Refusal]
    /// In order of line.
    var reports: [Report] = []
    var totals: [Totals] = []
    /// How many first lines of the connection are answered now.
    var ack: UInt64
}

/// The batches of one connection whose answers are still to come, in the order in which they came.
struct TCPAnswerQueue {
    private struct Batch {
        var id: UInt64
        /// Its lines end with `lastLine`.
        var lineCount: Int
        var lastLine: UInt64
        var byteCount: Int
        var refusals: [TCPAnswer.Refusal]
        var sampledOut: [UInt64]
        var reports: [TCPAnswer.Report] = []
        var totals: TCPAnswer.Totals?
        var isAckReady: Bool

        /// Of each line in the records by its number among those, which ascends: its number on the connection.
        func lines(of numbers: some Sequence<UInt64>) -> [UInt64] {
            var others = (refusals.map(\.line) + sampledOut)[...]
            if !sampledOut.isEmpty { others.sort() }
            var otherCount: UInt64 = 0
            let firstLine = lastLine + 1 - UInt64(lineCount)
            return numbers.map { number in
                while let next = others.first, next <= firstLine + number + otherCount {
                    others.removeFirst()
                    otherCount += 1
                }
                return firstLine + number + otherCount
            }
        }

        /// Returns how many bytes that takes.
        mutating func add(_ committed: CommittedLines, of sequences: Range<UInt64>) -> Int {
            let numbers = lines(of: committed.reports.lazy.map { $0.sequence - sequences.lowerBound })
            reports = zip(numbers, committed.reports).map { TCPAnswer.Report(line: $0, report: $1) }
            if committed.parked + committed.dead > reports.count {
                totals = TCPAnswer.Totals(
                    lines: lastLine + 1 - UInt64(lineCount)...lastLine, parked: committed.parked, dead: committed.dead)
            }
            let bytes = reports.reduce(0) { sum, one in
                sum + MemoryLayout<TCPAnswer.Report>.stride + one.report.message.utf8.count
            }
            byteCount += bytes
            return bytes
        }
    }

    private var batches = CircularBuffer<Batch>()
    private var lastID: UInt64 = 0
    /// Of the batches.
    private(set) var byteCount = 0

    var isEmpty: Bool { batches.isEmpty }

    /// Id of the batch whose answer comes next.
    var oldest: UInt64? { batches.first?.id }

    /// Returns the batch's id. One without records is ready for its answer.
    mutating func append(_ batch: TCPBatch) -> UInt64 {
        lastID += 1
        batches.append(
            Batch(
                id: lastID, lineCount: batch.lineCount + batch.refusals.count + batch.sampledOut.count,
                lastLine: batch.lastLine, byteCount: batch.byteCount, refusals: batch.refusals,
                sampledOut: batch.sampledOut, isAckReady: batch.records.isEmpty))
        byteCount += batch.byteCount
        return lastID
    }

    /// The lines of a batch are durable, or refused; `committed`: their sequences, and what became of them. One that is no
    /// longer here changes nothing.
    mutating func ackReady(_ id: UInt64, _ committed: (sequences: Range<UInt64>, lines: CommittedLines)? = nil) {
        // Ids are consecutive, so the place follows from the id.
        guard let first = batches.first, id >= first.id, id - first.id < UInt64(batches.count) else { return }
        let index = batches.index(batches.startIndex, offsetBy: Int(id - first.id))
        batches[index].isAckReady = true
        guard let (sequences, lines) = committed, lines.parked + lines.dead > 0 else { return }
        byteCount += batches[index].add(lines, of: sequences)
    }

    /// One answer for all the batches whose turn it is; nil when there is none.
    mutating func takeNext() -> TCPAnswer? {
        var answer: TCPAnswer?
        while let batch = batches.first, batch.isAckReady {
            batches.removeFirst()
            byteCount -= batch.byteCount
            var next = answer ?? TCPAnswer(refusals: [], ack: 0)
            next.refusals += batch.refusals
            next.reports += batch.reports
            if let totals = batch.totals { next.totals.append(totals) }
            next.ack = batch.lastLine
            answer = next
        }
        return answer
    }

    mutating func removeAll() {
        batches.removeAll()
        byteCount = 0
    }
}

internal import Algorithms
internal import MillraceChannels
import MillraceEvent
import MillracePostgres
internal import MillraceProjections

/// Gathers what those who wait for lines of a batch are told of them.
struct BatchReports {
    /// Events that are looked up together.
    private static let eventsMax = 1000

    private let awaited: [CommitBoard.Awaited]
    /// Of each of `awaited`: how many reports are still wanted.
    private var wanted: [Int]
    private(set) var reports: [LineReport] = []
    private(set) var parkedSequences: [UInt64] = []

    init(on batch: Batch, awaited: [CommitBoard.Awaited]) {
        self.awaited = awaited
        wanted = awaited.map(\.reportsMax)
    }

    mutating func add(_ letters: [DeadLetter]) {
        for letter in letters where letter.kind != .refused || letter.isQuarantined {
            for sequence in letter.sequence..<letter.sequence + UInt64(letter.lines) {
                add(sequence) {
                    LineReport(
                        sequence: sequence, .dead, code: letter.code, constraint: letter.constraint,
                        sqlState: letter.sqlState, message: letter.message)
                }
            }
        }
    }

    /// Whether someone waits for a line of `part`.
    func wants(_ part: ArraySlice<Extent>) -> Bool {
        part.contains { extent in awaited.contains { $0.sequences.overlaps(extent.sequences) } }
    }

    /// Looks up the leaf's rows that are awaited and not dead; `duplicatesOnly`: nothing was parked with the batch. Blocks.
    mutating func addParked(
        _ leaf: EncodedLeaf, _ outcome: BatchOutcome, duplicatesOnly: Bool, _ projection: BatchProjection,
        on connection: PostgresConnection
    ) throws(PostgresError) {
        let (dead, duplicates) = (Set(outcome.deadSequences), Set(outcome.duplicateSequences))
        let columns = leaf.key.table.columns
        guard let id = columns.firstIndex(of: "id"), let createdAt = columns.firstIndex(of: "created_at"),
            let tenant = columns.firstIndex(of: "tenant_id")
        else { return }
        var sequences: [UInt64] = []
        var events: [Parking.Event] = []
        var shared: [[Parking]] = []
        try leaf.forEachRow { (sequence, row) throws(PostgresError) in
            let isDuplicate = duplicates.contains(sequence)
            guard index(of: sequence) != nil, !dead.contains(sequence), isDuplicate || !duplicatesOnly,
                let id = row.value(ofColumn: id), let tenant = row.value(ofColumn: tenant)
            else { return }
            sequences.append(sequence)
            events.append(
                Parking.Event(
                    id: UniqueID(
                        high: UInt64(bigEndian: id.loadUnaligned(as: UInt64.self)),
                        low: UInt64(bigEndian: id.loadUnaligned(fromByteOffset: 8, as: UInt64.self))),
                    tenant: Int32(bigEndian: tenant.loadUnaligned(as: Int32.self)),
                    createdAt: leaf.key.needsEventID
                        ? nil
                        : row.value(ofColumn: createdAt).map { Int64(bigEndian: $0.loadUnaligned(as: Int64.self)) }))
            shared.append(isDuplicate ? [] : projection.sharedParkings(leaf.key.table, row))
            guard events.count == Self.eventsMax else { return }
            try look(up: events, sequences, shared, projection, on: connection)
            (sequences, events, shared) = ([], [], [])
        }
        try look(up: events, sequences, shared, projection, on: connection)
    }

    private mutating func look(
        up events: [Parking.Event], _ sequences: [UInt64], _ shared: [[Parking]], _ projection: BatchProjection,
        on connection: PostgresConnection
    ) throws(PostgresError) {
        let found = try Parking.find(events, in: projection.liveVersions, on: connection)
        for (place, parking) in found { add(sequences[place], parking) }
        for (place, parkings) in shared.enumerated() {
            for parking in parkings {
                let isNamed = found.contains {
                    $0.place == place && $0.parking.pack == parking.pack && $0.parking.fold == parking.fold
                }
                if !isNamed { add(sequences[place], parking) }
            }
        }
    }

    private mutating func add(_ sequence: UInt64, _ parking: Parking) {
        parkedSequences.append(sequence)
        add(sequence) {
            LineReport(
                sequence: sequence, .parked(pack: parking.pack, fold: parking.fold), code: parking.code,
                constraint: parking.constraint, sqlState: parking.sqlState, message: parking.message)
        }
    }

    private mutating func add(_ sequence: UInt64, _ report: () -> LineReport) {
        guard let index = index(of: sequence), wanted[index] > 0 else { return }
        wanted[index] -= 1
        reports.append(report())
    }

    /// Of those who wait for the line.
    private func index(of sequence: UInt64) -> Int? {
        let index = awaited.partitioningIndex { $0.sequences.upperBound > sequence }
        return index < awaited.count && awaited[index].sequences.contains(sequence) ? index : nil
    }
}

extension BatchOutcome {
    mutating func add(_ found: BatchReports) {
        parkedSequences = found.parkedSequences.sorted()
        reports = found.reports.sorted { $0.sequence < $1.sequence }
    }
}

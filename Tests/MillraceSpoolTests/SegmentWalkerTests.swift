import MillraceChannels
import MillraceEvent
import Testing

@testable import MillraceSpool

@Suite struct SegmentWalkerTests {
    @Test func `a header hidden in a payload is not taken for a record when the header before it is damaged`()
        async throws
    {
        var forged = [UInt8](repeating: 0, count: RecordHeader.byteCount)
        let record = Record(
            kind: .event, tenant: 0x0101_0101, receivedAt: Timestamp(microseconds: 1), count: 1, bytes: [])
        forged.withUnsafeMutableBytes { RecordHeader(of: record, firstSequence: 900_000).encode(into: $0) }
        let disk = FaultyFileSystem()
        let rig = try SpoolRig(disk)
        let payload = Record(
            kind: .refused, tenant: 0, receivedAt: Timestamp(microseconds: 1), count: 1, bytes: forged + [10])
        await rig.service.commit([Submission(records: [payload]) { _ in }])
        await rig.append("two")
        disk.edit(FaultyFileSystem.segment(1)) { $0[SegmentHeader.byteCount + 9] ^= 0x40 }
        let contents = try await SpoolRig(disk.copy()).readAll()
        #expect(contents.lines == ["two"])
        #expect(contents.lost.map(\.sequences) == [1..<2])
    }

    @Test func `random damage never stops a walk, and what comes out is what went in`() async throws {
        let disk = FaultyFileSystem()
        let rig = try SpoolRig(disk)
        let lines = (0..<30).map { "line \($0)" }
        for line in lines { await rig.append(line) }
        var random = SeededRandom(state: 42)
        for round in 0..<300 {
            let damaged = disk.copy()
            damaged.edit(FaultyFileSystem.segment(1)) { bytes in
                for _ in 0..<Int.random(in: 1...20, using: &random) {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                if Bool.random(using: &random) { bytes.removeLast(Int.random(in: 0..<200, using: &random)) }
            }
            let again = try SpoolRig(damaged)
            let contents = try await again.readAll()
            #expect(contents.lines == lines.filter(Set(contents.lines).contains), "seed 42, round \(round)")
            let lost = SequenceSet((contents.lost + contents.damaged).map(\.sequences))
            #expect(SequenceSet(contents.sequences).ranges.allSatisfy { lost.gaps(in: $0) == [$0] }, "round \(round)")
        }
    }
}

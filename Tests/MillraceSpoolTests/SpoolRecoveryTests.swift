import Glibc
import MillraceChannels
import MillraceEvent
import Testing

@testable import MillraceSpool
import MillraceTelemetry

@Suite struct SpoolRecoveryTests {
    /// Three records in three groups, and where each begins and ends in the first segment.
    private func threeRecords() async throws -> (disk: FaultyFileSystem, borders: [Int]) {
        let disk = FaultyFileSystem()
        let rig = try SpoolRig(disk)
        var borders = [SegmentHeader.byteCount]
        for line in ["one", "two", "three"] {
            await rig.append(line)
            borders.append(disk.contents(FaultyFileSystem.segment(1)).count)
        }
        return (disk.copy(), borders)
    }

    @Test func `a new spool is empty, and without an epoch begins with sequence 1`() async throws {
        let disk = FaultyFileSystem()
        let rig = try SpoolRig(disk)
        #expect(rig.service.store.retainedSequences.isEmpty)
        #expect(rig.service.store.firstSequence == 1)
        #expect(disk.segmentNumbers == [])
        #expect(try await rig.readAll().lines.isEmpty)
    }

    @Test func `what was kept is there after a restart, under the same identity`() async throws {
        let (disk, _) = try await threeRecords()
        let first = try SpoolRig(disk.copy())
        let second = try SpoolRig(disk)
        #expect(first.service.store.spoolID == second.service.store.spoolID)
        let contents = try await second.readAll()
        #expect(contents.lines == ["one", "two", "three"])
        #expect(contents.lost.isEmpty)
        await second.append("four")
        #expect(second.outcome(of: "four") == .durable(4..<5))
    }

    @Test func `a torn tail is cut at the last whole record, wherever it is torn`() async throws {
        let (disk, borders) = try await threeRecords()
        for cut in borders[2]..<borders[3] {
            let torn = disk.copy()
            torn.edit(FaultyFileSystem.segment(1)) { $0.removeLast($0.count - cut) }
            let rig = try SpoolRig(torn, epoch: Self.epoch)
            #expect(torn.contents(FaultyFileSystem.segment(1)).count >= borders[2])
            await rig.append("next")
            guard case .durable(let sequences)? = rig.outcome(of: "next") else {
                Issue.record("a spool cut at \(cut) takes nothing")
                continue
            }
            #expect(sequences.lowerBound >= 4, "cut at \(cut)")
            #expect(rig.service.store.burntSequences.isEmpty)
            let again = try SpoolRig(torn.copy())
            let contents = try await again.readAll()
            #expect(contents.lines == ["one", "two", "next"], "cut at \(cut)")
            #expect(contents.lost.isEmpty, "cut at \(cut)")
            #expect(torn.damagedFiles.count == (cut == borders[2] ? 0 : 1), "cut at \(cut)")
        }
    }

    @Test(arguments: [1, 47, 48, 64, 4095, 4096, 300_000])
    func `zeros at the tail are the end of the log`(count: Int) async throws {
        let (disk, borders) = try await threeRecords()
        disk.edit(FaultyFileSystem.segment(1)) { $0 += [UInt8](repeating: 0, count: count) }
        let rig = try SpoolRig(disk)
        #expect(disk.contents(FaultyFileSystem.segment(1)).count == borders[3])
        await rig.append("four")
        #expect(rig.outcome(of: "four") == .durable(4..<5))
        #expect(try await rig.readAll().lines == ["one", "two", "three", "four"])
        #expect(disk.damagedFiles.isEmpty)
    }

    @Test func `a flipped bit anywhere in a record costs that record and is set aside once`() async throws {
        let (disk, borders) = try await threeRecords()
        for offset in borders[1]..<borders[2] {
            let damaged = disk.copy()
            damaged.edit(FaultyFileSystem.segment(1)) { $0[offset] ^= 1 << UInt8(offset % 8) }
            let rig = try SpoolRig(damaged)
            #expect(rig.metrics.damaged.value == 1)
            let contents = try await rig.readAll()
            #expect(contents.lines == ["one", "three"], "bit at \(offset)")
            #expect((contents.lost + contents.damaged).map(\.sequences) == [2..<3], "bit at \(offset)")
            #expect(damaged.damagedFiles.count == 1)
            #expect(rig.metrics.damaged.value == 1)
            let again = try SpoolRig(damaged.copy())
            #expect(again.metrics.damaged.value == 0)
            await again.append("four")
            #expect(again.outcome(of: "four") == .durable(4..<5))
        }
    }

    @Test func `the sequences of a damaged last record are not given again`() async throws {
        let (disk, borders) = try await threeRecords()
        for offset in borders[2]..<borders[3] {
            let damaged = disk.copy()
            damaged.edit(FaultyFileSystem.segment(1)) { $0[offset] ^= 0x10 }
            let rig = try SpoolRig(damaged, epoch: Self.epoch)
            await rig.append("four")
            guard case .durable(let sequences)? = rig.outcome(of: "four") else {
                Issue.record("damage at \(offset) stops the spool")
                continue
            }
            #expect(sequences.lowerBound >= 4, "bit at \(offset)")
            #expect(try await rig.readAll().lines == ["one", "two", "four"], "bit at \(offset)")
        }
    }

    @Test func `a damaged segment header costs no record, in old segments and in the newest`() async throws {
        let disk = FaultyFileSystem()
        let rig = try SpoolRig(disk, segmentBytes: 200)
        await rig.append("one")
        await rig.append("two")
        await rig.append("three")
        await rig.append("four")
        let numbers = disk.segmentNumbers
        #expect(numbers.count >= 2)
        for number in numbers {
            for offset in 0..<SegmentHeader.byteCount where offset % 3 == 0 || offset < 20 {
                let damaged = disk.copy()
                damaged.edit(FaultyFileSystem.segment(number)) { $0[offset] ^= 0x04 }
                let again = try SpoolRig(damaged, segmentBytes: 200)
                let contents = try await again.readAll()
                #expect(contents.lines == ["one", "two", "three", "four"], "segment \(number) at \(offset)")
                #expect(again.service.store.spoolID == rig.service.store.spoolID)
                await again.append("five")
                #expect(again.outcome(of: "five") == .durable(5..<6), "segment \(number) at \(offset)")
            }
        }
    }

    @Test func `a missing segment in the middle is reported, unless nobody asks for what was in it`() async throws {
        let disk = FaultyFileSystem()
        let rig = try SpoolRig(disk, segmentBytes: 100)
        for line in ["one", "two", "three", "four"] { await rig.append(line) }
        #expect(disk.segmentNumbers == [1, 2, 3, 4])
        disk.delete(FaultyFileSystem.segment(2))
        let again = try SpoolRig(disk.copy(), segmentBytes: 100)
        let contents = try await again.readAll()
        #expect(contents.lines == ["one", "three", "four"])
        #expect(contents.lost.map(\.sequences) == [2..<3])
        #expect(contents.lost.first?.reason.contains("missing") == true)
        #expect(try await again.readAll([1..<2, 3..<5]).lost.isEmpty)
    }

    @Test func `each run begins at a sequence of its own, in a segment that its first group makes`() async throws {
        let (disk, _) = try await threeRecords()
        let kept = disk.contents(FaultyFileSystem.segment(1))
        for _ in 0..<3 { _ = try SpoolRig(disk, epoch: Self.epoch) }
        #expect(disk.segmentNumbers == [1])
        let one = try SpoolRig(disk.copy(), epoch: Self.epoch)
        let two = try SpoolRig(disk.copy(), epoch: Self.epoch)
        await one.append("here")
        await two.append("there")
        guard case .durable(let here)? = one.outcome(of: "here"), case .durable(let there)? = two.outcome(of: "there")
        else {
            Issue.record("neither takes anything")
            return
        }
        #expect(here != there && here.lowerBound > 1 << 57 && there.lowerBound > 1 << 57)
        #expect(one.disk.contents(FaultyFileSystem.segment(1)) == kept)
        #expect(one.service.store.runStarts == [here.lowerBound])
        #expect(one.service.store.retainedSequences.ranges == [1..<4, here])
        let third = try SpoolRig(one.disk.copy(), epoch: Self.epoch)
        #expect(third.service.store.runStarts.first == here.lowerBound)
        let contents = try await third.readAll()
        #expect(contents.lines == ["one", "two", "three", "here"])
        #expect(contents.lost.isEmpty)
        let report = try SpoolInspector(directory: SpoolRig.directory, fileSystem: one.disk).inspect()
        #expect(Set(report.lineEnds) == [4, here.upperBound])
    }

    @Test func `a segment that is missing before a run of its own is found, and no line of the gap is counted`()
        async throws
    {
        let disk = FaultyFileSystem()
        for (minute, line) in ["one", "two", "three"].enumerated() {
            await (try SpoolRig(disk, epoch: Self.epoch(minute: minute))).append(line)
        }
        #expect(disk.segmentNumbers == [1, 2, 3])
        disk.delete(FaultyFileSystem.segment(2))
        let again = try SpoolRig(disk, epoch: Self.epoch(minute: 3))
        let contents = try await again.readAll()
        #expect(contents.lines == ["one", "three"])
        #expect(contents.lost.isEmpty)
    }

    /// Of a start in 2026.
    private static let epoch = epoch(minute: 0)

    private static func epoch(minute: Int) -> SequenceEpoch {
        SequenceEpoch(at: Timestamp(microseconds: 1_794_700_800_000_000 + Int64(minute) * 60_000_000))
    }

    @Test func `a run that a crash ended before its first line says of no line where it ends`() async throws {
        let disk = FaultyFileSystem()
        for (minute, line) in ["one", "two"].enumerated() {
            await (try SpoolRig(disk, epoch: Self.epoch(minute: minute))).append(line)
        }
        disk.edit(FaultyFileSystem.segment(2)) { $0.removeLast($0.count - SegmentHeader.byteCount) }
        let report = try SpoolInspector(directory: SpoolRig.directory, fileSystem: disk).inspect()
        #expect(report.segments.map(\.lines) == [1, 0])
        let end = report.segments[0].sequences.upperBound
        #expect(report.lineEnds == [end, end])

        // Nor does the run after it, with its file or without.
        await (try SpoolRig(disk, epoch: Self.epoch(minute: 2))).append("three")
        let empty = FaultyFileSystem.segment(2)
        for isThere in [true, false] {
            if !isThere { disk.delete(empty) }
            let report = try SpoolInspector(directory: SpoolRig.directory, fileSystem: disk).inspect()
            let last = try #require(report.segments.last)
            #expect(last.lines == 1 && last.skipped.lowerBound > end)
            #expect(Set(report.lineEnds) == [end, last.sequences.upperBound])
        }
    }

    @Test func `a run whose first group failed says of no line where it ends`() async throws {
        let disk = FaultyFileSystem()
        await (try SpoolRig(disk, epoch: Self.epoch(minute: 0))).append("one")
        let rig = try SpoolRig(disk, epoch: Self.epoch(minute: 1))
        // The segment is made with one, the group is kept with the next.
        let syncs = disk.count(of: .synchronize)
        disk.setFault { call, index in call == .synchronize && index == syncs + 1 ? .error(EIO) : nil }
        await rig.append("two")
        await rig.append("three")
        #expect(rig.kept == ["three"])
        let report = try SpoolInspector(directory: SpoolRig.directory, fileSystem: disk).inspect()
        #expect(report.segments.map(\.lines) == [1, 0, 1])
        let (first, last) = (try #require(report.segments.first), try #require(report.segments.last))
        #expect(last.gap == .burnt && last.skipped.count == 1)
        #expect(Set(report.lineEnds) == [first.sequences.upperBound, last.sequences.upperBound])
    }

    @Test func `a segment of another spool is refused by name`() async throws {
        let (disk, _) = try await threeRecords()
        let (foreign, _) = try await threeRecords()
        let stranger = foreign.contents(FaultyFileSystem.segment(1))
        disk.edit(FaultyFileSystem.segment(1)) { $0 = stranger }
        let error = #expect(throws: SpoolError.self) { try SpoolRig(disk) }
        #expect(error?.code == .mixedSpools)
    }

    @Test func `a spool without its identity file takes it from a segment, and asks when that is damaged too`()
        async throws
    {
        let (disk, _) = try await threeRecords()
        disk.delete("\(SpoolRig.directory)/spool.id")
        let damaged = disk.copy()
        #expect(try await SpoolRig(disk).readAll().lines == ["one", "two", "three"])
        damaged.edit(FaultyFileSystem.segment(1)) { $0[20] ^= 1 }
        let error = #expect(throws: SpoolError.self) { try SpoolRig(damaged) }
        #expect(error?.code == .identityLost)
    }

    @Test func `five crashes during recovery, at any call, change nothing that was kept`() async throws {
        let (disk, borders) = try await threeRecords()
        disk.edit(FaultyFileSystem.segment(1)) { bytes in
            bytes[borders[1] + 50] ^= 1
            bytes.removeLast(3)
        }
        let whole = disk.copy()
        let before = whole.calls
        _ = try SpoolRig(whole)
        let callsOfRecovery = whole.calls - before
        #expect(callsOfRecovery > 10)
        for call in 0..<callsOfRecovery {
            let crashing = disk.copy()
            var random = SeededRandom(state: UInt64(call))
            for round in 0..<5 {
                crashing.crash(afterCalls: (call + round * 7) % callsOfRecovery)
                _ = try? SpoolRig(crashing)
                crashing.restart(using: &random)
            }
            let rig = try SpoolRig(crashing)
            await rig.append("next")
            let contents = try await rig.readAll()
            #expect(contents.lines == ["one", "next"], "crash at call \(call)")
            #expect((contents.lost + contents.damaged).map(\.sequences) == [2..<3], "crash at call \(call)")
        }
    }

    @Test func `a block that the disk can't read costs its record only`() async throws {
        let disk = FaultyFileSystem()
        let rig = try SpoolRig(disk)
        let long = String(repeating: "x", count: 12_000)
        await rig.append("one", long, "three")
        // A walk over headers does not see it; reading the extent does.
        disk.failReads(of: FaultyFileSystem.segment(1), in: 4096..<8192)
        let contents = try await rig.readAll()
        #expect(contents.lines == ["one", "three"])
        #expect(contents.damaged.map(\.sequences) == [2..<3])
    }
}

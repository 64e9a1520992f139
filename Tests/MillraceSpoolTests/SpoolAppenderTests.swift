import Glibc
import MillraceChannels
import MillraceEvent
import Synchronization
import Testing

@testable import MillraceSpool
import MillraceTelemetry

@Suite struct SpoolAppenderTests {
    @Test func `submissions that wait together take one sync and are merged to one extent`() async throws {
        let rig = try SpoolRig(FaultyFileSystem())
        let syncs = rig.metrics.syncs.value
        let lines = (0..<50).map { "line \($0)" }
        await rig.append(lines)
        // One more for the header of the segment that the first group makes.
        #expect(rig.metrics.syncs.value == syncs + 2)
        #expect(rig.metrics.groups.value == 1)
        #expect(rig.metrics.events.lines.value == 50)
        #expect(rig.kept == lines)
        let live = try await rig.readLive()
        #expect(live.lines == lines)
    }

    @Test func `a group takes no more than its bound, and a larger submission goes alone`() async throws {
        let disk = FaultyFileSystem()
        let rig = try SpoolRig(disk, groupBytesMax: 1000)
        let lines = (0..<9).map { "\($0)" + String(repeating: "x", count: 400) } + [String(repeating: "y", count: 5000)]
        await rig.append(lines)
        #expect(rig.metrics.groups.value == 6)
        #expect(try await rig.readAll().lines == lines)
        #expect(try await SpoolRig(disk.copy()).readAll().lines == lines)
    }

    @Test func `a submission of several records is one run of sequences, whatever its kinds`() async throws {
        let rig = try SpoolRig(FaultyFileSystem())
        let answer = Mutex<Submission.Outcome?>(nil)
        let records = RecordKind.allCases.enumerated().map { index, kind in
            Record(
                kind: kind, tenant: 7, receivedAt: Timestamp(microseconds: 9), count: index + 1,
                bytes: Array(String(repeating: "\(kind)\n", count: index + 1).utf8))
        }
        await rig.service.commit([Submission(records: records) { outcome in answer.withLock { $0 = outcome } }])
        #expect(answer.withLock { $0 } == .durable(1..<7))
        #expect(try await rig.readAll().sequences == [1..<2, 2..<4, 4..<7])
    }

    @Test func `who waits for a commit is on the board and not answered yet`() async throws {
        let rig = try SpoolRig(FaultyFileSystem())
        await rig.append(["one"], acknowledgement: .committed)
        #expect(rig.outcome(of: "one") == nil)
        #expect(rig.board.awaited(in: 1..<2).count == 1)
        var outcome = BatchOutcome(sequences: 1..<2)
        outcome.duplicateSequences = [1]
        rig.board.batchCommitted(outcome)
        var lines = CommittedLines()
        lines.duplicates = 1
        #expect(rig.outcome(of: "one") == .committed(1..<2, lines))
    }

    @Test func `segments rotate at their size and each header says where the one before ended`() async throws {
        let disk = FaultyFileSystem()
        let rig = try SpoolRig(disk, segmentBytes: 300)
        let lines = (0..<20).map { "line \($0)" }
        for line in lines { await rig.append(line) }
        #expect(disk.segmentNumbers.count > 4)
        #expect(try await rig.readAll().lines == lines)
        #expect(try await SpoolRig(disk.copy()).readAll().lines == lines)
        let report = try SpoolInspector(directory: SpoolRig.directory, fileSystem: disk).inspect()
        #expect(report.lines == [.event: 20])
        #expect(report.damagedBytes == 0)
        #expect(Set(report.lineEnds) == Set(report.segments.map(\.sequences.upperBound)))
    }

    @Test(arguments: [EIO, EROFS])
    func `a failed write is answered so, and the next group goes into a new segment`(error: Int32) async throws {
        let disk = FaultyFileSystem()
        let rig = try SpoolRig(disk)
        await rig.append("one")
        let writes = disk.count(of: .write)
        disk.setFault { call, index in call == .write && index == writes ? .error(error) : nil }
        await rig.append("two")
        await rig.append("three")
        #expect(rig.outcome(of: "two") == .failed(.spoolFailed))
        #expect(rig.outcome(of: "three") == .durable(3..<4))
        #expect(rig.channel.refusal == nil)
        #expect(disk.segmentNumbers == [1, 2])
        let again = try await SpoolRig(disk.copy()).readAll()
        #expect(again.lines == ["one", "three"])
        #expect(again.lost.isEmpty)
    }

    @Test func `a write that fails after any count of bytes leaves nothing of its group`() async throws {
        let groupBytes = 3 * RecordHeader.byteCount + "two\nthree\nfour\n".utf8.count
        for count in 0..<groupBytes {
            for error in [EIO, ENOSPC] {
                let disk = FaultyFileSystem()
                let rig = try SpoolRig(disk)
                await rig.append("one")
                let writes = disk.count(of: .write)
                disk.setFault { call, index in
                    guard call == .write, index == writes else { return nil }
                    return count == 0 ? .error(error) : .partial(count, error)
                }
                await rig.append("two", "three", "four")
                #expect(rig.outcome(of: "three") == .failed(error == EIO ? .spoolFailed : .spoolFull))
                await rig.service.maintain()
                await rig.append("five")
                #expect(try await rig.readAll().lines == ["one", "five"], "\(count) bytes, errno \(error)")
                let again = try await SpoolRig(disk.copy()).readAll()
                #expect(again.lines == ["one", "five"], "\(count) bytes, errno \(error)")
                #expect(again.lost.isEmpty)
            }
        }
    }

    @Test func `a failed sync is final: the group is refused, never retried, and does not come back`() async throws {
        let disk = FaultyFileSystem()
        let rig = try SpoolRig(disk)
        await rig.append("one")
        let syncs = disk.count(of: .synchronize)
        let truncates = disk.count(of: .truncate)
        // The bytes can't be cut off either: they stay in the file.
        disk.setFault { call, index in
            switch call {
            case .synchronize where index == syncs: .error(EIO)
            case .truncate where index >= truncates: .error(EIO)
            default: nil
            }
        }
        await rig.append("two")
        #expect(rig.outcome(of: "two") == .failed(.spoolFailed))
        // One for the failed group, one for the new segment's header.
        #expect(disk.count(of: .synchronize) == syncs + 2)
        await rig.append("three")
        #expect(String(decoding: disk.contents(FaultyFileSystem.segment(1)), as: UTF8.self).contains("two"))
        let again = try SpoolRig(disk.copy())
        let contents = try await again.readAll()
        #expect(contents.lines == ["one", "three"])
        #expect(contents.lost.isEmpty)
        #expect(again.service.store.burntSequences == [2..<3])
        #expect(rig.metrics.faults.value == 1)
    }

    @Test func `when no new segment can be made the spool refuses, and heals by itself`() async throws {
        let disk = FaultyFileSystem()
        let rig = try SpoolRig(disk)
        await rig.append("one")
        disk.setFault { call, _ in call == .synchronize || call == .synchronizeDirectory ? .error(EIO) : nil }
        await rig.append("two")
        #expect(rig.channel.refusal == .spoolFailed)
        await rig.service.maintain()
        #expect(rig.channel.refusal == .spoolFailed)
        await rig.append("three")
        #expect(rig.outcome(of: "three") == .failed(.spoolFailed))
        disk.setFault { _, _ in nil }
        await rig.service.maintain()
        #expect(rig.channel.refusal == nil)
        await rig.append("four")
        #expect(rig.kept == ["one", "four"])
        #expect(try await SpoolRig(disk.copy()).readAll().lines == ["one", "four"])
    }

    @Test func `a full disk refuses, takes events again with space, and refuses again`() async throws {
        let disk = FaultyFileSystem()
        let rig = try SpoolRig(disk)
        await rig.append("one")
        for round in 0..<2 {
            disk.setCapacity(disk.usedBytes + 20)
            await rig.append("full \(round)")
            #expect(rig.outcome(of: "full \(round)") == .failed(.spoolFull))
            #expect(rig.channel.refusal == .spoolFull)
            await rig.service.maintain()
            #expect(rig.channel.refusal == .spoolFull)
            disk.setCapacity(1 << 20)
            await rig.service.maintain()
            #expect(rig.channel.refusal == nil)
            await rig.append("room \(round)")
        }
        #expect(rig.kept == ["one", "room 0", "room 1"])
        #expect(disk.segmentNumbers == [1])
        #expect(try await SpoolRig(disk.copy()).readAll().lines == ["one", "room 0", "room 1"])
    }

    @Test func `small groups are written over zeros, and the file grows once`() async throws {
        let disk = FaultyFileSystem()
        let rig = try SpoolRig(disk, zeroAheadBytes: 10_000)
        await rig.append("one")
        let bytes = disk.contents(FaultyFileSystem.segment(1)).count
        #expect(bytes > 10_000)
        await rig.append("two")
        await rig.append("three", "four")
        #expect(disk.contents(FaultyFileSystem.segment(1)).count == bytes)
        // As after a kill: the zeros are still there.
        let again = try SpoolRig(disk.copy(), zeroAheadBytes: 10_000)
        #expect(try await again.readAll().lines == ["one", "two", "three", "four"])
        await again.append("five")
        #expect(try await again.readAll().lines == ["one", "two", "three", "four", "five"])
        #expect(again.disk.damagedFiles.isEmpty)
        // After a stop in order they are not.
        await rig.service.close()
        #expect(disk.contents(FaultyFileSystem.segment(1)).last == UInt8(ascii: "\n"))
    }

    @Test func `a disk without room for zeros still takes what it has room for`() async throws {
        let disk = FaultyFileSystem()
        let rig = try SpoolRig(disk, zeroAheadBytes: 10_000)
        disk.setCapacity(disk.usedBytes + 1000)
        await rig.append("one")
        await rig.append("two")
        #expect(rig.kept == ["one", "two"])
        #expect(disk.usedBytes < 1000)
    }

    @Test func `the reserve of free bytes is kept`() async throws {
        let disk = FaultyFileSystem()
        disk.setCapacity(100_000)
        let rig = try SpoolRig(disk, freeBytesMin: 50_000)
        await rig.append("one")
        disk.setCapacity(50_000)
        await rig.append("two")
        #expect(rig.outcome(of: "two") == .failed(.spoolFull))
        disk.setCapacity(100_000)
        await rig.service.maintain()
        await rig.append("three")
        #expect(rig.kept == ["one", "three"])
    }

    @Test func `at its own limit the spool refuses until a settled segment is retired`() async throws {
        let disk = FaultyFileSystem()
        let rig = try SpoolRig(disk, segmentBytes: 1000, bytesMax: 4000)
        var count = 0
        while rig.channel.refusal == nil, count < 100 {
            await rig.append("line \(count)")
            count += 1
        }
        #expect(rig.channel.refusal == .spoolFull)
        #expect(rig.metrics.segmentBytes.value <= 4000)
        await rig.service.maintain(settled: [1..<20])
        #expect(rig.channel.refusal == nil)
        #expect(!disk.segmentNumbers.contains(1))
        await rig.append("more")
        #expect(rig.outcome(of: "more") != .failed(.spoolFull))
        let again = try SpoolRig(disk.copy(), segmentBytes: 1000, bytesMax: 4000)
        #expect(again.service.store.retainedSequences == rig.service.store.retainedSequences)
    }

    @Test func `settled segments go, unsettled ones and the newest stay`() async throws {
        let disk = FaultyFileSystem()
        let rig = try SpoolRig(disk, segmentBytes: 100)
        for line in ["one", "two", "three", "four"] { await rig.append(line) }
        await rig.service.maintain(settled: [3..<5])
        #expect(disk.segmentNumbers == [1, 2, 4])
        await rig.service.maintain(settled: [1..<2, 2..<3])
        #expect(disk.segmentNumbers == [4])
        #expect(rig.service.store.retainedSequences.ranges == [4..<5])
        #expect(rig.metrics.retired.value == 3)
        #expect(try await SpoolRig(disk.copy(), segmentBytes: 100).readAll().lines == ["four"])
    }

    @Test func `a segment whose burnt sequences the ledger lacks stays, though it is empty`() async throws {
        let disk = FaultyFileSystem()
        let rig = try SpoolRig(disk)
        await rig.append("one")
        // The group and the first one of the next segment fail.
        for line in ["two", "three"] {
            let syncs = disk.count(of: .synchronize)
            disk.setFault { call, index in call == .synchronize && index == syncs ? .error(EIO) : nil }
            await rig.append(line)
        }
        disk.setFault { _, _ in nil }
        await rig.append("four")
        #expect(rig.service.store.burntSequences == [2..<3, 3..<4])
        await rig.service.maintain(settled: [1..<2, 4..<5])
        #expect(disk.segmentNumbers == [2, 3])
        #expect(rig.service.store.burntSequences == [2..<3, 3..<4])
        await rig.service.maintain(settled: [2..<3])
        #expect(disk.segmentNumbers == [3])
    }

    @Test func `above half of its bytes settled segments go before their time, below it none`() async throws {
        let disk = FaultyFileSystem()
        let rig = try SpoolRig(disk, segmentBytes: 1000, bytesMax: 10_000, retain: .seconds(86_400))
        var count = 0
        while rig.metrics.segmentBytes.value <= 4000 {
            await rig.append("line \(count)")
            count += 1
        }
        await rig.service.maintain(settled: [1..<UInt64(count + 1)])
        #expect(disk.segmentNumbers.first == 1)
        while rig.metrics.segmentBytes.value <= 7000 {
            await rig.append("line \(count)")
            count += 1
        }
        await rig.service.maintain(settled: [])
        #expect(disk.segmentNumbers.first != 1)
        #expect(rig.metrics.segmentBytes.value > 4000)
        #expect(rig.metrics.retiredEarly.value > 0)
    }
}

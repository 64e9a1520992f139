import Glibc
import MillraceEvent
import Testing

@testable import MillraceSpool

struct SegmentRewriteTests {
    private static let path = FaultyFileSystem.segment(1)

    /// Three groups in a segment that has ended, and one behind it.
    private func filled(_ disk: FaultyFileSystem = FaultyFileSystem()) async throws -> SpoolRig {
        let rig = try SpoolRig(disk)
        await rig.append("one a", "two a")
        await rig.append("three")
        await rig.append("four a")
        try await rig.service.endSegment(below: rig.service.store.endSequence)
        await rig.append("five a")
        return rig
    }

    /// Every `a` becomes a blank, in lines below `sequence`.
    private func rewrite(_ rig: SpoolRig, below sequence: UInt64 = .max, reserveBytes: Int = 0) async throws -> Int {
        var count = 0
        for number in rig.service.store.ended(below: sequence) {
            let found = try rig.service.store.rewrite(number, below: sequence, reserveBytes: reserveBytes) {
                _, _, line in
                line.contains(UInt8(ascii: "a")) ? line.map { $0 == UInt8(ascii: "a") ? 0x20 : $0 } : nil
            }
            if found > 0 { try await rig.service.takeRewritten(number) }
            count += found
        }
        return count
    }

    @Test func `lines are written over in their places, and no byte beside them and their checksums changes`()
        async throws
    {
        let rig = try await filled()
        let before = rig.disk.contents(Self.path)
        let extents = try await rig.readAll().sequences
        #expect(try await rewrite(rig) == 3)
        let after = rig.disk.contents(Self.path)
        #expect(after.count == before.count)
        let contents = try await rig.readAll()
        #expect(contents.lines == ["one  ", "two  ", "three", "four  ", "five a"])
        #expect(contents.sequences == extents && contents.damaged.isEmpty && contents.lost.isEmpty)
        let changed = zip(before, after).enumerated().filter { $0.element.0 != $0.element.1 }.map(\.offset)
        // Three bytes of text, and per record the checksums of payload and header.
        #expect(changed.count <= 3 + 3 * 8 && changed.count > 3)
        // Nothing is left to do, and so no file is written.
        #expect(try await rewrite(rig) == 0)
        #expect(rig.disk.contents(Self.path) == after)
        #expect(!rig.disk.paths.contains { $0.hasSuffix(SegmentName.rewritten) })
    }

    @Test func `lines from a sequence on stay, within a record too, and each is named by its sequence`() async throws {
        let rig = try await filled()
        var seen: [UInt64: String] = [:]
        _ = try rig.service.store.rewrite(1, below: .max) { sequence, header, line in
            seen[sequence] = String(decoding: line, as: UTF8.self)
            #expect(header.sequences.contains(sequence))
            return nil
        }
        #expect(seen == [1: "one a", 2: "two a", 3: "three", 4: "four a"])
        #expect(try await rewrite(rig, below: 2) == 1)
        #expect(try await rig.readAll().lines == ["one  ", "two a", "three", "four a", "five a"])
    }

    @Test func `a segment whose lines are all erased is read as blank lines, also by the next run`() async throws {
        let rig = try await filled()
        let found = try rig.service.store.rewrite(1, below: .max) { _, _, line in line.map { _ in 0x20 } }
        #expect(found == 4)
        try await rig.service.takeRewritten(1)
        #expect(try await rig.readAll().lines.map { $0.filter { $0 != " " } } == ["", "", "", "", "fivea"])
        await rig.service.close()
        let next = try SpoolRig(rig.disk.copy())
        let contents = try await next.readAll()
        #expect(contents.lines.count == 5 && contents.damaged.isEmpty && contents.lost.isEmpty)
    }

    @Test func `an empty segment and one that is gone have nothing to rewrite`() async throws {
        let rig = try SpoolRig(FaultyFileSystem())
        try await rig.service.endSegment(below: .max)
        #expect(try rig.service.store.rewrite(1, below: .max) { _, _, line in line } == 0)
        #expect(try rig.service.store.rewrite(9, below: .max) { _, _, line in line } == 0)
        #expect(rig.service.store.ended(below: .max).isEmpty)
    }

    @Test func `a torn tail is copied as it is, and what is before it is rewritten`() async throws {
        let first = try await filled()
        let disk = first.disk.copy()
        await first.service.close()
        let newest = try #require(disk.segmentNumbers.max())
        disk.edit(FaultyFileSystem.segment(newest)) { $0 += [UInt8](repeating: 0x7E, count: 100) }
        let rig = try SpoolRig(disk)
        await rig.append("six a")
        #expect(try await rewrite(rig) == 4)
        let contents = try await rig.readAll()
        #expect(contents.lines == ["one  ", "two  ", "three", "four  ", "five  ", "six a"], "\(contents)")
    }

    @Test func `where there is no room the segment stays, there is no copy, and a later time does it`() async throws {
        let rig = try await filled()
        let before = rig.disk.contents(Self.path)
        for fault in [ENOSPC, EIO] {
            rig.disk.setFault { call, _ in call == .write ? .partial(40, fault) : nil }
            await #expect(throws: SpoolError.self) { try await rewrite(rig) }
            rig.disk.setFault { _, _ in nil }
            #expect(!rig.disk.paths.contains { $0.hasSuffix(SegmentName.rewritten) })
            #expect(rig.disk.contents(Self.path) == before)
        }
        let error = await #expect(throws: SpoolError.self) { try await rewrite(rig, reserveBytes: .max / 2) }
        #expect(error?.code == .full)
        #expect(rig.disk.contents(Self.path) == before)
        #expect(try await rewrite(rig) == 3)
    }

    @Test func `after a crash at any call a segment is the old one or the new one, and the next run has no copy`()
        async throws
    {
        for calls in 0..<60 {
            let rig = try await filled()
            rig.disk.crash(afterCalls: calls)
            let isDone = (try? await rewrite(rig)) != nil
            var random = SeededRandom(state: UInt64(calls))
            rig.disk.restart(using: &random)
            let next = try SpoolRig(rig.disk)
            let lines = try await next.readAll().lines
            let (old, new) = (
                ["one a", "two a", "three", "four a", "five a"], ["one  ", "two  ", "three", "four  ", "five a"]
            )
            #expect(lines == new || (!isDone && lines == old), "crash after \(calls) calls: \(lines)")
            #expect(!rig.disk.paths.contains { $0.hasSuffix(SegmentName.rewritten) }, "crash after \(calls) calls")
            if isDone { break }
        }
    }
}

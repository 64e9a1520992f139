import MillraceEvent
import Synchronization
import Testing

@testable import MillraceSpool

/// A spool that is read while its newest segment is written.
@Suite struct SpoolInspectorTests {
    private static let lines = (0..<30).map { "\($0)" + String(repeating: "x", count: 100_000) }
    private static let segment = FaultyFileSystem.segment(1)

    private let disk = FaultyFileSystem()
    private let written: [UInt8]

    init() async throws {
        let rig = try SpoolRig(disk, segmentBytes: 8 << 20)
        for line in Self.lines { await rig.append(line) }
        written = disk.contents(Self.segment)
    }

    /// The file has its whole size, with zeros ahead; with each read `step` more bytes of it are there.
    private func write(from start: Int, step: Int) {
        let shown = Mutex(start)
        let show: @Sendable (Int) -> Void = { [disk, written] end in
            disk.edit(Self.segment) { $0 = written[..<end] + [UInt8](repeating: 0, count: written.count - end) }
        }
        show(start)
        disk.setAfterRead { [written] path, offset in
            guard path == Self.segment, offset >= SegmentHeader.byteCount else { return }
            show(
                shown.withLock { end in
                    end = min(written.count, end + step)
                    return end
                })
        }
    }

    private func inspect() throws -> SpoolReport {
        try SpoolInspector(directory: SpoolRig.directory, fileSystem: disk).inspect()
    }

    @Test(arguments: [1_000, 150_000, 250_000, 1_000_050], [40_000, 300_000, 4_000_000])
    func `what was not written yet when a part of it was read is not damage`(start: Int, step: Int) throws {
        write(from: start, step: step)
        let report = try inspect()
        #expect(report.damagedBytes == 0)
        let segment = try #require(report.segments.first)
        #expect(segment.lines == segment.sequences.count && segment.lines == segment.records)
        #expect(segment.endBytes <= written.count)
    }

    @Test(arguments: [1_000, 150_000, 250_000, 1_000_050], [40_000, 300_000, 4_000_000])
    func `a copy that is made meanwhile has no empty place amid its records`(start: Int, step: Int) throws {
        write(from: start, step: step)
        let report = try #require(
            try SpoolCopy(directory: SpoolRig.directory, fileSystem: disk).run(to: "/data/copy") { _ in })
        #expect(report.damagedBytes == 0)
        let segment = try #require(report.segments.first)
        #expect(segment.lines == segment.sequences.count && segment.lines == segment.records)
        #expect(segment.fileBytes == segment.endBytes)
    }

    @Test func `what stays damaged is damage, wherever it is`() throws {
        let places = [3, 17, 29].map { SegmentHeader.byteCount + written.count / Self.lines.count * $0 + 5_000 }
        disk.edit(Self.segment) { bytes in for place in places { bytes[place] ^= 1 } }
        let report = try inspect()
        #expect(report.lines == [.event: Self.lines.count - places.count])
        #expect(report.segments.map(\.sequences) == [1..<31])
        #expect(report.damagedBytes > 300_000)
    }
}

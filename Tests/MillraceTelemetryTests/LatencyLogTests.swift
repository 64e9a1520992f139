import Foundation
import MillraceTelemetry
import MillraceTestSupport
import Testing

struct LatencyLogTests {
    /// A registry whose `copy` grows by 3 and `commit` by 1 at each step, and its log.
    private final class Rig {
        let scratch: ScratchDirectory
        let registry = PrometheusRegistry()
        var log: LatencyLog
        var steps = 0

        var path: String { scratch.path + "/latency.log" }

        init(bytesMax: Int = 1 << 20, rotatedMax: Int = 3) throws {
            scratch = try ScratchDirectory()
            let file = LatencyLogFile(
                path: scratch.path + "/latency.log", bytesMax: bytesMax, rotatedMax: rotatedMax)
            log = LatencyLog(file: file, startedAt: .seconds(1000))
        }

        func step() {
            steps += 1
            registry.timer(.writerCopyDuration).record(.milliseconds(steps), count: 3)
            registry.timer(.writerCommitDuration).record(.milliseconds(1), count: 1)
        }

        func write() throws {
            var snapshot = registry.latencySnapshot(startedAt: .seconds(1000))
            snapshot.endedAt = .seconds(1000 + steps)
            try log.write(snapshot)
        }

        /// By tag, over the files in the order of time.
        func counts(_ files: [String]) throws -> [String: Int] {
            var counts: [String: Int] = [:]
            for file in files {
                for interval in try DecodedHistogramLog.intervals(at: file) {
                    counts[interval.tag ?? "", default: 0] += interval.count
                }
            }
            return counts
        }
    }

    @Test func `the intervals of a log add up to all that was recorded`() throws {
        let rig = try Rig()
        for _ in 0..<5 {
            rig.step()
            try rig.write()
        }
        // Nothing happened: nothing is written.
        try rig.write()
        let intervals = try DecodedHistogramLog.intervals(at: rig.path)
        #expect(intervals.map(\.tag) == Array(repeating: ["copy", "commit"], count: 5).flatMap { $0 })
        #expect(intervals.filter { $0.tag == "copy" }.map(\.count) == [3, 3, 3, 3, 3])
        #expect(intervals.filter { $0.tag == "copy" }.map(\.start) == [1000, 1001, 1002, 1003, 1004])
        #expect(intervals.filter { $0.tag == "copy" }.allSatisfy { $0.length == 1 })
        #expect(intervals.last { $0.tag == "copy" }?.min == 5000 - 5000 % 4)
        #expect(try rig.counts([rig.path]) == ["copy": 15, "commit": 5])
    }

    @Test func `a log is rotated with no interval lost, each file readable alone`() throws {
        let rig = try Rig(bytesMax: 1000, rotatedMax: 40)
        for _ in 0..<30 {
            rig.step()
            try rig.write()
        }
        rig.log.close()
        let names = try FileManager.default.contentsOfDirectory(atPath: rig.scratch.path)
        #expect(names.count > 3)
        for name in names {
            let path = rig.scratch.path + "/" + name
            #expect(try String(contentsOfFile: path, encoding: .utf8).hasPrefix("#[Millrace"))
            #expect(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? .max <= 1000)
        }
        #expect(try rig.counts(names.map { rig.scratch.path + "/" + $0 }) == ["copy": 90, "commit": 30])
    }

    @Test func `only so many rotated files are kept`() throws {
        let rig = try Rig(bytesMax: 1, rotatedMax: 2)
        for _ in 0..<6 {
            rig.step()
            try rig.write()
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: rig.scratch.path)
        #expect(names.sorted() == ["latency.log", "latency.log.1", "latency.log.2"])
        #expect(try DecodedHistogramLog.intervals(at: rig.path + ".1").first?.start == 1004)
    }

    @Test func `what a disk did not take is in the next interval`() throws {
        let rig = try Rig()
        rig.step()
        try rig.write()
        try FileManager.default.removeItem(atPath: rig.path)
        try FileManager.default.createDirectory(atPath: rig.path, withIntermediateDirectories: false)
        rig.step()
        #expect(throws: LatencyLogError.self) { try rig.write() }
        rig.step()
        #expect(throws: LatencyLogError.self) { try rig.write() }
        try FileManager.default.removeItem(atPath: rig.path)
        try rig.write()
        let interval = try #require(try DecodedHistogramLog.intervals(at: rig.path).first)
        #expect(interval.count == 6)
        #expect(interval.start == 1001)
        #expect(interval.length == 2)
    }

    @Test func `a new run goes on after a torn line`() throws {
        let rig = try Rig()
        rig.step()
        try rig.write()
        rig.log.close()
        let handle = try #require(FileHandle(forWritingAtPath: rig.path))
        handle.seekToEndOfFile()
        handle.write(Data("Tag=copy,1001.000,1.0".utf8))
        handle.closeFile()
        rig.log = LatencyLog(
            file: LatencyLogFile(path: rig.path, bytesMax: 1 << 20, rotatedMax: 3), startedAt: .seconds(1000))
        try rig.write()
        #expect(try rig.counts([rig.path]) == ["copy": 6, "commit": 2])
    }

    @Test func `a full disk says so`() throws {
        let file = LatencyLogFile(path: "/dev/full", bytesMax: 1 << 20, rotatedMax: 1)
        let error = #expect(throws: LatencyLogError.self) { try file.append("x\n", startedAt: .zero) }
        #expect(error?.description == "write of /dev/full failed: No space left on device")
    }
}

import MillraceChannels
import MillraceEvent
import Testing

@testable import MillraceSpool

/// Random work, power failures at random calls, random loss of what was not synchronized.
@Suite struct SpoolCrashTests {
    @Test(arguments: 0..<12, [0, 200])
    func `whatever crashes, what was kept is there once and in order`(seed: Int, zeroAheadBytes: Int) async throws {
        var random = SeededRandom(state: UInt64(seed))
        let disk = FaultyFileSystem()
        var kept: [String] = []
        var refused: Set<String> = []
        var sent = 0
        for round in 0..<25 {
            if Bool.random(using: &random) { disk.crash(afterCalls: Int.random(in: 0..<120, using: &random)) }
            let failing = Int.random(in: 0..<200, using: &random)
            disk.setFault { call, index in
                (call == .write || call == .synchronize) && index == failing ? .error(5) : nil
            }
            if let rig = try? SpoolRig(disk, segmentBytes: 600, groupBytesMax: 300, zeroAheadBytes: zeroAheadBytes) {
                for _ in 0..<Int.random(in: 1..<12, using: &random) where !disk.isCrashed {
                    let group = (0..<Int.random(in: 1..<6, using: &random)).map { index in
                        "line \(sent + index) " + String(repeating: "x", count: Int.random(in: 0..<150, using: &random))
                    }
                    sent += group.count
                    await rig.append(group)
                    guard !disk.isCrashed else { break }
                    refused.formUnion(group.filter { rig.outcome(of: $0) == .failed(.spoolFailed) })
                    await rig.service.maintain()
                }
                kept += rig.kept
            }
            disk.restart(using: &random)
            let rig = try SpoolRig(disk, segmentBytes: 600, groupBytesMax: 300, zeroAheadBytes: zeroAheadBytes)
            let contents = try await rig.readAll()
            let place = "seed \(seed), round \(round)"
            #expect(Set(contents.lines).count == contents.lines.count, "\(place): a line is there twice")
            let present = Set(contents.lines)
            #expect(contents.lines.filter(Set(kept).contains) == kept, "\(place): what was kept is not there in order")
            #expect(present.isDisjoint(with: refused), "\(place): a refused line came back")
            let sequences = contents.sequences
            #expect(zip(sequences, sequences.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound }, "\(place)")
            disk.restart(using: &random)
        }
        #expect(!kept.isEmpty, "seed \(seed) kept nothing")
    }
}

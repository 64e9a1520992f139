import Glibc
import Logging
import MillraceChannels
import MillraceEvent
import ServiceLifecycle
import Synchronization
import Testing

@testable import MillraceSpool

/// On the real disk, as the daemon runs it.
@Suite struct SpoolServiceTests {
    private struct Daemon {
        let channel = RecordChannel(bytesMax: 1 << 20)
        let extents = ExtentChannel(rowsMax: 10_000, bytesMax: 4 << 20)
        let service: SpoolService

        init(_ directory: String) throws {
            var configuration = SpoolConfiguration(directory: directory)
            configuration.freeBytes = 0
            service = try SpoolService(
                configuration, channel: channel, extents: extents,
                board: CommitBoard(), metrics: SpoolMetrics(), logger: Logger(label: "spool"))
        }
    }

    private func withDirectory(_ body: (String) async throws -> Void) async throws {
        let directory = "/tmp/millrace-spool-\(UniqueID.random())"
        try PosixFileSystem().makeDirectories(directory)
        defer { remove(directory) }
        try await body(directory)
    }

    private func remove(_ directory: String) {
        for name in (try? PosixFileSystem().list(directory)) ?? [] {
            let path = "\(directory)/\(name)"
            if unlink(path) != 0 { remove(path) }
        }
        rmdir(directory)
    }

    private func submission(_ index: Int, _ answers: Answers) -> Submission {
        let record = Record(
            kind: .event, tenant: 0, receivedAt: .now, count: 2, bytes: Array("{\"n\":\(index)}\n{}\n".utf8))
        return Submission(records: [record]) { answers.add($0) }
    }

    @Test func `everything sent before the end is durable, answered and published`() async throws {
        try await withDirectory { root in
            let directory = "\(root)/deep/spool"
            let answers = Answers()
            let daemon = try Daemon(directory)
            for index in 0..<1000 { daemon.channel.send(submission(index, answers)) }
            daemon.channel.finish()
            try await daemon.service.run()
            #expect(answers.count == 1000)
            #expect(answers.sequences.ranges == [1..<2001])
            #expect(daemon.extents.waitingCount == 2000)
            let report = try SpoolInspector(directory: directory).inspect()
            #expect(report.lines == [.event: 2000])
            #expect(report.spoolID == daemon.service.store.spoolID)
        }
    }

    @Test func `many senders at once are each answered once`() async throws {
        try await withDirectory { directory in
            let answers = Answers()
            let daemon = try Daemon(directory)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await daemon.service.run() }
                await withTaskGroup(of: Void.self) { senders in
                    for sender in 0..<8 {
                        senders.addTask {
                            for index in 0..<200 {
                                await withCheckedContinuation { continuation in
                                    daemon.channel.send(
                                        Submission(records: submission(sender * 1000 + index, answers).records) {
                                            answers.add($0)
                                            continuation.resume()
                                        })
                                }
                            }
                        }
                    }
                }
                daemon.channel.finish()
                try await group.waitForAll()
            }
            #expect(answers.refusals == [])
            #expect(answers.count == 1600)
            #expect(answers.sequences.ranges == [1..<3201])
        }
    }

    @Test func `a graceful shutdown drains the channel and returns`() async throws {
        try await withDirectory { directory in
            let answers = Answers()
            let daemon = try Daemon(directory)
            var logger = Logger(label: "lifecycle")
            logger.logLevel = .critical
            let group = ServiceGroup(services: [daemon.service], logger: logger)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await group.run() }
                await withCheckedContinuation { continuation in
                    daemon.channel.send(
                        Submission(records: submission(1, answers).records) {
                            answers.add($0)
                            continuation.resume()
                        })
                }
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
            }
            daemon.channel.send(submission(2, answers))
            #expect(answers.refusals == [.draining])
            #expect(answers.sequences.ranges == [1..<3])
        }
    }

    @Test func `a second daemon is refused and told who holds the spool`() async throws {
        try await withDirectory { directory in
            var daemon: Daemon? = try Daemon(directory)
            let error = #expect(throws: SpoolError.self) { try Daemon(directory) }
            #expect(error?.code == .locked)
            #expect(error?.hint.contains("process \(getpid()) ") == true)
            #expect(daemon != nil)
            daemon = nil
            _ = try Daemon(directory)
        }
    }
}

private final class Answers: Sendable {
    private let outcomes = Mutex<[Submission.Outcome]>([])

    func add(_ outcome: Submission.Outcome) { outcomes.withLock { $0.append(outcome) } }

    var count: Int { outcomes.withLock { $0.count } }

    var sequences: SequenceSet {
        SequenceSet(
            outcomes.withLock { $0 }.compactMap { outcome -> Range<UInt64>? in
                guard case .durable(let sequences) = outcome else { return nil }
                return sequences
            })
    }

    var refusals: [SpoolRefusal] {
        outcomes.withLock { $0 }.compactMap { outcome -> SpoolRefusal? in
            guard case .failed(let refusal) = outcome else { return nil }
            return refusal
        }
    }
}

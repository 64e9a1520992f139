internal import Glibc
internal import Logging
import MillraceChannels
import MillraceEvent
internal import MillraceSpool
internal import Synchronization

/// A spool of its own in a temporary directory, and what hands records to it.
struct SpoolTarget: Sendable {
    private let channel = RecordChannel(bytesMax: 64 << 20)

    /// Runs `body` beside an open spool; removes it afterwards.
    static func use(_ body: (SpoolTarget) async throws -> Void) async throws {
        var template = Array("/tmp/millrace-parts.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw PartsError("no temporary directory could be made") }
        let directory = String(decoding: template.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        defer { removeAll(directory) }
        let target = SpoolTarget()
        let spool = try SpoolService(
            SpoolConfiguration(directory: directory), channel: target.channel,
            extents: ExtentChannel(rowsMax: 8192, bytesMax: 8 << 20), board: CommitBoard(), metrics: SpoolMetrics(),
            logger: Logger(label: "parts") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup { group in
            group.addTask { try await spool.run() }
            do {
                try await body(target)
                group.cancelAll()
            } catch {
                group.cancelAll()
                throw error
            }
        }
    }

    /// Returns when it is durable.
    func append(_ record: Record) async {
        await withCheckedContinuation { continuation in
            channel.send(Submission(records: [record]) { _ in continuation.resume() })
        }
    }

    private static func removeAll(_ directory: String) {
        guard let stream = opendir(directory) else { return }
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            unlink("\(directory)/\(name)")
        }
        closedir(stream)
        rmdir(directory)
    }
}

/// Something that the measurement needs did not work.
struct PartsError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

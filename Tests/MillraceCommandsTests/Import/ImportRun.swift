import Glibc
import MillraceEvent
import MillraceTestSupport

import struct FoundationEssentials.Data
import class FoundationEssentials.JSONDecoder

@testable import MillraceCommands
@testable import MillraceConsole

/// One dry import of files that a test makes.
struct ImportRun {
    /// What a line says, of events and of conversation saves.
    struct Line: Decodable {
        struct Payload: Decodable {
            var id: ID?
            var userId: ID?
            var workspaceId: ID?
            var cartId: ID?
            var orderId: ID?
            var productId: ID?
            var status: String?
            var createdAt: String?
        }

        /// A number or a text.
        struct ID: Decodable, Equatable, ExpressibleByStringLiteral {
            var text: String

            init(stringLiteral text: String) { self.text = text }

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let number = try? container.decode(Int.self) {
                    text = "\(number)"
                } else {
                    text = try container.decode(String.self)
                }
            }
        }

        var id: String?
        var eventType: String?
        var userId: String?
        var createdAt: String?
        var payload: Payload?
        var conversationId: String?
        var timestamp: String?
    }

    let texts: [String]
    let lines: [Line]
    let problems: [ImportProblem]
    let accepted: [String: Int]
    let report: ImportReport

    /// When the files of these tests were written, unless one says otherwise.
    static let fileTime = Timestamp(microseconds: Timestamp.now.microseconds / 86_400_000_000 * 86_400_000_000)

    /// Moments ago, as exports write it: `days` before `fileTime`.
    static func time(daysAgo days: Int) -> String {
        fileTime.advanced(by: .seconds(-86_400 * days)).rfc3339
    }

    init(
        _ files: [String: [UInt8]], kind: String? = nil, system: ImportSystem? = nil,
        limits: EventLimits = EventLimits(), asOf: Timestamp = Self.fileTime
    ) throws {
        let scratch = try ScratchDirectory()
        var inputs: [ImportFile] = []
        for (name, bytes) in files.sorted(by: { $0.key < $1.key }) {
            let path = scratch.path + "/" + name
            let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
            var written = 0
            while written < bytes.count {
                let count = bytes.withUnsafeBytes {
                    write(descriptor, $0.baseAddress.map { $0 + written }, bytes.count - written)
                }
                guard count > 0 else { throw TestSupportError(message: "\(path) cannot be written") }
                written += count
            }
            close(descriptor)
            inputs.append(ImportFile(path: path, kind: kind, system: system))
        }
        try KindSurvey.assign(&inputs)
        let source = ImportSource(
            files: inputs, translator: RecordTranslator(limits: limits, lineBytesMax: 1 << 20), asOf: asOf,
            problemsMax: 100)
        var texts: [String] = []
        reading: while true {
            switch try source.next() {
            case .line(let line, _):
                texts.append(String(decoding: line, as: UTF8.self))
                source.answered(.init(count: 1))
            case .tooLong: break
            case .needsInput: try source.read()
            case .ended: break reading
            }
        }
        self.texts = texts
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        lines = try texts.prefix(5000).map { try decoder.decode(Line.self, from: Data($0.utf8)) }
        problems = source.problems
        accepted = source.accepted
        report = ImportReport(of: source, isDryRun: true, unsettled: 0, elapsed: .zero, failure: nil)
    }

    init(
        _ name: String, _ text: String, kind: String? = nil, system: ImportSystem? = nil,
        limits: EventLimits = EventLimits(), asOf: Timestamp = Self.fileTime
    ) throws {
        try self.init([name: Array(text.utf8)], kind: kind, system: system, limits: limits, asOf: asOf)
    }

    var codes: [String] { problems.map(\.code) }
}

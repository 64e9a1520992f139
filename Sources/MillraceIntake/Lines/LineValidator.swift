internal import CSimdjson
internal import MillraceEvent
internal import NIOPosix

/// Says of each line whether it is let in. All validators of one thread share its parser, whose buffers are large.
struct LineValidator {
    enum Verdict {
        case accepted(RecordKind)
        case refused(Refusal)
    }

    private let limits: LineLimits
    private let parser: LineParser
    private var current: mr_limits

    init(limits: LineLimits) {
        self.limits = limits
        parser = LineParser.ofThisThread
        current = mr_limits(
            received_us: 0, oldest_us: 0, newest_us: 0, payload_bytes_max: limits.payloadBytesMax,
            depth_max: UInt32(limits.depthMax), kind_wanted: 0)
    }

    /// Sets the time against which `created_at` is judged.
    mutating func begin(receivedAt: Timestamp) {
        current.received_us = receivedAt.microseconds
        current.oldest_us = receivedAt.advanced(by: .zero - limits.acceptPast).microseconds
        current.newest_us = receivedAt.advanced(by: limits.acceptFuture).microseconds
    }

    /// `line` has `MR_PADDING` readable bytes behind it.
    func validate(_ line: UnsafeRawBufferPointer) -> Verdict {
        parser.parse(line, current)
    }
}

/// Owns one C parser; used by one thread.
// SAFETY: reached only through `ofThisThread`, and validators stay on their event loop.
private final class LineParser: @unchecked Sendable {
    private static let current = ThreadSpecificVariable<LineParser>()

    static var ofThisThread: LineParser {
        if let parser = current.currentValue { return parser }
        let parser = LineParser()
        current.currentValue = parser
        return parser
    }

    private let parser: OpaquePointer

    private init() {
        guard let parser = mr_parser_create() else { preconditionFailure("no memory left for a parser") }
        self.parser = parser
    }

    deinit { mr_parser_destroy(parser) }

    func parse(_ line: UnsafeRawBufferPointer, _ limits: mr_limits) -> LineValidator.Verdict {
        var limits = limits
        var event = mr_event()
        // Only what is refused fills it: 324 bytes that need not be cleared for every line would cost more than parsing.
        return withUnsafeTemporaryAllocation(of: mr_refusal.self, capacity: 1) { refusal in
            guard let bytes = line.baseAddress?.assumingMemoryBound(to: UInt8.self), let target = refusal.baseAddress
            else { return .refused(Refusal(.invalidJSON, "the line is empty")) }
            let code = mr_parse(parser, bytes, line.count, &limits, &event, target)
            if code == Int32(MR_ACCEPTED), let kind = RecordKind(rawValue: event.kind) {
                return .accepted(kind)
            }
            let message = withUnsafeBytes(of: target.pointee.message) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            return .refused(Refusal(RefusalCode(parserCode: code) ?? .invalidJSON, message))
        }
    }
}

extension Refusal {
    static func lineTooLong(_ byteCount: Int, max: Int) -> Refusal {
        Refusal(.lineTooLong, "it has \(byteCount) bytes; at most \(max) are taken")
    }
}

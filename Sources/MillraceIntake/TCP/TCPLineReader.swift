internal import MillraceAccess
internal import MillraceEvent
internal import MillraceTelemetry
internal import MillraceTreatment
internal import NIOCore

/// Lines of one connection that go to the spool together, and are answered together.
struct TCPBatch {
    /// Empty when every line was refused.
    var records: [Record]
    /// In order of line; empty on a connection without acks.
    var refusals: [TCPAnswer.Refusal]
    /// Numbers of the lines that count as accepted and are in no record, ascending; empty on a connection without acks.
    var sampledOut: [UInt64] = []
    /// Number of its last line.
    var lastLine: UInt64
    /// What it counts against `tcp.inflight_bytes`.
    var byteCount: Int

    var lineCount: Int { records.reduce(0) { $0 + $1.count } }
}

/// Cuts what one connection sends into lines, validates them, and gathers them into batches of records and refusals.
///
/// Lines are numbered from 1 as the client sent them; the greeting and empty lines are not counted. Refused lines of a
/// connection without acks are kept as records.
struct TCPLineReader: ~Copyable {
    /// The result of one cut.
    struct Cut {
        /// The first line of the connection, when this cut found it. Its batch, if any, comes with the next call.
        var firstLine: TCPFirstLine?
        /// Nil when there was no line.
        var batch: TCPBatch?
        /// No whole line is left.
        var isLast = false
        /// Too many lines were refused: no further one is accepted.
        var isSpent = false
    }

    /// More goes to the builder at once than a processor's first cache holds anyway.
    private static let runBytesMax = 64 << 10
    /// Kept of the memory for `written`; idle connections cost little.
    private static let writtenBytesKept = 8 << 10

    /// For logs and dead letters.
    var peer = "unknown"
    private let shared: TCPIntakeShared
    private var limits: LimitsConfiguration
    private var eventLimits: EventLimits
    private var policy: LinePolicy?
    /// What is kept in the place of a line.
    private var written: [UInt8] = []
    private let parser = LoopParser.ofThisThread
    private var cutter: LineCutter
    private var firstLine: TCPFirstLine?
    /// Number of the last line seen.
    private(set) var lineNumber: UInt64 = 0
    /// Accepted lines in the cutter's bytes, not yet in `builder`: they go there together.
    private var run: LineRun?
    private var builder: RecordBuilder
    /// What its key may send; nil: all types.
    private var eventTypes: EventTypeFilter?
    private var refusals: [TCPAnswer.Refusal] = []
    private var sampledOut: [UInt64] = []
    private var refusalBytes = 0
    private var refused: RefusalStateMachine

    init(shared: TCPIntakeShared, _ settings: TCPIntakeConfiguration) {
        self.shared = shared
        limits = settings.limits
        eventLimits = settings.eventLimits
        policy = settings.policy
        cutter = LineCutter(
            lineBytesMax: limits.lineBytes, prefixBytesMax: limits.refusedLineBytes)
        builder = RecordBuilder(tenant: 0, receivedAt: .now)
        refused = RefusalStateMachine(
            linesMax: settings.tcp.refusedLinesMax, configuration: settings.refusals)
    }

    /// These bounds are in force from the next line on.
    mutating func settingsChanged(_ settings: TCPIntakeConfiguration) {
        limits = settings.limits
        eventLimits = settings.eventLimits
        policy = settings.policy
        cutter.boundsChanged(lineBytesMax: limits.lineBytes, prefixBytesMax: limits.refusedLineBytes)
        refused.boundsChanged(linesMax: settings.tcp.refusedLinesMax, configuration: settings.refusals)
    }

    /// Nothing was received, or blank lines only.
    var isAtStart: Bool { firstLine == nil && cutter.openBytes == 0 }

    /// Memory of what was received and not yet cut, in bytes.
    var heldBytes: Int { cutter.heldBytes }

    /// What is there of the line that is not whole, in bytes.
    var openBytes: Int { cutter.openBytes }

    /// Lines that are cut from now on are this sender's.
    mutating func setSender(_ access: TCPAccess) {
        builder.tenant = access.tenant
        eventTypes = access.grant?.eventTypes
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        cutter.append(bytes)
    }

    /// Takes no more memory than what is not yet cut wants.
    mutating func compact() {
        cutter.compact()
    }

    mutating func removeAll() {
        run = nil
        cutter.removeAll()
    }

    /// Takes lines up to the bounds of one batch. `takesLast`: what follows the last newline is a line too.
    mutating func cut(takesLast: Bool, at now: NIODeadline) -> Cut {
        builder.receivedAt = .now
        builder.expectedBytes = cutter.bytes.count
        let linesBefore = lineNumber
        defer { shared.metrics[.tcp].linesReceived.add(Int(lineNumber - linesBefore)) }
        var cut = Cut()
        while !cut.isLast, !refused.isSpent,
            builder.byteCount + (run?.range.count ?? 0) + refusalBytes < Record.payloadBytesMax
        {
            var next = cutter.next()
            if next == nil, takesLast { next = cutter.last() }
            guard let line = next else {
                cut.isLast = true
                break
            }
            if firstLine == nil {
                cut.firstLine = begin(line)
                if firstLine == .event { take(line, at: now) }
                break
            }
            take(line, at: now)
        }
        endRun()
        cutter.release()
        if cut.firstLine == nil {
            cut.isSpent = refused.isSpent
            cut.batch = takeBatch()
        }
        return cut
    }

    private mutating func takeBatch() -> TCPBatch? {
        guard !builder.isEmpty || !refusals.isEmpty || !sampledOut.isEmpty else { return nil }
        defer { (refusals, refusalBytes, sampledOut) = ([], 0, []) }
        let byteCount = builder.byteCount + refusalBytes
        return TCPBatch(
            records: builder.take(), refusals: refusals, sampledOut: sampledOut, lastLine: lineNumber,
            byteCount: byteCount)
    }

    private mutating func begin(_ line: LineCutter.Line) -> TCPFirstLine {
        let first =
            switch line {
            case .whole(let bytes, _): TCPFirstLine(bytes)
            case .tooLong(let prefix, _): prefix.withUnsafeBytes { TCPFirstLine($0) }
            }
        firstLine = first
        return first
    }

    private mutating func take(_ line: LineCutter.Line, at now: NIODeadline) {
        lineNumber += 1
        switch line {
        case .tooLong(let prefix, let byteCount):
            prefix.withUnsafeBytes {
                refuse(.lineTooLong(byteCount, max: limits.lineBytes), line: $0, lineBytes: byteCount, at: now)
            }
        case .whole(let bytes, let offset):
            do throws(Refusal) {
                guard bytes.count <= limits.lineBytes else {
                    throw .lineTooLong(bytes.count, max: limits.lineBytes)
                }
                let kind = try parser.validate(bytes, limits: eventLimits, receivedAt: builder.receivedAt)
                if let eventTypes { try parser.requireType(kind, eventTypes) }
                var fate = LinePolicy.Fate.keep
                if let policy {
                    fate = try policy.fate(
                        of: bytes, kind, tenant: builder.tenant, peer: peer, by: parser, receivedAt: builder.receivedAt,
                        into: &written)
                }
                refused.lineAccepted()
                switch fate {
                case .keep: extendRun(kind, bytes, at: offset)
                case .replace(let counts):
                    shared.metrics.count(counts)
                    keepWritten(kind)
                case .quarantine: keepWritten(.refused)
                case .sampleOut:
                    shared.metrics.sampledOut(kind).add(1)
                    if firstLine != .event { sampledOut.append(lineNumber) }
                }
            } catch {
                refuse(error, line: bytes, lineBytes: bytes.count, at: now)
            }
        }
    }

    private mutating func keepWritten(_ kind: RecordKind) {
        endRun()
        written.withUnsafeBytes { builder.append(kind, $0) }
        if written.capacity > Self.writtenBytesKept { written = [] }
    }

    /// Adds a line. `offset`: where it starts in the cutter's bytes; nil when its `\n` does not follow it there.
    private mutating func extendRun(_ kind: RecordKind, _ line: UnsafeRawBufferPointer, at offset: Int?) {
        guard let offset else {
            endRun()
            builder.append(kind, line)
            return
        }
        let end = offset + line.count + 1
        if let run, run.kind == kind, run.range.upperBound == offset, run.range.count < Self.runBytesMax {
            self.run = LineRun(kind: kind, range: run.range.lowerBound..<end, count: run.count + 1)
        } else {
            endRun()
            run = LineRun(kind: kind, range: offset..<end, count: 1)
        }
    }

    private mutating func endRun() {
        guard let run else { return }
        self.run = nil
        builder.append(run.kind, lines: cutter.bytes.slice(run.range), count: run.count)
    }

    /// `line`: its first bytes. `lineBytes`: its whole length.
    private mutating func refuse(
        _ refusal: Refusal, line: UnsafeRawBufferPointer, lineBytes: Int, at now: NIODeadline
    ) {
        shared.metrics.refused(refusal.code).add(1)
        let isKept = refused.lineRefused(at: now)
        guard firstLine == .event else {
            refusals.append(TCPAnswer.Refusal(line: lineNumber, refusal: refusal))
            refusalBytes += refusal.message.utf8.count + 64
            return
        }
        shared.refusalLog.refused(refusal.code.rawValue, peer: peer, isKept: isKept)
        guard isKept else { return shared.metrics[.tcp].linesNotKept.add(1) }
        let prefix = line.slice(0..<min(line.count, limits.refusedLineBytes))
        endRun()
        let kept = LinePolicy.refused(
            prefix, lineBytes: lineBytes, for: refusal, peer: peer, tenant: builder.tenant, by: policy)
        kept.withUnsafeBytes { builder.append(.refused, $0) }
    }
}

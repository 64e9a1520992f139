package import MillraceEvent
internal import MillraceTelemetry

/// What is done to a line between its parse and its record, for every way in: lines of TCP, items of bodies, saves, rows of
/// the outbox, dead letters that are retried. First the rules, which see it as plain text, then its fields.
///
/// Immutable, for all threads; a reload puts another one in its place. Whoever takes lines in holds nil where they are kept as
/// they come, and looks no further.
package final class LinePolicy: Sendable {
    /// What becomes of a line that the parser accepted. All of them count as accepted.
    package enum Fate: Sendable, Equatable {
        /// It is kept as it came.
        case keep
        /// What was written takes its place; so many of its values were treated.
        case replace(FieldCounts)
        /// It goes into `dead_letters`: what was written is the line of a `refused` record.
        case quarantine
        /// It is kept nowhere.
        case sampleOut
    }

    private let rules: RuleSet?
    /// Of each rule.
    private let counts: [RuleCounters.Counts]
    private let fields: FieldTreatment?
    private let limits: EventLimits
    private let lineBytesMax: Int

    /// Nil where there are neither rules nor fields to treat.
    ///
    /// - Parameters:
    ///   - counters: of what the rules decide.
    ///   - limits: as lines were validated with.
    ///   - lineBytesMax: of what is kept of a line; an encrypted value grows.
    package init?(
        rules: RuleSet?, counters: RuleCounters = RuleCounters(in: nil), fields: FieldTreatment?, limits: EventLimits,
        lineBytesMax: Int
    ) {
        guard rules != nil || fields != nil else { return nil }
        self.rules = rules
        counts = rules?.names.map { counters.counts(of: $0) } ?? []
        self.fields = fields
        self.limits = limits
        self.lineBytesMax = lineBytesMax
    }

    /// Rules in force.
    package var ruleCount: Int { counts.count }

    /// Decides about the line that `parser` validated last, whose bytes are still where they were.
    ///
    /// - Parameters:
    ///   - kind: what it is.
    ///   - peer: where it came from; for `dead_letters`.
    ///   - receivedAt: as it was validated with.
    ///   - out: what is to be written in its place, without a newline; undefined for other fates.
    /// - Throws: why it is refused. A line that is to be quarantined is refused where it may not be kept as it came and there
    ///   is no key to encrypt it with.
    package func fate(
        of line: UnsafeRawBufferPointer, _ kind: RecordKind, tenant: Int32, peer: String, by parser: EventParser,
        receivedAt: Timestamp, into out: inout [UInt8]
    ) throws(Refusal) -> Fate {
        switch judge(line, tenant, parser) {
        case .keep: return try treat(line, tenant, parser, receivedAt, &out)
        case .refuse(let refusal): throw refusal
        case .sampleOut: return .sampleOut
        case .quarantine(let refusal):
            guard
                let kept = RefusedLine(
                    quarantined: line, for: refusal, peer: peer, fields: fields, tenant: tenant)
            else { throw refusal }
            out = kept.json
            return .quarantine
        }
    }

    /// The same of a line out of `dead_letters` that is to be written after all: `keep` or `replace`. It is never sampled out,
    /// and what would be quarantined is refused.
    ///
    /// - Parameter wasJudged: the rules let it in when it came, and are not asked again.
    package func fate(
        ofRetried line: UnsafeRawBufferPointer, wasJudged: Bool, tenant: Int32, by parser: EventParser,
        receivedAt: Timestamp, into out: inout [UInt8]
    ) throws(Refusal) -> Fate {
        if !wasJudged {
            switch judge(line, tenant, parser, samples: false) {
            case .keep, .sampleOut: break
            case .refuse(let refusal), .quarantine(let refusal): throw refusal
            }
        }
        return try treat(line, tenant, parser, receivedAt, &out)
    }

    /// The same of a conversation save that was parsed before, and of the line that is to be kept of it.
    ///
    /// - Returns: with `keep` and `replace` what is to be kept, with the others the save as it was.
    package func fate(
        of save: ConversationSave, line: [UInt8], tenant: Int32, peer: String, receivedAt: Timestamp,
        into out: inout [UInt8]
    ) throws(Refusal) -> (Fate, ConversationSave) {
        let parser = EventParser()
        let padded = line + [UInt8](repeating: 0, count: EventParser.paddingBytes)
        let outcome = padded.withUnsafeBytes { padded in
            Result { () throws(Refusal) -> Fate in
                let line = UnsafeRawBufferPointer(rebasing: padded[..<line.count])
                // Larger by its time, and its texts may be escaped in another way.
                let kind = try parser.validate(
                    line, limits: limits.rewritten(bytesMax: .max), receivedAt: receivedAt, kind: .conversation)
                return try self.fate(
                    of: line, kind, tenant: tenant, peer: peer, by: parser, receivedAt: receivedAt, into: &out)
            }
        }
        let fate = try outcome.get()
        guard case .replace = fate else { return (fate, save) }
        let kept = try parser.parseConversation(
            out, limits: limits.rewritten(bytesMax: lineBytesMax), receivedAt: receivedAt)
        return (fate, kept)
    }

    /// The id of the row that a save becomes.
    package func id(of save: ConversationSave, tenant: Int32) -> UniqueID {
        fields?.id(of: save, tenant: tenant) ?? save.id(tenant: tenant)
    }

    /// What was written in the place of a line, as its fields.
    package func parsed(
        _ written: [UInt8], by parser: EventParser, receivedAt: Timestamp
    ) throws(Refusal) -> ParsedLine {
        let padded = written + [UInt8](repeating: 0, count: EventParser.paddingBytes)
        let outcome = padded.withUnsafeBytes { padded in
            Result { () throws(Refusal) in
                try parser.parse(
                    UnsafeRawBufferPointer(rebasing: padded[..<written.count]),
                    limits: limits.rewritten(bytesMax: lineBytesMax), receivedAt: receivedAt)
            }
        }
        return try outcome.get()
    }

    /// A refused line of a sender that gets no answers, as the line of a `refused` record, without a newline.
    ///
    /// - Parameters:
    ///   - prefix: its first bytes.
    ///   - lineBytes: its whole length.
    ///   - isAccepted: the sender is told that the line is, since it can't be told of this one: the letter is never dropped. It
    ///     is without the line where that may not be kept as it came and there is no key to encrypt it with.
    ///   - policy: nil: the line is kept as it came.
    package static func refused(
        _ prefix: UnsafeRawBufferPointer, lineBytes: Int, for refusal: Refusal, peer: String, tenant: Int32,
        isAccepted: Bool = false, by policy: LinePolicy?
    ) -> [UInt8] {
        var line = RefusedLine(
            refusal: refusal, peer: peer, prefix: prefix, lineBytes: lineBytes, fields: policy?.fields, tenant: tenant)
        line.isQuarantined = isAccepted
        return line.json
    }

    private func judge(
        _ line: UnsafeRawBufferPointer, _ tenant: Int32, _ parser: EventParser, samples: Bool = true
    ) -> LineTreatment {
        guard let verdict = rules?.judge(line, of: tenant, by: parser, samples: samples) else { return .keep }
        let treatment = verdict.treatment
        switch treatment {
        case .sampleOut: counts[verdict.index].sampledOut.add(1)
        case .quarantine: counts[verdict.index].quarantined.add(1)
        case .refuse, .keep: counts[verdict.index].refused.add(1)
        }
        return treatment
    }

    private func treat(
        _ line: UnsafeRawBufferPointer, _ tenant: Int32, _ parser: EventParser, _ receivedAt: Timestamp,
        _ out: inout [UInt8]
    ) throws(Refusal) -> Fate {
        guard let fields else { return .keep }
        let counts = try parser.treat(
            line, by: fields, tenant: tenant, bytesMax: lineBytesMax, limits: limits, receivedAt: receivedAt, into: &out
        )
        return counts.map { .replace($0) } ?? .keep
    }
}

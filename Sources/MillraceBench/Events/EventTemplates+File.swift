internal import Glibc
internal import MillraceConsole
internal import MillraceEvent
internal import MillraceJSON

extension EventTemplates {
    /// Bytes of a file that are held in memory.
    static let fileBytesMax = 1 << 30
    private static let millennium = Duration.seconds(31_536_000_000)

    /// The events of an NDJSON file (gzip and zstd are recognized by their first bytes), as they stand but for their ids;
    /// those without a time get the time they are sent at. Every line is judged as the daemon would. Blocks on the file.
    static func file(
        _ path: String, limits: EventLimits, at now: Timestamp, runID: RunID
    ) throws(CommandError) -> EventTemplates {
        let descriptor = try CompressedInput.open(path)
        defer { close(descriptor) }
        var made = EventTemplates()
        var reader = LineReader(descriptor: descriptor)
        let parser = EventParser()
        while true {
            switch try reader.next() {
            case .needsInput: try reader.read()
            case .line(let line, let number):
                try made.append(
                    Array(line), parser: parser, limits: limits, at: now, runID: runID, place: "\(path):\(number)")
            case .tooLong(let number):
                throw CommandError("\(path):\(number) is too long for a line", hint: "Leave it out")
            case .ended:
                guard !made.templates.isEmpty else {
                    throw CommandError("\(path) holds no events", hint: "Give one with a JSON object a line")
                }
                return made
            }
        }
    }

    private mutating func append(
        _ line: [UInt8], parser: EventParser, limits: EventLimits, at now: Timestamp, runID: RunID, place: String
    ) throws(CommandError) {
        // Whatever its time: that of its id, which is replaced, does not count.
        let anyTime = EventLimits(
            payloadBytes: limits.payloadBytes, payloadTextBytes: limits.payloadTextBytes,
            depth: limits.depth, acceptPast: Self.millennium, acceptFuture: Self.millennium)
        _ = try Self.parsed(line, parser: parser, limits: anyTime, at: now, place: place)
        let members = JSONScanner.members(line[...])
        guard members.allSatisfy({ $0.name != "id" || $0.whole.starts(with: "\"id\"".utf8) }) else {
            throw CommandError("\(place) writes its \"id\" with escapes", hint: "Write the name plainly")
        }
        var text = Array("{\"id\":\"\(runID.textPrefix)".utf8)
        let numberOffset = Int32(text.count)
        text += Array("000000000000\"".utf8)
        var timeOffset: Int32?
        if !members.contains(where: { $0.name == "created_at" }) {
            text += Array(",\"created_at\":\"".utf8)
            timeOffset = Int32(text.count)
            text += EventClock(at: now).text + [UInt8(ascii: "\"")]
        }
        for member in members where member.name != "id" {
            text += [UInt8(ascii: ",")] + member.whole
        }
        text += Array("}\n".utf8)
        let event = try Self.parsed(text, parser: parser, limits: limits, at: now, place: place)
        if timeOffset == nil {
            let time = event.createdAt.microseconds
            ownTimes = min(ownTimes?.lowerBound ?? time, time)...max(ownTimes?.upperBound ?? time, time)
        }
        guard bytes.count + text.count <= Self.fileBytesMax else {
            throw CommandError(
                "the file is larger than \(Format.bytes(Self.fileBytesMax))",
                hint: "Take a part of it: it is cycled through")
        }
        templates.append(
            Template(
                start: Int32(bytes.count), count: Int32(text.count), numberOffset: numberOffset,
                timeOffset: timeOffset, userOffset: nil, holes: 0..<0))
        bytes += text
    }

    private static func parsed(
        _ line: [UInt8], parser: EventParser, limits: EventLimits, at now: Timestamp, place: String
    ) throws(CommandError) -> AnalyticsEvent {
        let padded = line + Array(repeating: 0, count: EventParser.paddingBytes)
        let outcome = padded.withUnsafeBytes { bytes in
            Result { () throws(Refusal) in
                try parser.parse(
                    UnsafeRawBufferPointer(rebasing: bytes[..<line.count]), limits: limits, receivedAt: now)
            }
        }
        switch outcome {
        case .success(.event(let event)): return event
        case .success(.conversation):
            throw CommandError(
                "\(place) is a conversation save; a run sends events",
                hint: "Leave such lines out: their ids follow from their contents, so they cannot be sent again")
        case .failure(let refusal):
            throw CommandError(
                "\(place) would be refused: \(refusal.code.rawValue): \(refusal.message)", hint: "Fix or remove it")
        }
    }
}

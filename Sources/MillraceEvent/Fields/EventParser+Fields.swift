internal import CMillrace
internal import MillraceJSON

/// How many values of a line were treated, by what was done.
package struct FieldCounts: Sendable, Equatable {
    private var counts = SIMD4<Int>()

    mutating func add(_ action: FieldAction) { counts[Int(action.rank)] += 1 }

    package subscript(_ action: FieldAction) -> Int { counts[Int(action.rank)] }
}

extension EventParser {
    /// Replaces the listed values of the line that was validated last. Nil: it has none, and is to be kept as it came; else
    /// `out` is what to keep in its place, one line without its end.
    ///
    /// - Parameters:
    ///   - bytesMax: of what is to be kept; a value that is encrypted grows.
    ///   - limits: as the line was validated with.
    /// - Throws: what keeps the treated line from being kept. Never quotes a value.
    package func treat(
        _ line: UnsafeRawBufferPointer, by fields: FieldTreatment, tenant: Int32, bytesMax: Int, limits: EventLimits,
        receivedAt: Timestamp, into out: inout [UInt8]
    ) throws(Refusal) -> FieldCounts? {
        let bytes = line.bindMemory(to: UInt8.self)
        var found: UnsafePointer<mr_found>?
        var count = 0
        guard mr_find(fields.finder, parser, bytes.baseAddress, bytes.count, &event, &found, &count) else {
            throw Refusal(.lineTooLong, "there is no memory to treat \(line.count) bytes")
        }
        let places = UnsafeBufferPointer(start: found, count: count)
        guard places.contains(where: { Int($0.what) != MR_FOUND_END }) else { return nil }
        out.removeAll(keepingCapacity: true)
        var writer = FieldWriter(fields, event, tenant: tenant)
        var end = 0
        for place in places {
            Self.append(bytes[end..<place.start], to: &out)
            do throws(FieldsError) {
                try writer.replace(place, in: bytes, to: &out)
            } catch {
                throw Refusal(.invalidPayload, "\(error)")
            }
            end = place.end
            guard out.count <= bytesMax else { throw Self.tooLarge(bytesMax) }
        }
        Self.append(bytes[end...], to: &out)
        guard out.count <= bytesMax else { throw Self.tooLarge(bytesMax) }
        try check(&out, limits.rewritten(bytesMax: bytesMax), receivedAt)
        return writer.counts
    }

    /// What is kept is one line: between tokens, line ends are white space.
    private static func append(_ bytes: Slice<UnsafeBufferPointer<UInt8>>, to out: inout [UInt8]) {
        let start = out.count
        out.append(contentsOf: bytes)
        for index in start..<out.count where out[index] == 0x0A || out[index] == 0x0D { out[index] = 0x20 }
    }

    /// Whether the treated line is one that a writer can read, and a reader of the table.
    private func check(_ out: inout [UInt8], _ limits: EventLimits, _ receivedAt: Timestamp) throws(Refusal) {
        let count = out.count
        let kind = RecordKind(rawValue: event.kind)
        out.append(contentsOf: repeatElement(0, count: Self.paddingBytes))
        let outcome = out.withUnsafeBytes { bytes in
            Result { () throws(Refusal) in
                try validate(
                    UnsafeRawBufferPointer(rebasing: bytes[..<count]), limits: limits, receivedAt: receivedAt,
                    kind: kind)
            }
        }
        out.removeLast(Self.paddingBytes)
        guard case .failure(let refusal) = outcome else { return }
        // Not its message: that could quote what stands beside.
        throw Refusal(
            refusal.code, "once the fields of [fields] are treated, it can't be kept: \(refusal.code.rawValue)")
    }

    private static func tooLarge(_ bytesMax: Int) -> Refusal {
        Refusal(
            .lineTooLong,
            "it has more than \(bytesMax) bytes (limits.line_bytes) once the fields of [fields] are encrypted; shorter "
                + "values are wanted")
    }
}

extension EventLimits {
    /// For what is kept in the place of a line: encrypted values are larger, and the blind index is 3 deep.
    package func rewritten(bytesMax: Int) -> EventLimits {
        EventLimits(
            payloadBytes: max(payloadBytes, bytesMax), payloadTextBytes: payloadTextBytes, depth: max(depth, 3),
            acceptPast: acceptPast, acceptFuture: acceptFuture)
    }
}

import MillraceEvent

/// Treatments of the sample lines' fields.
enum FieldSample {
    private static let keys = FieldKeys.Purpose.allCases.map { FieldKeys.newLine($0, id: "bench") }

    /// `paths`: what is encrypted.
    static func encrypting(_ paths: [String]) throws(FieldsError) -> FieldTreatment? {
        var configuration = FieldsConfiguration()
        configuration.encrypt = paths
        return try FieldTreatment.make(configuration, keys: FieldKeys(keys.joined(separator: "\n")))
    }

    /// Parses and treats every line; how many changed.
    static func treat(by fields: FieldTreatment, _ parser: EventParser, into out: inout [UInt8]) throws -> Int {
        try SampleLines.padded.withUnsafeBytes { bytes in
            var changed = 0
            for range in SampleLines.ranges {
                let line = UnsafeRawBufferPointer(rebasing: bytes[range])
                _ = try parser.validate(line, limits: SampleLines.limits, receivedAt: SampleLines.receivedAt)
                let counts = try parser.treat(
                    line, by: fields, tenant: 0, bytesMax: 1 << 20, limits: SampleLines.limits,
                    receivedAt: SampleLines.receivedAt, into: &out)
                if counts != nil { changed += 1 }
            }
            return changed
        }
    }
}

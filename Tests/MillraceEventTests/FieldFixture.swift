import MillraceEvent

/// A treatment, what opens it again, and lines through both.
struct FieldFixture {
    /// 32 zero bytes but for the last: a key that no one may take for a real one.
    static func key(_ number: UInt8) -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        return String(repeating: "A", count: 41) + String(digits[Int(number >> 4) & 15])
            + String(digits[Int(number & 15) << 2])
    }

    static let keyText = """
        # keys of tests
        encrypt new \(key(1))
        encrypt old \(key(2))   # opens
        index i \(key(3))
        hash h \(key(4))
        identity d \(key(5))
        """

    let treatment: FieldTreatment?
    let keys: FieldKeys
    let parser = EventParser()
    var tenant: Int32 = 7

    init(keys text: String = keyText, _ change: (inout FieldsConfiguration) -> Void) throws {
        var configuration = FieldsConfiguration()
        change(&configuration)
        keys = try FieldKeys(text)
        treatment = try FieldTreatment.make(configuration, keys: keys)
    }

    /// What is kept in the line's place; nil: the line as it came. Bytes behind the line would change its meaning.
    func treated(_ line: String, lineBytes: Int = 1 << 20, limits: EventLimits = EventLimits()) throws -> String? {
        guard let treatment else { return nil }
        let bytes = Array(line.utf8)
        let padding = Array(#"9"}]}}]},"a":1}e9\u00"}}}}"#.utf8)
        let padded = bytes + (0..<EventParser.paddingBytes).map { padding[$0 % padding.count] }
        var out: [UInt8] = []
        let counts = try padded.withUnsafeBytes { padded in
            Result { () throws(Refusal) in
                let line = UnsafeRawBufferPointer(rebasing: padded[..<bytes.count])
                _ = try parser.validate(line, limits: limits, receivedAt: receivedAt)
                return try parser.treat(
                    line, by: treatment, tenant: tenant, bytesMax: lineBytes, limits: limits, receivedAt: receivedAt,
                    into: &out)
            }
        }.get()
        return counts.map { _ in String(decoding: out, as: UTF8.self) }
    }

    func refusal(_ line: String, lineBytes: Int = 1 << 20, limits: EventLimits = EventLimits()) -> Refusal? {
        do {
            _ = try treated(line, lineBytes: lineBytes, limits: limits)
            return nil
        } catch {
            return error as? Refusal
        }
    }

    /// With what can be opened in plain text.
    func opened(_ json: String, tenant: Int32? = nil) -> String {
        let opener = FieldOpener(keys, tenant: tenant ?? self.tenant)
        let bytes = Array(json.utf8)
        return bytes.withUnsafeBytes { opener.opened(json: $0) }.map { String(decoding: $0, as: UTF8.self) } ?? json
    }

    static func event(_ payload: String, type: String = "signup") -> String {
        #"{"event_type":"\#(type)","payload":\#(payload)}"#
    }
}

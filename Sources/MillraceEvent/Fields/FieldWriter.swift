internal import CMillrace
internal import Crypto
internal import MillraceJSON

/// Writes what takes the place of one line's listed values, in their order.
struct FieldWriter {
    private let fields: FieldTreatment
    private let event: mr_event
    private let tenant: Int32
    private(set) var counts = FieldCounts()
    /// Hashes of the blind index by the paths' names, in the order of the line.
    private var index: [(name: String, hashes: [[UInt8]])] = []

    /// `event`: of the line, while the parser has it.
    init(_ fields: FieldTreatment, _ event: mr_event, tenant: Int32) {
        self.fields = fields
        self.event = event
        self.tenant = tenant
    }

    /// Appends to `out` what is to stand between `place.start` and `place.end`.
    mutating func replace(
        _ place: mr_found, in line: UnsafeBufferPointer<UInt8>, to out: inout [UInt8]
    ) throws(FieldsError) {
        switch Int(place.what) {
        case MR_FOUND_DROP: counts.add(.drop)
        case MR_FOUND_NULL:
            counts.add(.drop)
            out.append(contentsOf: "null".utf8)
        case MR_FOUND_END: appendIndex(isFirst: place.first == 0, to: &out)
        default:
            let rule = fields.rules[Int(place.tag)]
            let value = UnsafeBufferPointer(rebasing: line[place.start..<place.end])
            // That there is no value is nothing to hide: the paths are no secret.
            guard place.first != UInt8(ascii: "n") else { return out.append(contentsOf: value) }
            switch rule.action {
            case .encrypt: try encrypt(value, rule, to: &out)
            case .sha256: try hash(value, to: &out)
            case .mask, .drop: mask(value, to: &out)
            }
        }
    }

    // MARK: - Encryption

    private mutating func encrypt(
        _ value: UnsafeBufferPointer<UInt8>, _ rule: FieldTreatment.Rule, to out: inout [UInt8]
    ) throws(FieldsError) {
        if let parts = Self.content(of: value).flatMap({ SealedValue.parts($0) }),
            rule.isQuestion == !parts.identity.isEmpty,
            let plain = SealedValue.open(parts, tenant: tenant, fields.keys)
        {
            out.append(contentsOf: value)
            if rule.isIndexed { plain.withUnsafeBufferPointer { addIndex($0, rule.indexName) } }
            return
        }
        counts.add(.encrypt)
        if rule.isIndexed { addIndex(value, rule.indexName) }
        out.append(UInt8(ascii: "\""))
        let identity = rule.isQuestion ? try saveIdentity() : []
        // A line end between tokens would be one in an export's line.
        if value.first != UInt8(ascii: "\""), value.contains(where: { $0 == 0x0A || $0 == 0x0D }) {
            try value.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 }.withUnsafeBufferPointer {
                value throws(FieldsError) in
                try SealedValue.append(value, tenant: tenant, identity: identity, fields.keys, to: &out)
            }
        } else {
            try SealedValue.append(value, tenant: tenant, identity: identity, fields.keys, to: &out)
        }
        out.append(UInt8(ascii: "\""))
    }

    private func saveIdentity() throws(FieldsError) -> [UInt8] {
        guard let key = fields.keys.active(.identity) else { throw FieldKeys.missing(.identity) }
        return Self.identity(
            tenant, event.created_us,
            UnsafeBufferPointer(start: event.conversation_id.bytes, count: event.conversation_id.length),
            UnsafeBufferPointer(start: event.question.bytes, count: event.question.length), key)
    }

    /// What the id of a save is derived from in the place of its question: the same save has the same, whatever key its
    /// question is encrypted with, and nobody without the key can try questions on it.
    static func identity(
        _ tenant: Int32, _ createdMicroseconds: Int64, _ conversationID: UnsafeBufferPointer<UInt8>,
        _ question: UnsafeBufferPointer<UInt8>, _ key: FieldKeys.Key
    ) -> [UInt8] {
        var hash = HMAC<SHA256>(key: key.material)
        hash.update(tenant)
        hash.update(createdMicroseconds)
        for text in [conversationID, question] {
            hash.update(UInt32(text.count))
            hash.update(data: text)
        }
        return Base64URL.text(Array(hash.finalize()).prefix(16))
    }

    // MARK: - The blind index

    private mutating func addIndex(_ value: UnsafeBufferPointer<UInt8>, _ name: String) {
        guard let key = fields.keys.active(.index), let text = Self.text(of: value) else { return }
        let hash = FieldIndex.hash(text, name: name, tenant: tenant, key)
        if let place = index.firstIndex(where: { $0.name == name }) {
            if !index[place].hashes.contains(hash) { index[place].hashes.append(hash) }
        } else {
            index.append((name, [hash]))
        }
    }

    private func appendIndex(isFirst: Bool, to out: inout [UInt8]) {
        guard !index.isEmpty else { return }
        if !isFirst { out.append(UInt8(ascii: ",")) }
        FieldIndex.append(index, to: &out)
    }

    // MARK: - Hash and mask

    private mutating func hash(_ value: UnsafeBufferPointer<UInt8>, to out: inout [UInt8]) throws(FieldsError) {
        guard let key = fields.keys.active(.hash) else { throw FieldKeys.missing(.hash) }
        let prefix = Array("\(TreatedValue.hashPrefix).\(key.id).".utf8)
        if let content = Self.content(of: value), content.starts(with: prefix),
            Base64URL.bytes(content.dropFirst(prefix.count))?.count == SHA256.byteCount
        {
            return out.append(contentsOf: value)
        }
        counts.add(.sha256)
        out.append(UInt8(ascii: "\""))
        // Of an object or an array, its text as it came.
        out += Self.hash(Self.text(of: value) ?? Array(value), tenant, key)
        out.append(UInt8(ascii: "\""))
    }

    /// As it stands in a value's place.
    static func hash(_ text: [UInt8], _ tenant: Int32, _ key: FieldKeys.Key) -> [UInt8] {
        var hash = HMAC<SHA256>(key: key.material)
        hash.update(tenant)
        hash.update(data: text)
        var out = Array("\(TreatedValue.hashPrefix).\(key.id).".utf8)
        Base64URL.append(Array(hash.finalize()), to: &out)
        return out
    }

    private mutating func mask(_ value: UnsafeBufferPointer<UInt8>, to out: inout [UInt8]) {
        var masked = TreatedValue.maskText
        if fields.maskKeep > 0, let bytes = Self.text(of: value) {
            let text = String(decoding: bytes, as: UTF8.self)
            let isMasked =
                text.hasPrefix(TreatedValue.maskText) && text.count == TreatedValue.maskText.count + fields.maskKeep
            if isMasked || text.count >= 3 * fields.maskKeep { masked += text.suffix(fields.maskKeep) }
        }
        counts.add(.mask)
        JSONString.append(masked, to: &out)
    }

    // MARK: - Values

    /// The content of a string without escapes; nil for anything else.
    private static func content(of value: UnsafeBufferPointer<UInt8>) -> Slice<UnsafeBufferPointer<UInt8>>? {
        guard value.count >= 2, value[0] == UInt8(ascii: "\"") else { return nil }
        let content = value[1..<value.count - 1]
        return content.contains(UInt8(ascii: "\\")) ? nil : content
    }

    /// The text of a string, or that of a number or a word as it came; nil for objects and arrays.
    private static func text(of value: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        switch value.first {
        case UInt8(ascii: "{"), UInt8(ascii: "["), nil: return nil
        case UInt8(ascii: "\""):
            guard let content = content(of: value) else { return unescaped(value) }
            return Array(content)
        default: return Array(value)
        }
    }

    private static func unescaped(_ value: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: value.count) { out, count in
            count = mr_unescape(value.baseAddress?.advanced(by: 1), value.count - 2, out.baseAddress)
        }
    }
}

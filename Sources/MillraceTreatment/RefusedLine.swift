package import MillraceEvent
internal import MillraceJSON

/// A refused line of a sender that gets no answers, or a quarantined one of anybody, as it is kept in `dead_letters`: the
/// line of a `refused` record.
package struct RefusedLine {
    var refusal: Refusal
    var peer: String
    /// The first bytes of the line, as they came.
    var prefix: UnsafeRawBufferPointer
    /// Length of the whole line.
    var lineBytes: Int
    /// Nil: kept as it came.
    var fields: FieldTreatment?
    var tenant: Int32
    /// Its sender was told that it is accepted: the letter is never dropped.
    var isQuarantined = false

    /// `peer`: where it came from. `prefix`: its first bytes, read before this returns. `lineBytes`: its whole length.
    /// `fields`: with any, line and message are kept encrypted, or not at all where there is no key for that.
    package init(
        refusal: Refusal, peer: String, prefix: UnsafeRawBufferPointer, lineBytes: Int, fields: FieldTreatment? = nil,
        tenant: Int32 = 0
    ) {
        self.refusal = refusal
        self.peer = peer
        self.prefix = prefix
        self.lineBytes = lineBytes
        self.fields = fields
        self.tenant = tenant
    }

    /// A line that a rule sets aside: it is kept whole, as `line` is read before `json` returns. Nil where it may not be kept
    /// as it came, and there is no key to encrypt it with: then it can only be refused.
    package init?(
        quarantined line: UnsafeRawBufferPointer, for refusal: Refusal, peer: String, fields: FieldTreatment?,
        tenant: Int32
    ) {
        if let fields, fields.sealed(line: UnsafeRawBufferPointer(rebasing: line.prefix(0)), tenant: tenant) == nil {
            return nil
        }
        self.init(
            refusal: refusal, peer: peer, prefix: line, lineBytes: line.count, fields: fields, tenant: tenant)
        isQuarantined = true
    }

    /// In the place of a message.
    private static let untold =
        "the line is kept encrypted, for [fields] lists values; `millrace dead-letters retry` says what is wrong with it"

    /// A parser's message quotes the line; a rule's does not.
    private var message: String {
        fields == nil || refusal.code == .schema || refusal.code == .deniedType ? refusal.message : Self.untold
    }

    /// One line of JSON, without the newline. Invalid UTF-8 is replaced and NUL left out, so PostgreSQL can hold it.
    package var json: [UInt8] {
        var json = JSONWriter()
        json.append(raw: "{\"code\":")
        json.append(refusal.code.rawValue)
        json.append(raw: ",\"message\":")
        json.append(message)
        json.append(raw: ",\"peer\":")
        json.append(peer)
        if let fields {
            if let sealed = fields.sealed(line: prefix, tenant: tenant) {
                json.append(raw: ",\"line\":")
                json.append(sealed)
            }
        } else {
            json.append(raw: ",\"line\":")
            let text = String(decoding: prefix, as: UTF8.self)
            json.append(prefix.contains(0) ? text.filter { $0 != "\0" } : text)
        }
        json.append(raw: ",\"line_bytes\":")
        json.append(lineBytes)
        if isQuarantined { json.append(raw: ",\"quarantined\":true") }
        json.append(raw: "}")
        return json.bytes
    }
}

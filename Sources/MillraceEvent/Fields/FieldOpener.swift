/// Puts the plain values back in the place of encrypted ones, for a reader who may see them.
package struct FieldOpener: Sendable {
    private let keys: FieldKeys
    private let tenant: Int32

    /// `tenant`: whose rows are read.
    package init(_ keys: FieldKeys, tenant: Int32) {
        self.keys = keys
        self.tenant = tenant
    }

    /// JSON in which each string that is an encrypted value of this tenant, and no member's name, is the value that was
    /// encrypted. Nil where there is none.
    package func opened(json: UnsafeRawBufferPointer) -> [UInt8]? {
        var out: [UInt8]?
        var kept = 0
        var at = 0
        while let quote = Self.start(in: json, from: at) {
            at = quote + 1
            guard let end = json[at...].firstIndex(of: UInt8(ascii: "\"")), !Self.isName(json, endingAt: end),
                let plain = opened(text: UnsafeRawBufferPointer(rebasing: json[at..<end]))
            else { continue }
            var bytes = out ?? []
            bytes.append(contentsOf: json[kept..<quote])
            bytes += plain
            out = bytes
            kept = end + 1
            at = kept
        }
        out?.append(contentsOf: json[kept...])
        return out
    }

    /// The JSON text of the value that `text` is, encrypted. Nil where it is none of this tenant's, or its key is not here.
    package func opened(text: UnsafeRawBufferPointer) -> [UInt8]? {
        guard text.starts(with: SealedValue.prefix), let parts = SealedValue.parts(text) else { return nil }
        return SealedValue.open(parts, tenant: tenant, keys)
    }

    /// Where the next string begins that starts as sealed values do.
    private static func start(in json: UnsafeRawBufferPointer, from offset: Int) -> Int? {
        let wanted = [UInt8(ascii: "\"")] + SealedValue.prefix
        var at = offset
        while at + wanted.count <= json.count {
            guard let quote = json[at...].firstIndex(of: UInt8(ascii: "\"")) else { return nil }
            // One within a string has a backslash before it.
            if json[quote...].starts(with: wanted), quote == 0 || json[quote - 1] != UInt8(ascii: "\\") { return quote }
            at = quote + 1
        }
        return nil
    }

    private static func isName(_ json: UnsafeRawBufferPointer, endingAt end: Int) -> Bool {
        json[(end + 1)...].first { $0 != 0x20 && $0 != 0x0A && $0 != 0x0D && $0 != 0x09 } == UInt8(ascii: ":")
    }
}

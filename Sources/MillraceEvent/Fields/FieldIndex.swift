internal import Crypto
internal import MillraceJSON

/// The blind index: beside encrypted values, keyed hashes of them, by which a row with an equal value is found.
///
/// In `payload` or `metadata`: `"millrace_index":{"contact.email":["HASH"]}`, a hash a value, where a path with `*` leads to
/// several. A hash is base64url of the first 16 bytes of HMAC-SHA256 over the tenant (4 bytes, big endian), the path's name,
/// a zero byte and the text. It tells who reads the table which rows have the same value, and no more.
package enum FieldIndex {
    private static let hashBytes = 16

    static func hash(_ text: [UInt8], name: String, tenant: Int32, _ key: FieldKeys.Key) -> [UInt8] {
        var hash = HMAC<SHA256>(key: key.material)
        hash.update(tenant)
        hash.update(data: Array(name.utf8))
        hash.update(data: [0])
        hash.update(data: text)
        return Base64URL.text(Array(hash.finalize()).prefix(hashBytes))
    }

    /// Appends the member.
    static func append(_ index: [(name: String, hashes: [[UInt8]])], to out: inout [UInt8]) {
        JSONString.append(FieldTreatment.indexMember, to: &out)
        out += ":{".utf8
        for (place, entry) in index.enumerated() {
            if place > 0 { out.append(UInt8(ascii: ",")) }
            JSONString.append(entry.name, to: &out)
            out += ":[".utf8
            for (place, hash) in entry.hashes.enumerated() {
                if place > 0 { out.append(UInt8(ascii: ",")) }
                out.append(UInt8(ascii: "\""))
                out += hash
                out.append(UInt8(ascii: "\""))
            }
            out.append(UInt8(ascii: "]"))
        }
        out.append(UInt8(ascii: "}"))
    }

    /// The path that a name of the index stands for, without the top-level field; nil is any member. Nil for no name.
    package static func steps(_ name: String) -> [String?]? {
        ListedPath.steps(name[...])?.map { step in
            switch step {
            case .name(let name): name
            case .any: nil
            }
        }
    }

    /// Objects of which a row's `payload` contains one (`@>`) where it has `text` at the path of this name: one for each
    /// key that values may have been indexed with. None where there is no key.
    package static func documents(_ text: String, name: String, tenant: Int32, _ keys: FieldKeys) -> [String] {
        keys.all(.index).map { key in
            var document = Array("{".utf8)
            append([(name, [hash(Array(text.utf8), name: name, tenant: tenant, key)])], to: &document)
            document.append(UInt8(ascii: "}"))
            return String(decoding: document, as: UTF8.self)
        }
    }
}

extension HMAC<SHA256> {
    /// A number, big endian.
    mutating func update(_ number: some FixedWidthInteger) {
        update(data: withUnsafeBytes(of: number.bigEndian) { Array($0) })
    }
}

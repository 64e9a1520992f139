internal import Crypto

/// An encrypted value as it stands in tables: `mr1.KEY-ID.DATA`, of a conversation's question `mr1.KEY-ID.DATA.IDENTITY`.
///
/// DATA is base64url without padding of:
///
/// | offset | size | field |
/// | ---: | ---: | --- |
/// | 0 | 8 | salt: with it the key of AES-256-GCM is derived (HKDF-SHA256) from the one that KEY-ID names |
/// | 8 | 12 | nonce: 4 bytes that count, 8 random ones, in case a machine's snapshot runs twice |
/// | 20 | n | the value's JSON text, encrypted |
/// | 20 + n | 16 | tag, which also covers the format, the tenant and IDENTITY |
///
/// So the length of a value can be told from it, and nothing else; equal values differ. IDENTITY, 22 characters, is a keyed
/// hash of the save that the row's id is derived from in the question's place.
enum SealedValue {
    /// What is sealed: one can't be opened as the other.
    enum Kind: String {
        case field = "mr1"
        /// A refused line in `dead_letters`.
        case line = "mrl1"
    }

    static let prefix = Array("mr1.".utf8)
    private static let nonceBytes = 12
    private static let tagBytes = 16
    private static let identityLength = 22

    struct Parts {
        var keyID: ArraySlice<UInt8>
        var data: ArraySlice<UInt8>
        /// Empty: none.
        var identity: ArraySlice<UInt8>
    }

    /// Nil for a text that is none of `kind`.
    static func parts(_ text: some Collection<UInt8>, _ kind: Kind = .field) -> Parts? {
        guard text.starts(with: kind.rawValue.utf8) else { return nil }
        let words = Array(text).split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard words.count == 3 || words.count == 4, words[0].elementsEqual(kind.rawValue.utf8) else { return nil }
        let identity = words.count == 4 ? words[3] : []
        guard words.count == 3 || identity.count == identityLength else { return nil }
        return Parts(keyID: words[1], data: words[2], identity: identity)
    }

    /// Appends the sealed text. `identity`: its 22 characters; empty: none.
    static func append(
        _ plain: UnsafeBufferPointer<UInt8>, _ kind: Kind = .field, tenant: Int32, identity: [UInt8] = [],
        _ keys: FieldKeys, to out: inout [UInt8]
    ) throws(FieldsError) {
        let sealing = try keys.nextSealing()
        let box: AES.GCM.SealedBox
        do {
            box = try AES.GCM.seal(
                plain, using: sealing.key, nonce: nonce(sealing.usesLeft),
                authenticating: bound(kind, sealing.keyID, tenant, identity))
        } catch {
            throw FieldsError(key: "fields.encrypt", message: "a value can't be encrypted: \(error)")
        }
        out.append(contentsOf: kind.rawValue.utf8)
        out.append(UInt8(ascii: "."))
        out.append(contentsOf: sealing.keyID)
        out.append(UInt8(ascii: "."))
        var data = sealing.salt
        data.reserveCapacity(sealing.salt.count + nonceBytes + plain.count + tagBytes)
        data.append(contentsOf: box.nonce)
        data.append(contentsOf: box.ciphertext)
        data.append(contentsOf: box.tag)
        Base64URL.append(data, to: &out)
        guard !identity.isEmpty else { return }
        out.append(UInt8(ascii: "."))
        out.append(contentsOf: identity)
    }

    /// What was sealed; nil where the key is not here, or it is not what this tenant's daemon sealed.
    static func open(_ parts: Parts, _ kind: Kind = .field, tenant: Int32, _ keys: FieldKeys) -> [UInt8]? {
        guard let data = Base64URL.bytes(parts.data), data.count >= FieldKeys.saltBytes + nonceBytes + tagBytes,
            let key = keys.opening(keyID: parts.keyID, salt: data.prefix(FieldKeys.saltBytes)),
            let box = try? AES.GCM.SealedBox(combined: data.dropFirst(FieldKeys.saltBytes)),
            let plain = try? AES.GCM.open(
                box, using: key, authenticating: bound(kind, Array(parts.keyID), tenant, Array(parts.identity)))
        else { return nil }
        return Array(plain)
    }

    private static func nonce(_ count: UInt32) throws -> AES.GCM.Nonce {
        try withUnsafeTemporaryAllocation(byteCount: nonceBytes, alignment: 8) { bytes in
            bytes.storeBytes(of: UInt64.random(in: .min ... .max), as: UInt64.self)
            bytes.storeBytes(of: count, toByteOffset: 8, as: UInt32.self)
            return try AES.GCM.Nonce(data: UnsafeRawBufferPointer(bytes))
        }
    }

    private static func bound(_ kind: Kind, _ keyID: [UInt8], _ tenant: Int32, _ identity: [UInt8]) -> [UInt8] {
        var bound: [UInt8] = []
        bound.reserveCapacity(kind.rawValue.utf8.count + keyID.count + identity.count + 6)
        bound += kind.rawValue.utf8
        bound.append(0)
        bound += keyID
        bound.append(0)
        withUnsafeBytes(of: tenant.bigEndian) { bound += $0 }
        bound += identity
        return bound
    }
}

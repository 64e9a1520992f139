internal import Crypto

/// The `user_id` of a user whom a tenant knows by an id of its own.
package enum ExternalUserID {
    /// The namespace of these UUIDs: Millrace's own, made once at random.
    private static let namespace = UniqueID(high: 0x5e0c_2f6b_8a57_4d1e, low: 0x9b3d_71c4_e2a8_06f5)

    /// A text that is a UUID is that id. For any other it is a UUIDv5 (RFC 9562, SHA-1) in Millrace's namespace, of the
    /// tenant's number in decimal, a colon, and the id's UTF-8 as it is: the same one each time, and another for another
    /// tenant. Whoever has the tenant and the id can make it, so it hides neither.
    package static func id(of external: String, tenant: Int32) -> UniqueID {
        if let id = UniqueID(external) { return id }
        var hash = Insecure.SHA1()
        namespace.bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
        Array("\(tenant):\(external)".utf8).withUnsafeBytes { hash.update(bufferPointer: $0) }
        let (high, low) = hash.finalize().withUnsafeBytes { digest in
            (
                UInt64(bigEndian: digest.loadUnaligned(as: UInt64.self)),
                UInt64(bigEndian: digest.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
        return UniqueID(
            high: high & 0xFFFF_FFFF_FFFF_0FFF | 0x5000, low: low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
    }
}

internal import Crypto

/// The id of something that came without one: the same content gives the same id, and another content another.
package enum ContentIdentity {
    /// A UUIDv8 (so that nobody reads a time in it) whose 122 bits are the start of the SHA-256 of, for each part, its
    /// length in bytes as 8 bytes big endian and its bytes.
    package static func id(of parts: [[UInt8]]) -> UniqueID {
        var hash = SHA256()
        for part in parts {
            withUnsafeBytes(of: UInt64(part.count).bigEndian) { hash.update(bufferPointer: $0) }
            part.withUnsafeBytes { hash.update(bufferPointer: $0) }
        }
        let (high, low) = hash.finalize().withUnsafeBytes { digest in
            (
                UInt64(bigEndian: digest.loadUnaligned(as: UInt64.self)),
                UInt64(bigEndian: digest.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
        return UniqueID(high: high & 0xFFFF_FFFF_FFFF_0FFF | 0x8000, low: low >> 2 | 1 << 63)
    }
}

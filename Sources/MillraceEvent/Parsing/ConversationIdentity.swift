internal import Crypto

/// The id of a conversation save: the same tenant, conversation, time and question give the same row.
package enum ConversationIdentity {
    /// A UUIDv7 of the millisecond of `createdAt` whose other 74 bits are the start of the SHA-256 of, big endian:
    ///
    /// | size | field |
    /// | ---: | --- |
    /// | 4 | tenant |
    /// | 4 | length of the conversation id in bytes |
    /// | n | conversation id, UTF-8 |
    /// | 8 | created at, microseconds since the Unix epoch |
    /// | 4 | length of the question in bytes |
    /// | n | question, UTF-8 |
    package static func id(
        tenant: Int32, conversationID: UnsafeRawBufferPointer, createdAt: Timestamp, question: UnsafeRawBufferPointer
    ) -> UniqueID {
        var hash = SHA256()
        update(&hash, UInt32(bitPattern: tenant).bigEndian)
        update(&hash, UInt32(conversationID.count).bigEndian)
        hash.update(bufferPointer: conversationID)
        update(&hash, UInt64(bitPattern: createdAt.microseconds).bigEndian)
        update(&hash, UInt32(question.count).bigEndian)
        hash.update(bufferPointer: question)
        let (first, second) = hash.finalize().withUnsafeBytes { digest in
            (
                UInt64(bigEndian: digest.loadUnaligned(as: UInt64.self)),
                UInt64(bigEndian: digest.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
        let microseconds = createdAt.microseconds
        let milliseconds = microseconds / 1000 - (microseconds % 1000 < 0 ? 1 : 0)
        return UniqueID(
            high: UInt64(truncatingIfNeeded: milliseconds) << 16 | 0x7000 | first >> 52,
            low: 1 << 63 | second >> 2
        )
    }

    private static func update(_ hash: inout SHA256, _ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value) { hash.update(bufferPointer: $0) }
    }
}

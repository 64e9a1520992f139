internal import Crypto

/// What an accepted line is.
package enum ParsedLine: Sendable, Equatable {
    case event(AnalyticsEvent)
    case conversation(ConversationSave)
}

/// An event as a client sent it, texts unescaped.
package struct AnalyticsEvent: Sendable, Equatable {
    /// Nil when the client gave none; the writer derives it from the spool's id and the sequence.
    package var id: UniqueID?
    package var eventType: String
    package var userID: UniqueID?
    /// The JSON text as it came.
    package var payload: String
    /// Given (and corrected by `sent_at`), or from a UUIDv7 id, or else the time received.
    package var createdAt: Timestamp
    /// False when `createdAt` is only the time received, or was corrected by it: sent again, it would be another.
    package var isTimeKnown: Bool
}

/// A conversation save as a client sent it, texts unescaped.
package struct ConversationSave: Sendable, Equatable {
    package var conversationID: String
    package var userID: UniqueID
    package var question: String
    package var response: String
    package var source: String
    /// The JSON text as it came.
    package var metadata: String
    /// `timestamp`, or else the time received.
    package var createdAt: Timestamp

    package init(
        conversationID: String, userID: UniqueID, question: String, response: String, source: String, metadata: String,
        createdAt: Timestamp
    ) {
        self.conversationID = conversationID
        self.userID = userID
        self.question = question
        self.response = response
        self.source = source
        self.metadata = metadata
        self.createdAt = createdAt
    }

    /// The id of its row; the same for the same save.
    package func id(tenant: Int32) -> UniqueID {
        var conversationID = conversationID
        var question = question
        return conversationID.withUTF8 { conversationID in
            question.withUTF8 { question in
                ConversationIdentity.id(
                    tenant: tenant, conversationID: UnsafeRawBufferPointer(conversationID), createdAt: createdAt,
                    question: UnsafeRawBufferPointer(question))
            }
        }
    }
}

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
    ///
    /// Of an encrypted question, which is another text each time, the identity in it takes its place (`SealedValue`).
    package static func id(
        tenant: Int32, conversationID: UnsafeRawBufferPointer, createdAt: Timestamp, question: UnsafeRawBufferPointer
    ) -> UniqueID {
        var hash = SHA256()
        update(&hash, UInt32(bitPattern: tenant).bigEndian)
        update(&hash, UInt32(conversationID.count).bigEndian)
        hash.update(bufferPointer: conversationID)
        update(&hash, UInt64(bitPattern: createdAt.microseconds).bigEndian)
        if question.starts(with: SealedValue.prefix), let sealed = SealedValue.parts(question), !sealed.identity.isEmpty
        {
            update(&hash, UInt32.max)
            hash.update(data: Array(sealed.identity))
        } else {
            update(&hash, UInt32(question.count).bigEndian)
            hash.update(bufferPointer: question)
        }
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

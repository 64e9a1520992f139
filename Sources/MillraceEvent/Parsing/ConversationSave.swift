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

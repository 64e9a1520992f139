internal import MillraceEvent

/// Writes a conversation save as a line of the spool, always with its time: the id depends on it, and a replay must
/// derive the same one.
enum ConversationLine {
    static func bytes(_ save: ConversationSave) -> [UInt8] {
        var line = Array("{\"conversation_id\":".utf8)
        line += JSONAnswer.encode(save.conversationID)
        line += Array(",\"question\":".utf8)
        line += JSONAnswer.encode(save.question)
        line += Array(",\"response\":".utf8)
        line += JSONAnswer.encode(save.response)
        line += Array(",\"user_id\":\"\(save.userID)\",\"timestamp\":\"\(save.createdAt.rfc3339)\",\"source\":".utf8)
        line += JSONAnswer.encode(save.source)
        line += Array(",\"metadata\":".utf8)
        // Outside of strings, where alone they can be, line breaks are white space.
        line += save.metadata.utf8.map { $0 == 0x0A ? 0x20 : $0 }
        line += Array("}\n".utf8)
        return line
    }
}

package import MillraceEvent

/// The messages of a whole body, one after the other as lines of Millrace's own. Used by one thread.
package protocol DialectMessages: AnyObject {
    /// The key that the body holds.
    var key: String? { get }

    /// Whether its sender forgot what to send: there is none, in a dialect that always has one.
    var isEmpty: Bool { get }

    /// Memory that it holds beside the body, in bytes, about.
    var heldBytes: Int { get }

    var isAtEnd: Bool { get }

    /// The message that was taken last as it stands in the body, but without keys. Empty in a dialect whose refused messages
    /// nobody keeps.
    var keptMessage: [UInt8] { get }

    /// Of the message that was taken last, as a string's literal: by this name its sender is told what became of it.
    var uuid: [UInt8]? { get }

    /// Takes the next message: `line` is what it says, without a newline; the parser judges it like any other line. Throws
    /// where the message says nothing that could be a line. Must not be called at the end.
    func next(tenant: Int32, into line: inout [UInt8]) throws(Refusal)
}

extension DialectRequest {
    /// Memory that reading a body takes for each of its bytes, about: the places of its tokens, and texts without escapes; or
    /// the messages of one level, still encoded.
    package var readingBytesAByte: Int { dialect == .openTelemetry ? 8 : 6 }

    /// The messages of a body.
    ///
    /// - Parameters:
    ///   - body: has `EventParser.paddingBytes` readable bytes behind it, and stays where it is as long as messages are asked
    ///     for.
    ///   - receivedAt: what the sender's clock is compared with.
    ///   - itemBytesMax: of a line, in bytes.
    ///   - bodyBytesMax: of what a body in a form may become, in bytes.
    /// - Throws: where it is no JSON, or has none of the dialect's forms.
    package func messages(
        of body: UnsafeRawBufferPointer, receivedAt: Timestamp, itemBytesMax: Int, bodyBytesMax: Int
    ) throws(Refusal) -> any DialectMessages {
        guard dialect == .openTelemetry else {
            return try DialectBody(body, of: self, receivedAt: receivedAt, bytesMax: bodyBytesMax)
        }
        return try LogRecords(body, isProtobuf: isProtobuf, itemBytesMax: itemBytesMax)
    }
}

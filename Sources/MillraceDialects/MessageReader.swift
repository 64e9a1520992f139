internal import CMillrace
internal import MillraceEvent

/// Finds the messages of a whole body and their members; checks its grammar.
final class MessageReader {
    // SAFETY: freed with this object, and used by whoever has it alone.
    private let reader: OpaquePointer
    private var found = mr_messages()
    private var body = UnsafeRawBufferPointer(start: nil, count: 0)

    init() {
        guard let reader = mr_reader_create() else { preconditionFailure("there is no memory for a reader") }
        self.reader = reader
    }

    deinit { mr_reader_destroy(reader) }

    /// Reads a body, which stays where it is and has `EventParser.paddingBytes` readable bytes behind it. `list`: the member
    /// whose array holds the messages, where the body is an object that has it. Throws where it is no JSON.
    func read(_ body: UnsafeRawBufferPointer, list: StaticString) throws(Refusal) {
        self.body = body
        var refusal = mr_refusal()
        let name = mr_text(bytes: list.utf8Start, length: list.utf8CodeUnitCount)
        let bytes = body.baseAddress?.assumingMemoryBound(to: UInt8.self)
        guard mr_read_messages(reader, bytes, body.count, name, &found, &refusal) == MR_ACCEPTED else {
            throw Refusal(refusal)
        }
    }

    var count: Int { found.message_count }

    /// The messages are of the array that was asked for, or the body is an array.
    var isList: Bool { found.is_array }

    /// Members of the body around the messages; none where the body is an array or the message itself.
    var envelope: JSONObject {
        JSONObject(
            text: UnsafeRawBufferPointer(rebasing: body[0..<0]), body: body,
            members: UnsafeBufferPointer(start: found.all, count: found.has_list ? Int(found.own_count) : 0),
            isObject: found.has_list)
    }

    subscript(index: Int) -> JSONObject {
        let message = found.messages[index]
        return JSONObject(
            text: UnsafeRawBufferPointer(rebasing: body[Int(message.start)..<Int(message.end)]), body: body,
            members: UnsafeBufferPointer(
                start: found.all.map { $0 + Int(message.first_member) }, count: Int(message.member_count)),
            isObject: message.is_object)
    }
}

/// An object of a body, and its members; lives as long as its reader.
struct JSONObject {
    /// The whole value, brackets included.
    let text: UnsafeRawBufferPointer
    fileprivate let body: UnsafeRawBufferPointer
    fileprivate let members: UnsafeBufferPointer<mr_member>
    /// False: another value than an object stands there, which has no members.
    let isObject: Bool

    /// The last member of that name, which is the one that counts.
    subscript(name: StaticString) -> JSONPiece? {
        for member in members.reversed() where member.name.length == name.utf8CodeUnitCount {
            guard name.withUTF8Buffer({ $0.elementsEqual(nameBytes(member)) }) else { continue }
            return piece(member)
        }
        return nil
    }

    /// The members in their order.
    func forEach(_ body: (_ name: UnsafeBufferPointer<UInt8>, JSONPiece) -> Void) {
        for member in members { body(nameBytes(member), piece(member)) }
    }

    var isEmpty: Bool { members.isEmpty }

    private func nameBytes(_ member: mr_member) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: member.name.bytes, count: member.name.length)
    }

    private func piece(_ member: mr_member) -> JSONPiece {
        JSONPiece(UnsafeRawBufferPointer(rebasing: body[Int(member.start)..<Int(member.end)]))
    }
}

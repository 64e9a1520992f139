/// Reads server-sent events out of bytes that come in pieces, as the HTML standard says in section 9.2.6. A value without
/// I/O.
package struct EventStreamParser: Sendable {
    package struct Message: Sendable, Equatable {
        /// `message` where the stream names none.
        package var name: String
        /// Of the stream at this message: what it can go on from.
        package var lastID: String
        /// Lines are joined by `\n`.
        package var data: String

        package init(name: String, lastID: String, data: String) {
            self.name = name
            self.lastID = lastID
            self.data = data
        }
    }

    /// A longer line, or a message of more, is not Millrace's: a payload that is printed has a MiB by default.
    package static let bytesMax = 64 << 20

    /// Of the stream, empty before there is one.
    package private(set) var lastID = ""
    /// Milliseconds; nil: the stream has not said.
    package private(set) var retry: Int?
    private var line: [UInt8] = []
    private var name = ""
    private var data: [UInt8]?
    private var hasBegun = false
    /// The last line ended with a carriage return: a line feed right after belongs to it.
    private var isAfterReturn = false

    /// Goes on after `lastID`.
    package init(lastID: String = "") {
        self.lastID = lastID
    }

    /// The messages that `bytes` complete. Throws when a message is too long to be one.
    package mutating func messages(in bytes: some Sequence<UInt8>) throws(CommandError) -> [Message] {
        var messages: [Message] = []
        for byte in bytes {
            switch byte {
            case 0x0A where isAfterReturn: isAfterReturn = false
            case 0x0A, 0x0D:
                isAfterReturn = byte == 0x0D
                if let message = endLine() { messages.append(message) }
            default:
                isAfterReturn = false
                line.append(byte)
                guard line.count + (data?.count ?? 0) <= Self.bytesMax else {
                    throw CommandError(
                        "the stream has a message of more than \(Self.bytesMax >> 20) MiB",
                        hint: "Check --to: this is no stream of Millrace's")
                }
            }
        }
        return messages
    }

    private mutating func endLine() -> Message? {
        if !hasBegun {
            hasBegun = true
            if line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
        }
        defer { line.removeAll(keepingCapacity: true) }
        guard !line.isEmpty else { return dispatch() }
        let field = line.prefix { $0 != UInt8(ascii: ":") }
        var value = line.dropFirst(field.count + 1)
        if value.first == 0x20 { value.removeFirst() }
        switch String(decoding: field, as: UTF8.self) {
        case "event": name = String(decoding: value, as: UTF8.self)
        case "data":
            if data == nil { data = [] } else { data?.append(0x0A) }
            data?.append(contentsOf: value)
        case "id" where !value.contains(0): lastID = String(decoding: value, as: UTF8.self)
        case "retry" where !value.isEmpty && value.allSatisfy { (0x30...0x39).contains($0) }:
            retry = Int(String(decoding: value, as: UTF8.self))
        // A comment, or a field of another standard.
        default: break
        }
        return nil
    }

    private mutating func dispatch() -> Message? {
        defer { (name, data) = ("", nil) }
        guard let data else { return nil }
        return Message(
            name: name.isEmpty ? "message" : name, lastID: lastID, data: String(decoding: data, as: UTF8.self))
    }
}

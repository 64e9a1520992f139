/// Numbers of few bytes and many digits.
enum LongNumbers {
    /// 131,072 digits of 8 bytes.
    static let longest = "1e131071"

    /// `[1e131071,…]`: 9 bytes each.
    static func array(_ count: Int, of number: String = longest) -> String {
        "[" + [String](repeating: number, count: count).joined(separator: ",") + "]"
    }

    /// An event that the pack `conversations` reads `comment` of, as text.
    static func feedback(_ comment: String, number: Int = 1) -> String {
        let id = "00000000-0000-4000-8000-" + String(repeating: "0", count: 12 - "\(number)".count) + "\(number)"
        return
            #"{"event_type":"conversations.feedback_given","payload":{"id":"\#(id)","conversation_id":"c","rating":5,"#
            + #""comment":\#(comment)}}"#
    }

    static func event(_ numbers: String, type: String = "long") -> String {
        #"{"event_type":"\#(type)","payload":{"v":\#(numbers)}}"#
    }
}

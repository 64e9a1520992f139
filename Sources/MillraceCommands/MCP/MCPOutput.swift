internal import MillraceJSON

/// Keeps what a tool answers within what a model can read.
enum MCPOutput {
    /// At most about `bytesMax` bytes of a route's answer. Of a list of items, as many whole ones as fit, and a note that says
    /// how to get the others; anything else is cut where it is, with a note after it.
    static func fit(_ json: String, bytesMax: Int) -> String {
        let bytes = Array(json.utf8)
        guard bytes.count > bytesMax else { return json }
        return cutItems(bytes[...], bytesMax: bytesMax) ?? cutText(bytes, bytesMax: bytesMax)
    }

    /// Nil where there is no list, or not even its first item fits.
    private static func cutItems(_ json: ArraySlice<UInt8>, bytesMax: Int) -> String? {
        guard json.first == UInt8(ascii: "{") else { return nil }
        let members = JSONScanner.members(json)
        guard let list = members.first(where: { $0.name == "items" }) else { return nil }
        // `next` goes on after the last item of the whole page.
        let others = members.filter { $0.name != "items" && $0.name != "next" }
        let items = JSONScanner.elements(list.value)
        var room = bytesMax - others.reduce(0) { $0 + $1.whole.count + 1 }
        let fitting = items.prefix { item in
            room -= item.count + 1
            return room >= 0
        }
        guard !fitting.isEmpty else { return nil }
        var out = JSONWriter()
        out.append(raw: "{")
        for other in others {
            out.separate()
            out.append(raw: other.whole)
        }
        out.append(name: "items")
        out.append(raw: "[")
        for item in fitting {
            out.separate()
            out.append(raw: item)
        }
        out.append(raw: "]")
        out.append(name: "note")
        out.append(
            "Cut to the first \(fitting.count) of \(items.count) items, to stay below \(bytesMax) bytes (--output-kib). For the "
                + "others, ask for less at once, or with limit=\(fitting.count) and then with the cursor in next.")
        out.append(raw: "}")
        return String(decoding: out.bytes, as: UTF8.self)
    }

    private static func cutText(_ bytes: [UInt8], bytesMax: Int) -> String {
        var end = bytesMax
        // Not within a character.
        while end > 0, bytes[end] & 0xC0 == 0x80 { end -= 1 }
        return String(decoding: bytes[..<end], as: UTF8.self)
            + "\n[Cut after \(end) of \(bytes.count) bytes (--output-kib). Ask for less.]"
    }
}

internal import MillraceJSON

extension JSONWriter {
    /// With an object's opening bracket.
    static func begunObject() -> JSONWriter {
        var json = JSONWriter()
        json.append(raw: "{")
        return json
    }

    mutating func appendUnlessZero(_ name: String, _ number: some BinaryInteger) {
        guard number != 0 else { return }
        append(name: name)
        append(number)
    }

    mutating func appendUnlessEmpty(_ name: String, _ text: String) {
        guard !text.isEmpty else { return }
        append(name: name)
        append(text)
    }
}

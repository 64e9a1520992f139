internal import MillraceEvent

/// What of an erased user's own events is blanked: an entry of `erasure.payload_paths`.
package struct ErasurePath: Sendable, Hashable {
    /// Only in events of these types; nil: of all that no pack makes rows of.
    package var types: EventTypePattern?
    /// Members from the payload's top, or elements by number; `*` is each of them. Empty: the whole payload.
    package var path: [String]

    /// Of `email`, `address.street`, `items.*.note`, `*`, `commerce.lead_captured:*`; nil for anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let last = parts.last, !last.isEmpty else { return nil }
        if parts.count == 2 {
            guard let pattern = EventTypePattern(parts[0]) else { return nil }
            types = pattern
        }
        let names = last.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard names.allSatisfy({ !$0.isEmpty }) else { return nil }
        path = names == ["*"] ? [] : names
    }

    /// Places of its values in an object or array. What `[fields]` put in the place of a value around them counts as one of
    /// them, and so do their hashes in the blind index.
    func values(in places: JSONPlaces, of value: Range<Int>) -> [Range<Int>] {
        var found = [value]
        for (depth, name) in path.enumerated() {
            found = found.flatMap { value -> [Range<Int>] in
                switch places.bytes[value.lowerBound] {
                case UInt8(ascii: "\"") where depth > 0 && places.unescaped(value).map(TreatedValue.isOne) ?? false:
                    [value]
                case UInt8(ascii: "{"):
                    places.members(of: value).filter { name == "*" || places.isName($0.name, name) }.map(\.value)
                case UInt8(ascii: "["):
                    places.elements(of: value).enumerated().filter { name == "*" || name == "\($0.offset)" }
                        .map(\.element)
                default: []
                }
            }
        }
        return found + (path.isEmpty ? [] : hashes(in: places, of: value))
    }

    private func hashes(in places: JSONPlaces, of value: Range<Int>) -> [Range<Int>] {
        places.members(of: value).filter { places.isName($0.name, FieldTreatment.indexMember) }
            .flatMap { places.members(of: $0.value) }.filter { member in
                let quoted = member.name.lowerBound - 1..<member.name.upperBound + 1
                guard let steps = places.text(of: quoted).flatMap(FieldIndex.steps) else { return false }
                return zip(path, steps).allSatisfy { $0 == "*" || $1 == nil || $0 == $1 }
            }.map(\.value)
    }
}

extension JSONPlaces {
    /// Whether the name at `range`, without its quotes, is `name`.
    func isName(_ range: Range<Int>, _ name: String) -> Bool {
        if bytes[range].elementsEqual(name.utf8) { return true }
        guard bytes[range].contains(UInt8(ascii: "\\")) else { return false }
        return unescaped(range.lowerBound - 1..<range.upperBound + 1).map { $0.elementsEqual(name.utf8) } ?? false
    }

    /// The text of the member's value whose name, with its quotes, is at `name`; nil where it is no name.
    func text(ofMemberNamedAt name: Range<Int>) -> String? {
        guard let colon = value(in: name.upperBound..<bytes.count), bytes[colon.lowerBound] == UInt8(ascii: ":") else {
            return nil
        }
        return value(in: colon.lowerBound + 1..<bytes.count).flatMap { text(of: $0) }
    }

    /// The text of the value at `path`: of a string or number, the last of several.
    func text(at path: [String], of value: Range<Int>) -> String? {
        var found = value
        for name in path {
            guard !found.isEmpty else { return nil }
            let next =
                bytes[found.lowerBound] == UInt8(ascii: "[")
                ? Int(name).flatMap { index in
                    let elements = elements(of: found)
                    return elements.indices.contains(index) ? elements[index] : nil
                } : members(of: found).last { isName($0.name, name) }?.value
            guard let next else { return nil }
            found = next
        }
        return text(of: found)
    }
}

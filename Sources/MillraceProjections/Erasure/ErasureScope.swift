package import MillraceEvent
internal import MillraceJSON

/// Who is erased, and what that leaves of events and lines. A value: it changes bytes and does nothing else.
///
/// In what packs make rows of, the rows decide: an event about a row that goes with the user becomes `{"erased":true}`, which
/// no fold makes a row of. In any other event of the user the listed paths are blanked: a text becomes empty, a number 0, a
/// truth value null, objects and arrays empty. Wherever the id still stands, in events of others too, a pseudonym takes its
/// place, so that rows that belong together stay together.
package struct ErasureScope: Sendable {
    /// The payload of an event about a row that is erased.
    package static let mark = Array(#"{"erased":true}"#.utf8)

    /// Whether a row's document is the mark: as a line has it, or as a table gives it, after jsonb's version byte.
    static func isMark(_ document: UnsafeRawBufferPointer) -> Bool {
        guard document.count == mark.count + 1 || document.count == mark.count + 2 else { return false }
        return document.dropFirst().filter { $0 != UInt8(ascii: " ") }.elementsEqual(mark)
    }

    package let users: [ErasedUser]
    private let byTenant: [Int32: [UniqueID: ErasedUser]]
    let paths: [ErasurePath]
    let packs: [PackDefinition]
    let folds: [OwnedFold]
    /// By fold (`pack.fold`) and tenant: keys of rows that are erased, as text.
    package var keys: [String: [Int32: Set<String>]] = [:]
    /// What opens refused lines that are kept encrypted; nil: they stay closed.
    package var fieldKeys: FieldKeys?

    package init(_ users: [ErasedUser], paths: [ErasurePath], packs: [PackDefinition]) {
        self.users = users
        self.paths = paths
        self.packs = packs
        byTenant = Dictionary(grouping: users, by: \.tenant).mapValues { users in
            Dictionary(users.map { ($0.id, $0) }) { first, _ in first }
        }
        folds = OwnedFold.all(of: packs, paths)
    }

    package func user(_ id: UniqueID, of tenant: Int32) -> ErasedUser? { byTenant[tenant]?[id] }

    // MARK: - Payloads

    /// What is left of an event's payload, as JSON; `isOwn`: the event is the user's. No longer than it was, unless it is
    /// the mark. nil: it stays as it is.
    package func payload(_ payload: [UInt8], type: String, tenant: Int32, isOwn: Bool) -> [UInt8]? {
        let places = JSONPlaces(bytes: payload)
        guard let whole = places.value(in: 0..<payload.count), !places.isErased(whole) else { return nil }
        if isMarked(places, whole, type: type, tenant: tenant, isOwn: isOwn) { return Self.mark }
        var left = payload
        if isOwn {
            for path in paths where applies(path, to: type) {
                for value in path.values(in: places, of: whole) { Self.blank(&left, value) }
            }
            for string in places.strings(in: whole) {
                guard let text = places.text(of: string), isExternalID(text, of: tenant) else { continue }
                Self.blank(&left, string)
            }
        }
        _ = replaceIDs(in: &left, of: tenant)
        return left == payload ? nil : left
    }

    /// Whether it is a user's id with the tenant, no UUID. Where only a hash of the user is known, it is found as well.
    private func isExternalID(_ text: String, of tenant: Int32) -> Bool {
        guard !text.isEmpty, text.utf8.count <= ErasedUser.externalBytesMax, UniqueID(text) == nil else { return false }
        return user(ExternalUserID.id(of: text, tenant: tenant), of: tenant) != nil
    }

    /// Whether untyped paths are for such events: what packs make rows of is left to them.
    private func applies(_ path: ErasurePath, to type: String) -> Bool {
        if let types = path.types { return types.matches(type) }
        return !packs.contains { $0.folds.contains { $0.makesRows(of: type) } }
    }

    private func isMarked(
        _ places: JSONPlaces, _ whole: Range<Int>, type: String, tenant: Int32, isOwn: Bool
    ) -> Bool {
        if isOwn, paths.contains(where: { $0.path.isEmpty && $0.types?.matches(type) ?? false }) { return true }
        return folds.contains { owned in
            guard owned.takes(type) else { return false }
            if let key = owned.key { return has(places.text(at: key.path, of: whole), in: owned.name, tenant) }
            guard let parent = owned.parent else { return false }
            return has(places.text(at: parent.path, of: whole), in: parent.name, tenant)
        }
    }

    private func has(_ text: String?, in fold: String, _ tenant: Int32) -> Bool {
        guard let text, let known = keys[fold]?[tenant] else { return false }
        return known.contains(text) || UniqueID(text).map { known.contains("\($0)") } ?? false
    }

    // MARK: - Lines

    /// What is left of a spool's line, in as many bytes; blanks only: it is no line any more. nil: it stays as it is.
    package func line(_ line: [UInt8], kind: RecordKind, tenant: Int32) -> [UInt8]? {
        let places = JSONPlaces(bytes: line)
        guard let whole = places.value(in: 0..<line.count) else { return nil }
        var members: [String: Range<Int>] = [:]
        for member in places.members(of: whole) {
            let quoted = member.name.lowerBound - 1..<member.name.upperBound + 1
            if let name = places.text(of: quoted) { members[name] = member.value }
        }
        let isOwn =
            members["user_id"].flatMap { places.text(of: $0) }.flatMap(UniqueID.init)
            .flatMap { user($0, of: tenant) } != nil
        var left = line
        switch kind {
        case .conversation where isOwn: return Self.blanks(line.count)
        case .refused:
            let kept = members["line"].flatMap { places.unescaped($0) } ?? []
            guard mentions(line, tenant: tenant) || concerns(kept, tenant: tenant) else { return nil }
            for name in ["line", "message"] {
                if let value = members[name] { Self.blank(&left, value) }
            }
        case .event:
            if isOwn, let value = members["user_id"] { Self.put("null".utf8, &left, value) }
            if let value = members["payload"] {
                let type = members["event_type"].flatMap { places.text(of: $0) } ?? ""
                if let payload = payload(Array(line[value]), type: type, tenant: tenant, isOwn: isOwn) {
                    guard payload.count <= value.count else { return Self.blanks(line.count) }
                    Self.put(payload, &left, value)
                }
            }
        case .conversation: break
        }
        _ = replaceIDs(in: &left, of: tenant)
        return left == line ? nil : left
    }

    /// Whether a line that is kept as it came, whole or cut, has one of the users in it or is about a row that goes with one.
    /// An encrypted one is opened.
    package func concerns(_ kept: [UInt8], tenant: Int32) -> Bool {
        let opened = fieldKeys?.line(sealedAs: String(decoding: kept, as: UTF8.self), tenant: tenant)
        let line = opened ?? kept
        return mentions(line, tenant: tenant) || self.line(line, kind: .event, tenant: tenant) != nil
    }

    /// Whether a text has the id of one of the users in it, or the tenant's own: as a string, or a number as a `user_id`.
    package func mentions(_ text: [UInt8], tenant: Int32) -> Bool {
        var copy = text
        if replaceIDs(in: &copy, of: tenant) { return true }
        let externals = Set(users.filter { $0.tenant == tenant }.compactMap(\.external))
        guard !externals.isEmpty else { return false }
        // A number may stand for anything.
        let words = externals.filter { Int($0) == nil }
        let places = JSONPlaces(bytes: text)
        return places.strings(in: 0..<text.count).contains { string in
            guard let text = places.text(of: string) else { return false }
            if text == "user_id", let id = places.text(ofMemberNamedAt: string) { return externals.contains(id) }
            return words.contains(text) || words.contains { text.contains("\"\($0)\"") }
        }
    }

    // MARK: - Ids

    /// Puts pseudonyms in the place of ids, with hyphens and without, in either case, and where JSON escapes hide them. As
    /// many bytes as before. Returns whether there were any.
    func replaceIDs(in bytes: inout [UInt8], of tenant: Int32) -> Bool {
        guard let known = byTenant[tenant] else { return false }
        var isChanged = Self.replacePlain(in: &bytes, known)
        guard bytes.contains(UInt8(ascii: "\\")) else { return isChanged }
        let places = JSONPlaces(bytes: bytes)
        for string in places.strings(in: 0..<bytes.count)
        where bytes[string].contains(UInt8(ascii: "\\")) {
            guard var text = places.unescaped(string), Self.replacePlain(in: &text, known) else { continue }
            let literal = JSONString.literal(String(decoding: text, as: UTF8.self))
            Self.put(literal.count <= string.count ? literal : Array("\"\"".utf8), &bytes, string)
            isChanged = true
        }
        return isChanged
    }

    private static func replacePlain(in bytes: inout [UInt8], _ known: [UniqueID: ErasedUser]) -> Bool {
        var isChanged = false
        var runStart = 0
        var at = 0
        let count = bytes.count
        while at <= count {
            let byte = at < count ? bytes[at] : 0
            if isHexDigit(byte) {
                at += 1
                continue
            }
            if at - runStart == 32, let user = user(bytes[runStart..<at].map { $0 }, known) {
                bytes.replaceSubrange(runStart..<at, with: "\(user.pseudonym)".utf8.filter { $0 != UInt8(ascii: "-") })
                isChanged = true
            } else if byte == UInt8(ascii: "-"), at - runStart >= 8, at + 28 <= count, bytes[at + 5] == byte,
                bytes[at + 10] == byte, bytes[at + 15] == byte,
                let user = user(bytes[at - 8..<at + 28].filter { $0 != UInt8(ascii: "-") }, known)
            {
                bytes.replaceSubrange(at - 8..<at + 28, with: "\(user.pseudonym)".utf8)
                isChanged = true
                at += 27
            }
            at += 1
            runStart = at
        }
        return isChanged
    }

    private static func user(_ digits: [UInt8], _ known: [UniqueID: ErasedUser]) -> ErasedUser? {
        guard digits.count == 32, let high = UInt64(String(decoding: digits[..<16], as: UTF8.self), radix: 16),
            let low = UInt64(String(decoding: digits[16...], as: UTF8.self), radix: 16)
        else { return nil }
        return known[UniqueID(high: high, low: low)]
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
    }

    // MARK: - Bytes

    private static func blanks(_ count: Int) -> [UInt8] { [UInt8](repeating: UInt8(ascii: " "), count: count) }

    /// Blanks a value, in as many bytes.
    private static func blank(_ bytes: inout [UInt8], _ value: Range<Int>) {
        let left =
            switch bytes[value].first {
            case UInt8(ascii: "\""): "\"\""
            case UInt8(ascii: "{"): "{}"
            case UInt8(ascii: "["): "[]"
            case UInt8(ascii: "t"), UInt8(ascii: "f"): "null"
            case UInt8(ascii: "n"), nil: ""
            default: "0"
            }
        guard !left.isEmpty else { return }
        // A line that is cut may end within the value.
        put(left.utf8.count <= value.count ? left.utf8 : "".utf8, &bytes, value)
    }

    /// Writes over a value, with blanks behind.
    private static func put(_ text: some Collection<UInt8>, _ bytes: inout [UInt8], _ value: Range<Int>) {
        precondition(text.count <= value.count, "what is left of a value is no longer than the value")
        bytes.replaceSubrange(value, with: Array(text) + blanks(value.count - text.count))
    }
}

extension JSONPlaces {
    /// Whether an object is the mark of an erased row, however it is written.
    func isErased(_ object: Range<Int>) -> Bool {
        let members = members(of: object)
        return members.count == 1 && isName(members[0].name, "erased")
            && bytes[members[0].value].elementsEqual("true".utf8)
    }
}

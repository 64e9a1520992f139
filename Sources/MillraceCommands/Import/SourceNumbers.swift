internal import MillraceEvent

/// Numbers for ids that are UUIDs, where a pack's key is a number.
struct SourceNumbers {
    /// Of a UUID: always the same, whatever it is the id of, so that references lead to what they are references to.
    private let number: (UniqueID) -> Int64
    /// The UUIDs of the records so far, by event type and number.
    private var taken: [String: [Int64: UniqueID]] = [:]

    init(_ number: @escaping (UniqueID) -> Int64 = SourceNumbers.number) {
        self.number = number
    }

    /// 2^62 and above, which no sequence reaches: 62 bits of the UUID's hash.
    static func number(of id: UniqueID) -> Int64 {
        let hash = ContentIdentity.id(of: [Array("import id".utf8), id.bytes]).low
        return Int64(1 << 62 | hash & (1 << 62 - 1))
    }

    func callAsFunction(_ id: UniqueID) -> Int64 { number(id) }

    /// Notes a record; throws when another record has its number.
    mutating func take(_ id: UniqueID, _ eventType: String) throws(RecordRefusal) {
        let number = number(id)
        let other = taken[eventType, default: [:]].updateValue(id, forKey: number)
        guard let other, other != id else { return }
        taken[eventType]?[number] = other
        throw RecordRefusal("id_collision", "the number that stands for \(id) stands for \(other) already")
    }
}

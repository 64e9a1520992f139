import Foundation
import MillraceEvent
import MillraceTestSupport

/// A random stream for the packs: events of all their types in random order, with few keys and few times, so that they
/// meet; a part of them come twice, and a part of them late. Some ids come at several times, some numbers are no numbers.
///
/// What a type's payload may hold is learnt from the packs' examples (`seed.ndjson`): each field's value is one that an
/// example of the type has, so that values fit their columns without this file knowing them.
struct ProjectionStream: LineSource {
    private let lines: [[UInt8]]

    var count: Int { lines.count }

    /// `examples`: lines of NDJSON, events and conversation saves.
    init(examples: [String], count: Int, seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var templates = try Templates(examples)
        let now = Timestamp.now.microseconds / 1000
        var made: [[UInt8]] = []
        for index in 0..<count {
            // Times of whole minutes over forty days: many are equal, and then the id decides.
            let time = now - Int64.random(in: 1...57_600, using: &random) / 30 * 30 * 60_000
            let line = try templates.line(index: index, at: EventFactory.time(time), using: &random)
            made.append(line + [UInt8(ascii: "\n")])
        }
        let repeated = (0..<count / 8).map { _ in made[Int.random(in: 0..<count, using: &random)] }
        lines = (made + repeated).shuffled(using: &random)
    }

    func lines(_ range: Range<Int>) -> [UInt8] { lines[range].flatMap { $0 } }
}

extension ProjectionStream {
    /// The examples by type.
    private struct Templates {
        private typealias Object = [String: Any]

        private var types: [String] = []
        private var byType: [String: [Object]] = [:]
        private var users: [String] = []
        /// Of events that may come again at another time.
        private var ids: [String] = []
        private static let conversation = "conversation"
        /// Columns that are unique in a guide's table: rows fight for few values.
        private static let uniqueFields: Set<String> = ["email", "username", "idempotency_key", "token"]

        private static let numericFields: Set<String> = ["price", "total_amount", "unit_price", "progress"]

        init(_ examples: [String]) throws {
            for example in examples where !example.isEmpty {
                guard let object = try JSONSerialization.jsonObject(with: Data(example.utf8)) as? Object else {
                    throw TestSupportError(message: "no object: \(example)")
                }
                let type = object["event_type"] as? String ?? Self.conversation
                byType[type, default: []].append(object)
                if let user = object["user_id"] as? String { users.append(user) }
            }
            types = byType.keys.sorted()
        }

        mutating func line(index: Int, at time: String, using random: inout SeededGenerator) throws -> [UInt8] {
            guard let type = types.randomElement(using: &random), let examples = byType[type] else {
                throw TestSupportError(message: "there are no examples")
            }
            var object: Object = [:]
            if type == Self.conversation {
                object = examples.randomElement(using: &random) ?? [:]
                object["conversation_id"] = "c-\(Int.random(in: 0..<50, using: &random))"
                object["timestamp"] = time
                object["question"] = "question \(index)"
            } else {
                object["event_type"] = type
                object["created_at"] = time
                if ids.count < 20 || Int.random(in: 0..<10, using: &random) > 0 {
                    ids.append("\(EventFactory.uuid(random.next(), random.next(), version: 4))")
                    object["id"] = ids.last
                } else {
                    object["id"] = ids.randomElement(using: &random)
                }
                object["payload"] = payload(examples.compactMap { $0["payload"] as? Object }, using: &random)
            }
            if type == Self.conversation || Int.random(in: 0..<4, using: &random) > 0 {
                object["user_id"] = users.randomElement(using: &random)
            }
            return Array(try JSONSerialization.data(withJSONObject: object, options: .sortedKeys))
        }

        /// Each field from any of the examples, the key's fields too; sometimes a field is missing that some lack.
        private func payload(_ examples: [Object], using random: inout SeededGenerator) -> Object {
            var payload: Object = [:]
            let names = Set(examples.flatMap(\.keys)).sorted()
            for name in names {
                let holders = examples.filter { $0[name] != nil }
                if holders.count < examples.count, Bool.random(using: &random) { continue }
                payload[name] = holders.randomElement(using: &random)?[name]
            }
            for name in names where Self.numericFields.contains(name) && Int.random(in: 0..<20, using: &random) == 0 {
                payload[name] = ["NaN", " nan "].randomElement(using: &random)
            }
            for name in names where Self.uniqueFields.contains(name) && payload[name] != nil {
                payload[name] = "\(name)-\(Int.random(in: 0..<9, using: &random))@example.org"
            }
            return payload
        }
    }
}

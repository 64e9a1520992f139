/// Who holds which unique value, when all events of some entities are applied in their order: (created_at, id).
///
/// An event whose values are free, or its entity's own, becomes the entity's row. One that wants a value which another
/// entity holds waits, and the entity keeps the row that it had. When a value becomes free, the event that comes first of
/// those that wait is tried again; a newer event of an entity takes the place of the one that waits.
///
/// A pure function of the events, whatever the order in which they came. Its cost is that of sorting them.
struct UniqueContest {
    /// A value of one unique index: a hash of 128 bits, in which the index's number is.
    struct Value: Hashable {
        var high: Int64
        var low: Int64
    }

    /// Of one entity, as the events have left it.
    struct Standing: Equatable {
        /// The event that its row is made of; nil: it has no row.
        var row: Int?
        var waiting: Waiting?
    }

    /// Numbers of an event, of the unique index that it waits at (the first, if at several), and of the entity that holds
    /// the value.
    struct Waiting: Equatable {
        var event: Int
        var index: Int
        var holder: Int
    }

    private struct Event {
        var entity: Int
        /// One an index; nil: the row is not in that index.
        var values: [Value?]
    }

    private var events: [Event] = []
    private var rows: [Int?]
    private var waiting: [Int?]
    private var holders: [Value: Int] = [:]
    /// Events that wait for a value, each at one; those that wait no more are found out when their turn comes.
    private var queues: [Value: EventQueue] = [:]

    /// Entities have the numbers from 0 on.
    init(entityCount: Int) {
        rows = [Int?](repeating: nil, count: entityCount)
        waiting = rows
    }

    /// Applies the next event; its number is the count of those before it.
    mutating func apply(entity: Int, values: [Value?]) {
        events.append(Event(entity: entity, values: values))
        if let freed = admit(events.count - 1) { wake(freed) }
    }

    /// Of each entity.
    func standings() -> [Standing] {
        rows.indices.map { entity in
            var standing = Standing(row: rows[entity], waiting: nil)
            if let event = waiting[entity], let (index, holder) = conflict(of: event) {
                standing.waiting = Waiting(event: event, index: index, holder: holder)
            }
            return standing
        }
    }

    /// Returns the values that the entity has let go, nil when the event waits.
    private mutating func admit(_ event: Int) -> [Value]? {
        let entity = events[event].entity
        if let (index, _) = conflict(of: event), let value = events[event].values[index] {
            waiting[entity] = event
            queues[value, default: EventQueue()].insert(event)
            return nil
        }
        let own = Set(events[event].values.compactMap { $0 })
        let former = rows[entity].map { events[$0].values.compactMap { $0 } } ?? []
        let freed = former.filter { !own.contains($0) }
        for value in freed { holders[value] = nil }
        for value in own { holders[value] = entity }
        rows[entity] = event
        waiting[entity] = nil
        return freed
    }

    private func conflict(of event: Int) -> (index: Int, holder: Int)? {
        for (index, value) in events[event].values.enumerated() {
            guard let value, let holder = holders[value], holder != events[event].entity else { continue }
            return (index, holder)
        }
        return nil
    }

    private mutating func wake(_ freed: [Value]) {
        var free = freed
        while true {
            free.removeAll { holders[$0] != nil || queues[$0] == nil }
            var next: (event: Int, value: Value)?
            for value in free {
                guard let first = queues[value]?.first, next.map({ first < $0.event }) ?? true else { continue }
                next = (first, value)
            }
            guard let next else { return }
            queues[next.value]?.removeFirst()
            if queues[next.value]?.first == nil { queues[next.value] = nil }
            guard waiting[events[next.event].entity] == next.event else { continue }
            free += admit(next.event) ?? []
        }
    }
}

/// Numbers, the smallest first: a binary heap.
private struct EventQueue {
    private var heap: [Int] = []

    var first: Int? { heap.first }

    mutating func insert(_ event: Int) {
        heap.append(event)
        var at = heap.count - 1
        while at > 0, heap[at] < heap[(at - 1) / 2] {
            heap.swapAt(at, (at - 1) / 2)
            at = (at - 1) / 2
        }
    }

    mutating func removeFirst() {
        guard let last = heap.popLast(), !heap.isEmpty else { return }
        heap[0] = last
        var at = 0
        while true {
            var least = at
            for child in [2 * at + 1, 2 * at + 2] where child < heap.count && heap[child] < heap[least] {
                least = child
            }
            guard least != at else { return }
            heap.swapAt(at, least)
            at = least
        }
    }
}

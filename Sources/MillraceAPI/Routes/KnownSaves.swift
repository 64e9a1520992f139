package import MillraceEvent
internal import Synchronization

/// Whose the latest conversation saves are that came with their time, by the id that they have; the oldest are forgotten.
/// So a save that is only in the spool is known. Safe to call from many threads.
package final class KnownSaves: Sendable {
    package typealias Save = (id: UniqueID, user: UniqueID)

    /// How a save stands to the known ones.
    enum Standing {
        case unknown
        case same
        /// Another user's.
        case conflict
    }

    private struct State {
        var users: [UniqueID: UniqueID] = [:]
        /// In the order in which they came, from `oldest` on around.
        var order: [UniqueID] = []
        var oldest = 0
    }

    private let savesMax: Int
    private let keep: @Sendable (Save) async -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - savesMax: how many are known at most.
    ///   - saves: known from before, the oldest first.
    ///   - keep: remembers a save beyond the end of this process.
    package init(savesMax: Int, saves: [Save] = [], keep: @escaping @Sendable (Save) async -> Void = { _ in }) {
        self.savesMax = savesMax
        self.keep = keep
        for save in saves { _ = enter(save) }
    }

    /// How `save` stands; one that is unknown is known from now on.
    func enter(_ save: Save) -> Standing {
        state.withLock { state in
            if let user = state.users[save.id] { return user == save.user ? .same : .conflict }
            if state.order.count < savesMax {
                state.order.append(save.id)
            } else {
                state.users[state.order[state.oldest]] = nil
                state.order[state.oldest] = save.id
                state.oldest = (state.oldest + 1) % savesMax
            }
            state.users[save.id] = save.user
            return .unknown
        }
    }

    /// The save that was entered was not taken.
    func forget(_ save: Save) {
        state.withLock { $0.users[save.id] = nil }
    }

    /// Forgets whose the saves of these users are.
    package func forget(_ users: Set<UniqueID>) {
        state.withLock { state in
            for (id, user) in state.users where users.contains(user) { state.users[id] = nil }
        }
    }

    /// The save that was entered is durable.
    func taken(_ save: Save) async {
        await keep(save)
    }
}

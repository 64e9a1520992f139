internal import Synchronization

/// What each address has open and has used: of those that have something open, and of the last ones that had. Bounded: of
/// addresses beyond `addressesMax` those that have nothing open are forgotten, the oldest first.
package final class AddressTable: Sendable {
    /// Two generations: an address that comes again moves to the new one, and the old one goes once the new one is full.
    private struct State {
        var recent: [ClientAddress: AddressUse] = [:]
        var older: [ClientAddress: AddressUse] = [:]
    }

    private let addressesMax: Int
    private let state = Mutex(State())

    package init(addressesMax: Int) {
        self.addressesMax = max(2, addressesMax)
    }

    package var count: Int { state.withLock { $0.recent.count + $0.older.count } }

    /// What `address` has open and has used. The same object while it has something open.
    package subscript(address: ClientAddress) -> AddressUse {
        state.withLock { state in
            if let use = state.recent[address] { return use }
            let use = state.older.removeValue(forKey: address) ?? AddressUse()
            state.recent[address] = use
            if state.recent.count > addressesMax / 2 {
                let open = state.older.filter { $0.value.isOpen }
                state.older = state.recent.merging(open) { recent, _ in recent }
                state.recent = [:]
            }
            return use
        }
    }
}

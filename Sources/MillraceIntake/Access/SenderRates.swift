internal import MillraceAccess

/// The rates that what one connection or request sends counts against: its key's and its address's.
struct SenderRates {
    private let grant: Grant?
    private let address: AddressUse?
    private let addressRate: Int

    /// Nil where there are none, so that nothing is counted.
    init?(grant: Grant?, address: AddressUse?, addressRate: Int) {
        let isAddressLimited = address != nil && addressRate > 0
        guard isAddressLimited || grant?.isLimited == true else { return nil }
        self.grant = grant
        self.address = isAddressLimited ? address : nil
        self.addressRate = addressRate
    }

    /// How long nothing more may be let in, and what is used up; nil where something may.
    func excess(now: UInt64 = IntakeAccess.now) -> AccessRefusal? {
        if let wait = grant?.wait(now: now), wait > .zero { return .rateLimited("this key's rate", wait: wait) }
        let wait = address?.wait(perSecond: addressRate, now: now) ?? .zero
        return wait > .zero ? .rateLimited("the rate of this address", wait: wait) : nil
    }

    /// Counts what was let in.
    func take(events: Int, bytes: Int, now: UInt64 = IntakeAccess.now) {
        grant?.take(events: events, bytes: bytes, now: now)
        address?.take(events, perSecond: addressRate, now: now)
    }
}

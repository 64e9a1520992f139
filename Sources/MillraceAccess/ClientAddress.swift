/// Where a client comes from, as limits go by it: an IPv4 address, or the first 64 bits of one of IPv6, since a client has
/// all that begin like its own.
package struct ClientAddress: Sendable, Hashable {
    /// In network order; an IPv4 address as IPv6 writes it (`::ffff:192.0.2.1`).
    private let high: UInt64
    private let low: UInt64
    /// Of this machine.
    package let isLoopback: Bool

    /// `bytes`: 4 or 16, in network order; nil for another number.
    package init?(_ bytes: some Collection<UInt8>) {
        func number(_ bytes: some Sequence<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        switch bytes.count {
        case 4:
            self.init(v4: number(bytes))
        case 16:
            let (high, low) = (number(bytes.prefix(8)), number(bytes.suffix(8)))
            if high == 0, low >> 32 == 0xFFFF {
                self.init(v4: low & 0xFFFF_FFFF)
            } else {
                self.init(high: high, low: 0, isLoopback: high == 0 && low == 1)
            }
        default: return nil
        }
    }

    private init(v4 address: UInt64) {
        self.init(high: 0, low: 0xFFFF << 32 | address, isLoopback: address >> 24 == 127)
    }

    private init(high: UInt64, low: UInt64, isLoopback: Bool) {
        self.high = high
        self.low = low
        self.isLoopback = isLoopback
    }
}

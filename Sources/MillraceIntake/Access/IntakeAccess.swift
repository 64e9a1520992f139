internal import Logging
package import MillraceAccess
internal import MillraceEvent
package import MillraceTelemetry
internal import NIOCore

/// Who is let in, and how much of whom: what all listeners share.
package final class IntakeAccess: Sendable {
    package let keyRing: KeyRing
    package let limits: Live<AccessLimits>
    package let auth: Live<AuthConfiguration>
    let addresses: AddressTable
    private let failed = FailedAuthentications()

    package init(
        keyRing: KeyRing = KeyRing(isRequired: false), limits: Live<AccessLimits> = Live(AccessLimits()),
        auth: Live<AuthConfiguration> = Live(AuthConfiguration())
    ) {
        self.keyRing = keyRing
        self.limits = limits
        self.auth = auth
        addresses = AddressTable(addressesMax: limits.value.addressesMax)
    }

    /// What limits go by for a connection from `address`; nil where it has none.
    func use(of address: SocketAddress?) -> AddressUse? {
        guard let address = address?.clientAddress, !address.isLoopback || limits.value.addressLoopback else {
            return nil
        }
        return addresses[address]
    }

    /// Counts a failed authentication and says how long its answer waits; nil: too many wait, so that it gets none.
    func authenticationFailed(from address: AddressUse?) -> FailedAuthentications.Wait? {
        failed.failed(from: address, auth.value, now: Self.now)
    }

    /// The grant that an open connection goes on with; nil where its key may no longer write.
    func renewed(_ grant: Grant, clientSubject: String?) -> Grant? {
        guard grant.isEnded else { return grant }
        let renewed = keyRing.renewed(grant, clientSubject: clientSubject, at: .now)
        return renewed.flatMap { $0.record.scopes.allow(.write) ? $0 : nil }
    }

    /// Nanoseconds of a clock that never goes back: of all rates.
    package static var now: UInt64 { NIODeadline.now().uptimeNanoseconds }
}

extension SocketAddress {
    /// Nil for a Unix socket.
    fileprivate var clientAddress: ClientAddress? {
        switch self {
        // Where `sockaddr_in` and `sockaddr_in6` have it.
        case .v4(let address): withUnsafeBytes(of: address.address) { ClientAddress($0[4..<8]) }
        case .v6(let address): withUnsafeBytes(of: address.address) { ClientAddress($0[8..<24]) }
        case .unixDomainSocket: nil
        }
    }
}

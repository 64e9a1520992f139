internal import MillraceAccess
internal import MillraceEvent
internal import MillraceTelemetry
internal import NIOCore

/// Who sends on one TCP connection, and what it counts against.
struct TCPAccess {
    private let shared: IntakeAccess
    /// Nil where no limits go by it.
    let address: AddressUse?
    /// Of the connection's verified client certificate.
    private let clientSubject: String?
    /// Nil where no key is wanted.
    private(set) var grant: Grant?
    private(set) var rates: SenderRates?
    /// Among the connections of its address, and of its key.
    private var places: [OpenPlace] = []
    /// Its first line was let in.
    private var isIn = false

    init(_ shared: IntakeAccess, remote: SocketAddress?, clientSubject: String?) {
        self.shared = shared
        address = shared.use(of: remote)
        self.clientSubject = clientSubject
    }

    /// What the connection's records have.
    var tenant: Int32 { grant?.tenant ?? 0 }

    /// Its place in the record channel.
    var lane: UInt64 { grant?.use.lane ?? 0 }

    /// False when its address has too many connections.
    mutating func enterAddress() -> Bool {
        guard let address else { return true }
        guard let place = address.connections.enter(max: shared.limits.value.addressConnectionsMax) else {
            return false
        }
        places.append(place)
        return true
    }

    /// Its first line came. Throws why it is not let in.
    mutating func enter(_ line: TCPFirstLine) throws(AccessRefusal) {
        var key: String?
        switch line {
        case .event: break
        case .greeting(let greeting): key = greeting.key
        case .invalidGreeting, .httpRequest, .tlsHello: return
        }
        let verdict = shared.keyRing.verdict(
            on: Credentials(greetingKey: key), wanting: .write, clientSubject: clientSubject, at: .now)
        switch verdict {
        case .open: setRates()
        case .refused(let refusal): throw refusal
        case .granted(let grant):
            guard let place = grant.use.connections.enter(max: shared.limits.value.keyConnectionsMax) else {
                throw .rateLimited("limits.key_connections_max")
            }
            places.append(place)
            self.grant = grant
            setRates()
        }
        isIn = true
    }

    /// Asks again where the key has ended, or where the first key was made since. Returns whether the grant is another one;
    /// throws where the connection must end.
    mutating func renew() throws(AccessRefusal) -> Bool {
        guard isIn else { return false }
        guard let grant else {
            if shared.keyRing.wantsKeys { throw .unauthenticated }
            return false
        }
        guard grant.isEnded else { return false }
        guard let renewed = shared.renewed(grant, clientSubject: clientSubject) else { throw .unauthenticated }
        self.grant = renewed
        setRates()
        return true
    }

    private mutating func setRates() {
        rates = SenderRates(grant: grant, address: address, addressRate: shared.limits.value.addressRate)
    }

    /// Other limits are in force: its rates follow, what it has open stays.
    mutating func limitsChanged() {
        if isIn { setRates() }
    }

    /// The connection is gone.
    mutating func leave() {
        places = []
    }
}

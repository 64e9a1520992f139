internal import MillraceAccess
internal import MillraceEvent
internal import MillraceRoutes
internal import MillraceTelemetry
internal import NIOCore

/// Decides by a request's head who sends it, and whether its key and its address may send more.
struct HTTPAccess {
    /// Who was let in; what the request counts against stays counted while this is held.
    struct Entry {
        var grant: Grant?
        var rates: SenderRates?
        fileprivate(set) var places: [OpenPlace] = []
    }

    let shared: IntakeAccess
    /// Nil where no limits go by it.
    let address: AddressUse?
    /// Of the connection's verified client certificate.
    let clientSubject: String?

    /// Who sends nothing but what is let in without a key, and whom nobody counts.
    private var isUnlimited: Bool { !shared.keyRing.wantsKeys && address == nil }

    /// Throws why the request is not let in. Requests of other routes than events are let in by those, whatever their
    /// credentials; a key in force is counted here for all of them.
    func entry(_ fields: HTTPRequestFields, to route: HTTPRoute) throws(AccessRefusal) -> Entry {
        guard !isUnlimited, !route.isProbe else { return Entry() }
        let limits = shared.limits.value
        var entry = Entry()
        if let address {
            guard let place = address.requests.enter(max: limits.addressRequestsMax) else {
                throw .rateLimited("limits.address_requests_max")
            }
            entry.places.append(place)
        }
        entry.grant = try grant(fields, route)
        if let grant = entry.grant {
            guard let place = grant.use.requests.enter(max: limits.keyRequestsMax) else {
                throw .rateLimited("limits.key_requests_max")
            }
            entry.places.append(place)
        }
        entry.rates = SenderRates(
            grant: route.isSending ? entry.grant : nil, address: address, addressRate: limits.addressRate)
        if let excess = entry.rates?.excess() { throw excess }
        // Of other routes each request is one; their bodies' bytes are counted where those are read.
        if route != .events { entry.rates?.take(events: 1, bytes: 0) }
        return entry
    }

    private func grant(_ fields: HTTPRequestFields, _ route: HTTPRoute) throws(AccessRefusal) -> Grant? {
        guard shared.keyRing.wantsKeys else { return nil }
        let credentials = Credentials(authorization: fields.authorizations)
        guard route == .events else {
            guard case .key(let text) = credentials else { return nil }
            return shared.keyRing.grant(for: text, clientSubject: clientSubject, at: .now)
        }
        switch shared.keyRing.verdict(on: credentials, wanting: .write, clientSubject: clientSubject, at: .now) {
        case .open: return nil
        case .granted(let grant): return grant
        case .refused(let refusal): throw refusal
        }
    }
}

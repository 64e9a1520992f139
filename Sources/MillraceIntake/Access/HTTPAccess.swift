internal import MillraceAccess
internal import MillraceDialects
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
        /// A key is wanted, and may be in the body.
        fileprivate(set) var awaitsKey = false
        /// What the key is to let send.
        fileprivate var page: ForeignPage?
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
    ///
    /// - Parameters:
    ///   - dialect: of a request in one, whose key may be in the body.
    ///   - queryKey: the key in the query, where it may be.
    ///   - page: that sends the request.
    func entry(
        _ fields: HTTPRequestFields, to route: HTTPRoute, dialect: DialectRequest? = nil, queryKey: String? = nil,
        page: ForeignPage? = nil
    ) throws(AccessRefusal) -> Entry {
        guard !isUnlimited, !route.isProbe else {
            try admit(page, by: nil)
            return Entry()
        }
        var entry = Entry()
        entry.page = page
        if let address {
            guard let place = address.requests.enter(max: shared.limits.value.addressRequestsMax) else {
                throw .rateLimited("limits.address_requests_max")
            }
            entry.places.append(place)
        }
        let credentials = credentials(fields, dialect, queryKey)
        if credentials == .none, dialect?.mayHoldKey == true, shared.keyRing.wantsKeys {
            entry.awaitsKey = true
        } else {
            entry.grant = try grant(credentials, route)
            try admit(page, by: entry.grant)
        }
        try count(&entry, on: route)
        // Of other routes each request is one; their bodies' bytes are counted where those are read.
        if !route.takesLines { entry.rates?.take(events: 1, bytes: 0) }
        return entry
    }

    /// The same once the body's key is known; nil: there was none.
    func entry(_ entry: Entry, key: String?, to route: HTTPRoute) throws(AccessRefusal) -> Entry {
        var entry = entry
        entry.awaitsKey = false
        entry.grant = try grant(key.map { .key($0) } ?? .none, route)
        try admit(entry.page, by: entry.grant)
        try count(&entry, on: route)
        return entry
    }

    /// Lets in what a page of another origin sends: by a key that has the origin, or, while no key is wanted, by the settings.
    private func admit(_ page: ForeignPage?, by grant: Grant?) throws(AccessRefusal) {
        guard let page, !isAllowed(page, { grant?.origins.contains($0) ?? false }) else { return }
        throw .forbiddenOrigin
    }

    /// Whether answers may be read by the page, and what it asks before it sends is to be answered: some key lets it send.
    func mayAnswer(_ page: ForeignPage) -> Bool { isAllowed(page) { shared.keyRing.allowsPages(of: $0) } }

    private func isAllowed(_ page: ForeignPage, _ hasOrigin: (String) -> Bool) -> Bool {
        shared.keyRing.wantsKeys ? page.origin.map(hasOrigin) ?? false : page.isListed
    }

    private func count(_ entry: inout Entry, on route: HTTPRoute) throws(AccessRefusal) {
        let limits = shared.limits.value
        if let grant = entry.grant {
            guard let place = grant.use.requests.enter(max: limits.keyRequestsMax) else {
                throw .rateLimited("limits.key_requests_max")
            }
            entry.places.append(place)
        }
        entry.rates = SenderRates(
            grant: route.isSending ? entry.grant : nil, address: address, addressRate: limits.addressRate)
        if let excess = entry.rates?.excess() { throw excess }
    }

    /// In a dialect, what is no key of Millrace's in the header does not keep one elsewhere from being looked at.
    private func credentials(
        _ fields: HTTPRequestFields, _ dialect: DialectRequest?, _ queryKey: String?
    ) -> Credentials {
        let credentials = Credentials(authorization: fields.authorizations)
        if case .key = credentials { return credentials }
        if let queryKey, dialect != nil || credentials == .none { return .key(queryKey) }
        return dialect?.mayHoldKey == true ? .none : credentials
    }

    private func grant(_ credentials: Credentials, _ route: HTTPRoute) throws(AccessRefusal) -> Grant? {
        guard shared.keyRing.wantsKeys else { return nil }
        guard route.takesLines else {
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

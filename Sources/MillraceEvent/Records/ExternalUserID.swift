/// The `user_id` of a user whom a tenant knows by an id of its own.
package enum ExternalUserID {
    /// A text that is a UUID is that id. For any other it is a UUIDv5 (RFC 9562, SHA-1) in Millrace's namespace, of the
    /// tenant's number in decimal, a colon, and the id's UTF-8 as it is: the same one each time, and another for another
    /// tenant. Whoever has the tenant and the id can make it, so it hides neither.
    package static func id(of external: String, tenant: Int32) -> UniqueID {
        UniqueID(external) ?? UniqueID(named: Array("\(tenant):\(external)".utf8))
    }
}

/// The `id` of an event that its sender knows by an id of its own.
package enum ExternalEventID {
    /// The id of an event that is known by `parts` together: a UUIDv5 in Millrace's namespace, of the tenant's number in
    /// decimal, `:event`, and for each part a zero byte and its UTF-8. Unlike a user's, it may be a UUID without being that
    /// id; who wants that looks first.
    package static func id(of parts: [String], tenant: Int32) -> UniqueID {
        UniqueID(named: parts.reduce(into: Array("\(tenant):event".utf8)) { $0 += [0] + Array($1.utf8) })
    }
}

/// `[auth]`.
package struct AuthConfiguration: Sendable, Equatable {
    /// Wanted of everyone from the start, before the first key is made.
    package var required = false
    /// `/metrics`, `/debug/…` and `/openapi.json` want no key over loopback and Unix sockets.
    package var openOperations = true
    /// How long the answer to a wrong key or token is held back.
    package var failureDelay = Duration.milliseconds(200)
    /// The same of an address that goes on failing.
    package var failureDelayMax = Duration.seconds(5)
    /// Such answers that wait at a time; further failures get none, and their connections are closed.
    package var failuresWaitingMax = 256
    /// The same of one address.
    package var addressFailuresWaitingMax = 32
    /// From one look at the keys in PostgreSQL to the next.
    package var refreshInterval = Duration.milliseconds(500)
    /// Keys in force that a database has at most.
    package var keysMax = 10_000
    /// Listeners that others reach may do without TLS: a proxy that ends it stands in front. Keys are wanted all the same.
    package var plaintextBehindProxy = false

    package init() {}
}

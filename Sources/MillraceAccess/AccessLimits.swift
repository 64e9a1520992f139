/// Of `[limits]`: what one address, or one key, may do. Zero: no limit.
package struct AccessLimits: Sendable, Equatable {
    /// Open connections of one address, over TCP and HTTP together.
    package var addressConnectionsMax = 512
    /// Requests of one address that are being read or answered.
    package var addressRequestsMax = 512
    /// Events that one address may send in a second, and other requests.
    package var addressRate = 0
    /// Whether loopback's addresses have these limits too; Unix sockets never have.
    package var addressLoopback = false
    /// Open TCP connections of one key.
    package var keyConnectionsMax = 512
    /// Requests of one key that are being read or answered.
    package var keyRequestsMax = 512
    /// Addresses without anything open whose use is remembered.
    package var addressesMax = 16_384

    package init() {}
}

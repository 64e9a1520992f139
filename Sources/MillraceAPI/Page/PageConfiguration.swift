/// `[page]`: the operators' page at `/`.
package struct PageConfiguration: Sendable, Equatable {
    /// False: `/` and all that belongs to it is 404.
    package var enabled = true
    /// How long a login opens what its key does.
    package var sessionLifetime = Duration.seconds(12 * 3600)
    /// Logins at the same time; one more ends the oldest of its key, or else the oldest.
    package var sessionsMax = 100

    package init() {}
}

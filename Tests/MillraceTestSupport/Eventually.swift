internal import Glibc

/// Blocks until `condition` holds; false when it does not within `limit`. Looks every few milliseconds at first, and less
/// often later: a look may be a session of PostgreSQL, and others want the processor.
package func eventually(within limit: Duration = .seconds(60), _ condition: () throws -> Bool) rethrows -> Bool {
    let end = ContinuousClock.now.advanced(by: limit)
    var pause: UInt32 = 2000
    while true {
        if try condition() { return true }
        if ContinuousClock.now >= end { return false }
        usleep(pause)
        pause = min(pause * 5 / 4, 20_000)
    }
}

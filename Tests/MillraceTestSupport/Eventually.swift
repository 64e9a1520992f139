internal import Glibc

/// Blocks until `condition` holds, looking every few milliseconds; false when it does not within `limit`.
package func eventually(within limit: Duration = .seconds(20), _ condition: () throws -> Bool) rethrows -> Bool {
    let end = ContinuousClock.now.advanced(by: limit)
    while true {
        if try condition() { return true }
        if ContinuousClock.now >= end { return false }
        usleep(5000)
    }
}

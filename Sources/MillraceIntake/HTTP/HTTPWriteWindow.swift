/// What a client took of its answers since that was last looked at.
struct HTTPWriteWindow {
    private var sentBytes = 0

    /// True when more went out than at the last look; `total`: all that ever went out.
    mutating func hasMoved(to total: Int) -> Bool {
        defer { sentBytes = total }
        return total > sentBytes
    }
}

/// Those who wait for a notice of the state machine, by the ticket of their call.
struct Waiters {
    enum Waiter {
        case receipt(CheckedContinuation<MillraceClient.Receipt, any Error>)
        case room(CheckedContinuation<Void, any Error>)
        case flush(CheckedContinuation<MillraceClient.FlushReport, any Error>)

        /// What was waited for will not come.
        func fail(_ error: any Error) {
            switch self {
            case .receipt(let waiter): waiter.resume(throwing: error)
            case .room(let waiter): waiter.resume(throwing: error)
            case .flush(let waiter): waiter.resume(throwing: error)
            }
        }
    }

    /// One that is told something, once the lock is given back.
    typealias Resumption = @Sendable () -> Void

    private var waiters: [Int: Waiter] = [:]
    private var lastTicket = 0

    mutating func nextTicket() -> Int {
        lastTicket += 1
        return lastTicket
    }

    mutating func add(_ waiter: Waiter, ticket: Int) {
        waiters[ticket] = waiter
    }

    mutating func remove(ticket: Int) -> Waiter? { waiters.removeValue(forKey: ticket) }

    /// What a notice with a ticket means for who has it; nil for other notices, and where nobody waits any more.
    mutating func resumption(for notice: DeliveryNotice) -> Resumption? {
        switch notice {
        case .settled(let ticket, let receipt):
            guard case .receipt(let waiter) = remove(ticket: ticket) else { return nil }
            return { waiter.resume(returning: receipt) }
        case .admitted(let ticket):
            guard case .room(let waiter) = remove(ticket: ticket) else { return nil }
            return { waiter.resume() }
        case .flushed(let ticket, let report):
            guard case .flush(let waiter) = remove(ticket: ticket) else { return nil }
            return { waiter.resume(returning: report) }
        case .failed(let ticket, let error):
            guard let waiter = remove(ticket: ticket) else { return nil }
            return { waiter.fail(error) }
        case .refused, .limited: return nil
        }
    }
}

/// Why a request gets no connection. Raw value = metric tag = `error.code` of the 503.
package enum ReadRefusal: String, Error, Sendable, CaseIterable {
    case tooManyReaders = "too_many_readers"
    case acquireTimeout = "no_connection_in_time"
    case draining

    var message: String {
        switch self {
        case .tooManyReaders: "every connection is busy and the queue is full (api.waiting_max); try later"
        case .acquireTimeout: "no connection became free in api.acquire_timeout; try later"
        case .draining: "the daemon is stopping"
        }
    }
}

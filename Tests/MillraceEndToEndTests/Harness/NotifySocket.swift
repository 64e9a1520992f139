import Glibc
import MillraceTestSupport

/// The service manager's end of NOTIFY_SOCKET.
final class NotifySocket {
    let path: String
    private let descriptor: Int32
    /// All assignments so far, in order.
    private(set) var messages: [String] = []

    init(directory: String) throws {
        path = directory + "/notify.sock"
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        let descriptor = descriptor
        guard Endpoint.unix(path).withAddress({ bind(descriptor, $0, $1) }) == 0 else {
            throw TestSupportError(message: "no socket at \(path): \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    /// Waits until `message` has come `count` times.
    func wait(for message: String, count: Int = 1, within limit: Duration = .seconds(30)) -> Bool {
        eventually(within: limit) {
            receive()
            return messages.count { $0 == message || $0.hasPrefix(message + "=") } >= count
        }
    }

    private func receive() {
        var bytes = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(descriptor, &bytes, bytes.count, 0)
            guard count > 0 else { return }
            messages += String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n").map { String($0) }
        }
    }
}

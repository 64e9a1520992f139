/// This machine, as addresses and URLs name it.
package enum Loopback {
    /// `host`: in lower case, without brackets and port.
    package static func hasName(_ host: some StringProtocol) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return host == "localhost" || host == "::1"
            || parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}

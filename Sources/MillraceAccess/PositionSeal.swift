internal import Crypto
internal import FoundationEssentials
package import MillraceEvent

/// Which lines an acknowledgement covers: a run of sequences of one spool, where lines of other senders may lie between.
package struct AckPosition: Sendable, Equatable {
    package var spool: UniqueID
    /// Of the spool; not empty.
    package var sequences: ClosedRange<UInt64>

    package init(spool: UniqueID, sequences: ClosedRange<UInt64>) {
        self.spool = spool
        self.sequences = sequences
    }
}

/// Makes text of positions for their senders, and positions of that text.
///
/// The text is encrypted and bound to the tenant: sequences number the lines of all tenants, so that two of them would tell
/// how much others send, and whoever could make one up could ask what is committed of others.
///
/// base64url of: 12 bytes of nonce, 32 encrypted bytes (the spool's id, the first sequence, the last one, each in network
/// order), 16 bytes of authentication (AES-256-GCM).
package struct PositionSeal: Sendable {
    private static let plainBytes = 32
    /// Of the text, in bytes.
    package static let textBytes = (12 + plainBytes + 16) / 3 * 4

    private let spool: UniqueID
    private let key: SymmetricKey

    /// `spool`: of this daemon. `key`: 32 bytes, the same for daemons that are to read each other's positions.
    package init(spool: UniqueID, key: [UInt8]) {
        precondition(key.count == 32, "AES-256 takes a key of 32 bytes")
        self.spool = spool
        self.key = SymmetricKey(data: key)
    }

    /// For the sender of lines with these sequences of this daemon's spool.
    package func text(_ sequences: ClosedRange<UInt64>, tenant: Int32) -> String {
        var plain: [UInt8] = []
        for number in [spool.high, spool.low, sequences.lowerBound, sequences.upperBound] {
            withUnsafeBytes(of: number.bigEndian) { plain += $0 }
        }
        guard let box = try? AES.GCM.seal(plain, using: key, authenticating: Self.context(tenant)),
            let combined = box.combined
        else { preconditionFailure("AES-GCM takes any 32 bytes") }
        return String(decoding: Base64URL.text(combined), as: UTF8.self)
    }

    /// nil for what no daemon with this key has given to this tenant.
    package func position(_ text: String, tenant: Int32) -> AckPosition? {
        guard text.utf8.count == Self.textBytes, !text.contains(where: { $0 == "+" || $0 == "/" }),
            let data = Base64URL.bytes(text.utf8),
            let box = try? AES.GCM.SealedBox(combined: data),
            let plain = try? AES.GCM.open(box, using: key, authenticating: Self.context(tenant)),
            plain.count == Self.plainBytes
        else { return nil }
        let numbers = stride(from: 0, to: Self.plainBytes, by: 8).map { start in
            plain.dropFirst(start).prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        guard numbers[2] <= numbers[3], numbers[3] <= UInt64(Int64.max) else { return nil }
        return AckPosition(
            spool: UniqueID(high: numbers[0], low: numbers[1]), sequences: numbers[2]...numbers[3])
    }

    private static func context(_ tenant: Int32) -> [UInt8] { Array("millrace position 1\0\(tenant)".utf8) }
}

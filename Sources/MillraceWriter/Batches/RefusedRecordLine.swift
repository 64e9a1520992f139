import FoundationEssentials
import MillraceEvent

/// A line of a `refused` record, as the intake wrote it.
struct RefusedRecordLine: Decodable {
    var code: String
    var message: String
    var peer: String?
    var line: String

    /// Dead letters for every line of a `refused` record.
    static func letters(in payload: UnsafeRawBufferPointer, header: RecordHeader) -> [DeadLetter] {
        let decoder = JSONDecoder()
        let lines = payload.split(separator: UInt8(ascii: "\n"))
        return lines.enumerated().map { index, bytes in
            let refused = try? decoder.decode(RefusedRecordLine.self, from: Data(bytes))
            let origin = refused?.peer.map { " (from \($0))" } ?? ""
            return DeadLetter(
                sequence: header.firstSequence + UInt64(index), kind: .refused, tenant: header.tenant,
                code: refused?.code ?? RefusalCode.invalidJSON.rawValue, message: (refused?.message ?? "") + origin,
                line: refused?.line ?? String(decoding: bytes, as: UTF8.self), receivedAt: header.receivedAt,
                peer: refused?.peer
            )
        }
    }
}

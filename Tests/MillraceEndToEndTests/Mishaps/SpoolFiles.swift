import FoundationEssentials
import MillraceEvent
import MillraceTestSupport

/// What tests do to a daemon's spool directory while it does not run.
struct SpoolFiles {
    let directory: String

    init(of daemon: DaemonProcess) {
        directory = daemon.directory + "/spool"
    }

    /// Paths, ascending by number.
    var segments: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.filter { $0.hasSuffix(".seg") }.sorted().map { "\(directory)/\($0)" }
    }

    func copy(to path: String) throws {
        try? FileManager.default.removeItem(atPath: path)
        try FileManager.default.copyItem(atPath: directory, toPath: path)
    }

    /// Puts a copy in the place of what is there.
    func restore(from path: String) throws {
        try FileManager.default.removeItem(atPath: directory)
        try FileManager.default.copyItem(atPath: path, toPath: directory)
    }

    /// Changes the bytes of a segment; `change` gets those that hold something.
    func edit(_ segment: String, _ change: (inout [UInt8]) -> Void) throws {
        var bytes = TextFile.bytes(segment)
        while bytes.last == 0 { bytes.removeLast() }
        change(&bytes)
        try TextFile.write(bytes, to: segment)
    }
}

extension SpoolFiles {
    /// Puts other lines of as many bytes into the place of a record's; `lines`: nil leaves the record as it is.
    func replaceRecords(_ lines: ([String]) -> [String]?) throws {
        for segment in segments {
            try edit(segment) { bytes in
                var at = 0
                while at + RecordHeader.byteCount <= bytes.count {
                    let header = bytes.withUnsafeBytes {
                        RecordHeader(decoding: UnsafeRawBufferPointer(rebasing: $0[at...]))
                    }
                    guard let header else {
                        at += 8
                        continue
                    }
                    let payload = at + RecordHeader.byteCount..<at + RecordHeader.byteCount + header.payloadBytes
                    let text = String(decoding: bytes[payload], as: UTF8.self)
                    if let other = lines(text.split(separator: "\n").map(String.init)) {
                        let record = Record(
                            kind: header.kind, tenant: header.tenant, receivedAt: header.receivedAt, count: other.count,
                            bytes: Array((other.joined(separator: "\n") + "\n").utf8))
                        precondition(record.bytes.count == payload.count, "the lines are as long as those before")
                        bytes.replaceSubrange(payload, with: record.bytes)
                        bytes.withUnsafeMutableBytes {
                            RecordHeader(of: record, firstSequence: header.firstSequence).encode(
                                into: UnsafeMutableRawBufferPointer(rebasing: $0[at..<payload.lowerBound]))
                        }
                    }
                    at = payload.upperBound
                }
            }
        }
    }
}

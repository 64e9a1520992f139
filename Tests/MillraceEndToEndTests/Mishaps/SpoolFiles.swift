import FoundationEssentials
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

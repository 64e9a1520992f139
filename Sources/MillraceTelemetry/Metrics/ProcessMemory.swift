internal import Glibc

/// Memory of this process.
package enum ProcessMemory {
    /// Resident bytes, from `/proc/self/statm`; nil where there is none.
    package static func residentBytes() -> Int? {
        let descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) { buffer in
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            guard count > 0 else { return nil }
            let fields = String(decoding: buffer[..<count], as: UTF8.self).split(separator: " ")
            guard fields.count > 1, let pages = Int(fields[1]) else { return nil }
            return pages * Int(getpagesize())
        }
    }

    /// Gives back the pages of code, to be called after rare work: code that runs again comes back from the page cache.
    /// The binary has everything linked in; some 20 MiB of it are resident after a start, most of it never needed
    /// again. Reads `/proc/self/maps`; does nothing where there is none.
    package static func releaseCode() {
        guard let maps = contents(of: "/proc/self/maps") else { return }
        for line in maps.split(separator: UInt8(ascii: "\n")) {
            // 55d0c8a00000-55d0cb2db000 r-xp 00000000 fe:00 1234    /usr/bin/millrace
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5, omittingEmptySubsequences: true)
            guard fields.count == 6, fields[1].elementsEqual("r-xp".utf8), fields[5].contains(UInt8(ascii: "/"))
            else { continue }
            let bounds = fields[0].split(separator: UInt8(ascii: "-"))
            guard let start = UInt(String(decoding: bounds[0], as: UTF8.self), radix: 16),
                let end = UInt(String(decoding: bounds[1], as: UTF8.self), radix: 16)
            else { continue }
            // Nobody has written to these pages, so the file still has their contents.
            madvise(UnsafeMutableRawPointer(bitPattern: start), Int(end - start), MADV_DONTNEED)
        }
    }

    private static func contents(of path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        return withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 1) { buffer in
            while true {
                let count = read(descriptor, buffer.baseAddress, buffer.count)
                guard count >= 0 else { return nil }
                guard count > 0 else { return bytes }
                bytes += buffer[..<count]
            }
        }
    }
}

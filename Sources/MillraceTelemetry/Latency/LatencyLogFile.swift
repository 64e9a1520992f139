internal import Glibc

/// `[latency]`.
package struct LatencyConfiguration: Sendable, Equatable {
    /// A file; a relative path begins in the data directory. Empty: there is none.
    package var log = ""
    package var logInterval = Duration.seconds(10)
    /// A file that would grow beyond is rotated first.
    package var logBytesMax = 64 << 20
    /// Rotated files that are kept.
    package var logFiles = 4

    package init() {}
}

/// `latency.log`: an HdrHistogram log that grows by intervals and is rotated. Every call blocks on the disk; confined to
/// one thread.
///
/// Beside it lie `latency.log.1` (the newest) … `.n`. An interval is whole in one file; each file begins with the log's
/// header, so that each can be read alone. When something else moved or removed the file, a new one is begun.
package final class LatencyLogFile {
    private let path: String
    private let bytesMax: Int
    private let rotatedMax: Int
    private struct File {
        var descriptor: Int32
        var bytes: Int
        /// Goes in front of the next line: nothing, or a header, after a line break if the last line is torn.
        var missing: String
    }

    private var file: File?

    /// `bytesMax`: a file that would grow beyond is rotated first. `rotatedMax`: rotated files that are kept.
    package init(path: String, bytesMax: Int, rotatedMax: Int) {
        self.path = path
        self.bytesMax = bytesMax
        self.rotatedMax = rotatedMax
    }

    deinit {
        close()
    }

    /// Appends `lines` (of one interval, each with its line ending), all or nothing: after an error the file is as it was
    /// and the same lines may be tried again.
    package func append(_ lines: String, startedAt: Duration) throws(LatencyLogError) {
        if let file, !isInPlace(file.descriptor) { close() }
        var target: File
        if let file { target = file } else { target = try open(startedAt: startedAt) }
        if target.bytes > 0, target.bytes + target.missing.utf8.count + lines.utf8.count > bytesMax {
            file = target
            close()
            try rotate()
            target = try open(startedAt: startedAt)
        }
        file = target
        let text = target.missing + lines
        do throws(LatencyLogError) {
            try write(text, to: target.descriptor)
        } catch {
            ftruncate(target.descriptor, off_t(target.bytes))
            throw error
        }
        file = File(descriptor: target.descriptor, bytes: target.bytes + text.utf8.count, missing: "")
    }

    /// Closes the file; what was appended is handed to the disk.
    package func close() {
        guard let file else { return }
        fdatasync(file.descriptor)
        Glibc.close(file.descriptor)
        self.file = nil
    }

    /// Whether the path still names the open file.
    private func isInPlace(_ descriptor: Int32) -> Bool {
        var open = stat()
        var named = stat()
        return fstat(descriptor, &open) == 0 && stat(path, &named) == 0 && open.st_ino == named.st_ino
            && open.st_dev == named.st_dev
    }

    /// Goes on with a file that is there: a new header goes in first, and a line break if the last line is torn.
    private func open(startedAt: Duration) throws(LatencyLogError) -> File {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw LatencyLogError("open", path) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let error = LatencyLogError("read", path)
            Glibc.close(descriptor)
            throw error
        }
        var last = UInt8(ascii: "\n")
        if status.st_size > 0 { pread(descriptor, &last, 1, status.st_size - 1) }
        let lineEnd = last == UInt8(ascii: "\n") ? "" : "\n"
        return File(
            descriptor: descriptor, bytes: Int(status.st_size),
            missing: lineEnd + HistogramLog.header(startedAt: startedAt))
    }

    private func write(_ text: String, to descriptor: Int32) throws(LatencyLogError) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw LatencyLogError("write", path) }
            rest = rest.dropFirst(count)
        }
    }

    private func rotate() throws(LatencyLogError) {
        for number in stride(from: rotatedMax - 1, through: 1, by: -1) {
            try move("\(path).\(number)", to: "\(path).\(number + 1)")
        }
        try move(path, to: "\(path).1")
    }

    private func move(_ path: String, to newPath: String) throws(LatencyLogError) {
        guard rename(path, newPath) == 0 || errno == ENOENT else { throw LatencyLogError("rename", path) }
    }
}

/// Why an interval was not written to `latency.log`. Nothing is lost by it: the next interval begins where the last one
/// that was written ended.
package struct LatencyLogError: Error, CustomStringConvertible {
    /// What failed: open, read, write or rename.
    package var call: String
    package var path: String
    /// The system's words.
    package var reason: String

    package var hint: String { "make room, or correct the directory's mode; or set latency.log" }

    /// From `errno`.
    init(_ call: String, _ path: String) {
        self.call = call
        self.path = path
        reason = String(cString: strerror(errno))
    }

    package var description: String { "\(call) of \(path) failed: \(reason)" }
}

/// Cuts what was recorded into intervals for `latency.log`. Whatever fails, the intervals add up to all that was
/// recorded: an interval that could not be written becomes part of the next one.
package struct LatencyLog {
    private let file: LatencyLogFile
    /// All that was recorded up to the end of the last interval that is in the file.
    private var written: LatencySnapshot

    /// `startedAt`: since 1970, the start of the first interval.
    package init(file: LatencyLogFile, startedAt: Duration) {
        self.file = file
        written = LatencySnapshot(startedAt: startedAt, endedAt: startedAt, stages: [])
    }

    /// Writes the interval that ends with `snapshot`, if anything happened in it. Blocks on the disk.
    package mutating func write(_ snapshot: LatencySnapshot) throws(LatencyLogError) {
        let interval = snapshot.since(written)
        if !interval.stages.isEmpty {
            try file.append(interval.logLines, startedAt: interval.startedAt)
        }
        written = snapshot
    }

    /// Closes the file and hands what was written to the disk: blocks on it. A later interval would open it again.
    package func close() {
        file.close()
    }
}

import Glibc
import MillraceSpool
import Synchronization

/// A disk in memory that fails on demand, and that forgets at a crash what was not synchronized: a write may have
/// reached the disk whole, in parts or not at all, a new name may be there or not.
final class FaultyFileSystem: FileSystem {
    typealias Call = FileSystemError.Call

    /// What happens to one call instead of success.
    enum Fault {
        case error(Int32)
        /// A write takes only so many bytes; the next one of the call's loop fails with the error.
        case partial(Int, Int32)
    }

    private final class File {
        var durable: [UInt8] = []
        var current: [UInt8] = []
        /// Ranges written since the last synchronize.
        var dirty: [Range<Int>] = []
        var isLocked = false
    }

    private struct State {
        var names: [String: File] = [:]
        var durableNames: [String: File] = [:]
        var directories: Set<String> = ["/"]
        var durableDirectories: Set<String> = ["/"]
        var open: [Int32: File] = [:]
        var nextDescriptor: Int32 = 3
        var calls = 0
        var counts: [Call: Int] = [:]
        var crashAt = Int.max
        var isCrashed = false
        var capacityBytes = Int.max
        var nextWriteError: Int32?
        var badBlocks: (file: File, bytes: Range<Int>)?
        var fault: (Call, Int) -> Fault? = { _, _ in nil }
        var afterRead: ((String, Int) -> Void)?
    }

    // SAFETY: every access goes through `mutex`.
    nonisolated(unsafe) private var state = State()
    private let mutex = Mutex(())

    /// Decides about the n-th call of each kind, from 0.
    func setFault(_ fault: @escaping @Sendable (Call, Int) -> Fault?) {
        with { $0.fault = fault }
    }

    /// Is called after each read, with the file's path and the offset: what others do to the file meanwhile.
    func setAfterRead(_ body: @escaping @Sendable (_ path: String, _ offset: Int) -> Void) {
        with { $0.afterRead = body }
    }

    /// The machine stops at the n-th call from now: that call and all later ones fail and change nothing durable.
    func crash(afterCalls count: Int) {
        with { $0.crashAt = $0.calls + count }
    }

    /// Reads that touch `bytes` of a file fail with EIO.
    func failReads(of path: String, in bytes: Range<Int>) {
        with { state in state.badBlocks = state.names[path].map { ($0, bytes) } }
    }

    var isCrashed: Bool { with { $0.isCrashed } }
    var calls: Int { with { $0.calls } }
    func count(of call: Call) -> Int { with { $0.counts[call] ?? 0 } }
    func setCapacity(_ bytes: Int) { with { $0.capacityBytes = bytes } }
    var usedBytes: Int { with { state in state.names.values.reduce(0) { $0 + $1.current.count } } }
    var paths: [String] { with { $0.names.keys.sorted() } }

    func contents(_ path: String) -> [UInt8] { with { $0.names[path]?.current ?? [] } }

    /// Changes a file behind the spool's back, durably.
    func edit(_ path: String, _ change: (inout [UInt8]) -> Void) {
        with { state in
            guard let file = state.names[path] else { return }
            change(&file.current)
            file.durable = file.current
            file.dirty = []
        }
    }

    func delete(_ path: String) {
        with { state in
            state.names[path] = nil
            state.durableNames[path] = nil
        }
    }

    /// A deep copy of what is there now, all of it durable: for trying many edits on one spool.
    func copy() -> FaultyFileSystem {
        let copy = FaultyFileSystem()
        let (files, directories) = with { state in (state.names.mapValues(\.current), state.directories) }
        copy.with { state in
            for (path, bytes) in files {
                let file = File()
                file.current = bytes
                file.durable = bytes
                state.names[path] = file
            }
            state.durableNames = state.names
            state.directories = directories
            state.durableDirectories = directories
        }
        return copy
    }

    /// Power comes back: only what was synchronized is sure to be there.
    func restart(using random: inout some RandomNumberGenerator) {
        mutex.withLock { _ in
            var names: [String: File] = [:]
            for path in Set(state.names.keys).union(state.durableNames.keys).sorted() {
                let current = state.names[path]
                let durable = state.durableNames[path]
                let kept = current === durable || Bool.random(using: &random) ? current : durable
                if let kept { names[path] = kept }
            }
            var settled: Set<ObjectIdentifier> = []
            for path in names.keys.sorted() {
                guard let file = names[path], settled.insert(ObjectIdentifier(file)).inserted else { continue }
                Self.lose(file, using: &random)
            }
            let directories = state.directories.sorted().filter {
                state.durableDirectories.contains($0) || Bool.random(using: &random)
            }
            state = State()
            state.names = names
            state.durableNames = names
            state.directories = Set(directories)
            state.durableDirectories = Set(directories)
        }
    }

    private static func lose(_ file: File, using random: inout some RandomNumberGenerator) {
        if file.current != file.durable {
            let sizes = [file.durable.count, file.current.count].sorted()
            var bytes = file.durable
            let size = Int.random(in: sizes[0]...sizes[1], using: &random)
            if bytes.count > size { bytes.removeLast(bytes.count - size) }
            bytes += [UInt8](repeating: 0, count: size - bytes.count)
            for range in file.dirty {
                var at = range.lowerBound
                while at < range.upperBound {
                    let end = min(range.upperBound, at + Int.random(in: 1...512, using: &random))
                    if Bool.random(using: &random) {
                        for index in at..<end where index < size && index < file.current.count {
                            bytes[index] = file.current[index]
                        }
                    }
                    at = end
                }
            }
            file.current = bytes
            file.durable = bytes
        }
        file.dirty = []
        file.isLocked = false
    }

    private func with<Result>(_ body: (inout State) -> Result) -> Result {
        mutex.withLock { _ in body(&state) }
    }

    /// Counts the call, lets it crash or fail, else does it. The closure gets a limit on bytes for a partial write.
    private func perform<Result>(
        _ call: Call, _ body: (inout State, Int?) throws(FileSystemError) -> Result
    ) throws(FileSystemError) -> Result {
        let result: Swift.Result<Result, FileSystemError> = mutex.withLock { _ in
            defer { state.calls += 1 }
            if state.isCrashed { return .failure(FileSystemError(call, errno: EIO)) }
            if state.calls >= state.crashAt {
                state.isCrashed = true
                // What the call was doing may have happened in part, without anyone knowing.
                if call == .write { _ = try? body(&state, nil) }
                return .failure(FileSystemError(call, errno: EIO))
            }
            let index = state.counts[call] ?? 0
            state.counts[call] = index + 1
            if call == .write, let error = state.nextWriteError {
                state.nextWriteError = nil
                return .failure(FileSystemError(call, errno: error))
            }
            var limit: Int?
            switch state.fault(call, index) {
            case .error(let error)?: return .failure(FileSystemError(call, errno: error))
            case .partial(let count, let error)?:
                limit = count
                state.nextWriteError = error
            case nil: break
            }
            do throws(FileSystemError) {
                return .success(try body(&state, limit))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}

extension FaultyFileSystem {
    func open(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> FileID {
        try perform(.open) { (state, _) throws(FileSystemError) in
            let file: File
            switch (state.names[path], mode) {
            case (nil, .read), (nil, .update): throw FileSystemError(.open, errno: ENOENT)
            case (.some, .create): throw FileSystemError(.open, errno: EEXIST)
            case (nil, .create), (nil, .replace), (nil, .ensure):
                guard state.directories.contains(Self.parent(path)) else {
                    throw FileSystemError(.open, errno: ENOENT)
                }
                file = File()
                state.names[path] = file
            case (let found?, .replace):
                file = found
                file.dirty = [0..<file.current.count]
                file.current = []
            case (let found?, _): file = found
            }
            let descriptor = state.nextDescriptor
            state.nextDescriptor += 1
            state.open[descriptor] = file
            return FileID(descriptor: descriptor)
        }
    }

    func close(_ file: FileID) {
        with { state in state.open.removeValue(forKey: file.descriptor)?.isLocked = false }
    }

    func forget(_ file: FileID, at offset: Int, byteCount: Int) {}

    func write(_ bytes: UnsafeRawBufferPointer, to file: FileID, at offset: Int) throws(FileSystemError) -> Int {
        try perform(.write) { (state, limit) throws(FileSystemError) in
            guard let file = state.open[file.descriptor] else { throw FileSystemError(.write, errno: EBADF) }
            let used = state.names.values.reduce(0) { $0 + $1.current.count }
            let growth = max(0, offset + bytes.count - file.current.count)
            var count = min(bytes.count, limit ?? .max)
            if growth > state.capacityBytes - used {
                count = min(count, bytes.count - (growth - max(0, state.capacityBytes - used)))
                if count <= 0 { throw FileSystemError(.write, errno: ENOSPC) }
            }
            if offset + count > file.current.count {
                file.current += [UInt8](repeating: 0, count: offset + count - file.current.count)
            }
            file.current.replaceSubrange(offset..<offset + count, with: bytes[..<count])
            file.dirty.append(offset..<offset + count)
            return count
        }
    }

    func read(into bytes: UnsafeMutableRawBufferPointer, from file: FileID, at offset: Int)
        throws(FileSystemError) -> Int
    {
        let count = try perform(.read) { (state, _) throws(FileSystemError) in
            guard let file = state.open[file.descriptor] else { throw FileSystemError(.read, errno: EBADF) }
            if let bad = state.badBlocks, bad.file === file, bad.bytes.overlaps(offset..<offset + bytes.count) {
                throw FileSystemError(.read, errno: EIO)
            }
            let part = file.current.dropFirst(offset).prefix(bytes.count)
            bytes.copyBytes(from: part)
            return part.count
        }
        if let afterRead = with({ $0.afterRead }) {
            let path = with { state in state.names.first { $0.value === state.open[file.descriptor] }?.key }
            afterRead(path ?? "", offset)
        }
        return count
    }

    func size(of file: FileID) throws(FileSystemError) -> Int {
        try perform(.size) { state, _ in state.open[file.descriptor]?.current.count ?? 0 }
    }

    func synchronize(_ file: FileID) throws(FileSystemError) {
        try perform(.synchronize) { state, _ in
            guard let file = state.open[file.descriptor] else { return }
            file.durable = file.current
            file.dirty = []
        }
    }

    func synchronizeDirectory(_ path: String) throws(FileSystemError) {
        try perform(.synchronizeDirectory) { state, _ in
            for (name, file) in state.names where Self.parent(name) == path { state.durableNames[name] = file }
            for name in state.durableNames.keys where Self.parent(name) == path && state.names[name] == nil {
                state.durableNames[name] = nil
            }
            state.durableDirectories.formUnion(state.directories.filter { Self.parent($0) == path })
        }
    }

    func truncate(_ file: FileID, to sizeBytes: Int) throws(FileSystemError) {
        try perform(.truncate) { state, _ in
            guard let file = state.open[file.descriptor] else { return }
            file.current = Array(file.current.prefix(sizeBytes))
            file.current += [UInt8](repeating: 0, count: sizeBytes - file.current.count)
        }
    }

    func rename(_ path: String, to newPath: String) throws(FileSystemError) {
        try perform(.rename) { (state, _) throws(FileSystemError) in
            guard let file = state.names.removeValue(forKey: path) else {
                throw FileSystemError(.rename, errno: ENOENT)
            }
            state.names[newPath] = file
        }
    }

    func remove(_ path: String) throws(FileSystemError) {
        try perform(.remove) { (state, _) throws(FileSystemError) in
            guard state.names.removeValue(forKey: path) != nil else {
                throw FileSystemError(.remove, errno: ENOENT)
            }
        }
    }

    func list(_ directory: String) throws(FileSystemError) -> [String] {
        try perform(.list) { state, _ in
            (Array(state.names.keys) + Array(state.directories)).filter { $0 != "/" && Self.parent($0) == directory }
                .map { String($0.dropFirst(directory.count + 1)) }
        }
    }

    func makeDirectory(_ path: String) throws(FileSystemError) -> Bool {
        try perform(.makeDirectory) { state, _ in state.directories.insert(path).inserted }
    }

    func freeBytes(at path: String) throws(FileSystemError) -> Int {
        try perform(.freeBytes) { state, _ in
            state.capacityBytes == .max
                ? 1 << 40 : state.capacityBytes - state.names.values.reduce(0) { $0 + $1.current.count }
        }
    }

    func lock(_ file: FileID) throws(FileSystemError) -> Bool {
        try perform(.lock) { state, _ in
            guard let file = state.open[file.descriptor], !file.isLocked else { return false }
            file.isLocked = true
            return true
        }
    }

    private static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }
}

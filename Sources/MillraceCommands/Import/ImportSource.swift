internal import Glibc
internal import MillraceClient
internal import MillraceConsole
internal import MillraceEvent

/// The lines that files become, for `SendSession`, and the account of what became of them.
///
/// A record is counted once all is known of it: what is bad, when it is read; what went out, when the daemon has answered
/// it. Memory is bounded by the longest record and by what is on its way.
final class ImportSource: LineSource {
    private struct Sent {
        var kind: String
        var id: String?
        var isMoved: Bool
        var isCounted: Bool
        var passwordHash: PasswordHash?
        var file: Int
        var place: RecordPlace
    }

    private let files: [ImportFile]
    private let translator: RecordTranslator
    /// When what the files hold was so; nil for their modification time.
    private let asOf: Timestamp?
    private let problemsMax: Int

    private var fileIndex = -1
    private var reader: RecordReader?
    private var openDescriptor: Int32 = -1
    private var fileTime = Timestamp.now
    private var finishedBytes = 0
    private let sizeBytes: Int?
    /// Lines made and not handed out.
    private var waiting: [(line: ImportLine, place: RecordPlace)] = []
    private var waitingHead = 0
    /// Lines handed out and not answered, in order.
    private var sent: [Sent] = []
    private var sentHead = 0
    private var answeredCount = 0

    /// Accepted records by the name of their kind.
    private(set) var accepted: [String: Int] = [:]
    /// Of `accepted`: those whose time was too old.
    private(set) var movedCount = 0
    private(set) var problemCount = 0
    /// Records that went in and that a projection lacks, and those that a table did not take.
    private(set) var parkedCount = 0
    private(set) var deadCount = 0
    /// The first ones of all three.
    private(set) var problems: [ImportProblem] = []

    /// Records that are parked or dead and that the daemon did not name; `accepted` counts them.
    private(set) var unnamedCount = 0

    var secretCount: Int { translator.secretCount }
    /// Ids that were UUIDs where the pack wants numbers.
    var derivedIDCount: Int { translator.derivedIDCount }

    /// Password hashes of accepted users, not yet handed on, and how many were.
    private var hashes: [PasswordHash] = []
    private(set) var hashCount = 0
    private(set) var hashFailure: CommandError?
    private let takeHashes: ([PasswordHash]) throws(CommandError) -> Void
    private static let hashesAtOnce = 1000

    /// `problemsMax`: bad records kept for the report. `takeHashes`: blocks.
    init(
        files: [ImportFile], translator: RecordTranslator, asOf: Timestamp?, problemsMax: Int,
        takeHashes: @escaping ([PasswordHash]) throws(CommandError) -> Void = { _ in }
    ) {
        self.takeHashes = takeHashes
        self.files = files
        self.translator = translator
        self.asOf = asOf
        self.problemsMax = problemsMax
        var size: Int? = 0
        for file in files {
            var status = stat()
            let isFile = stat(file.path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
            size = isFile ? size.map { $0 + Int(status.st_size) } : nil
        }
        sizeBytes = size
    }

    deinit { closeFile() }

    var descriptor: Int32 { openDescriptor }
    var totalBytes: Int? { sizeBytes }
    var readBytes: Int { finishedBytes + (reader?.readBytes ?? 0) }

    func read() throws(CommandError) {
        do throws(CommandError) {
            try reader?.read()
        } catch {
            fail("unreadable_file", error.message)
            closeFile()
        }
    }

    func next() throws(CommandError) -> LineReader.Next {
        while true {
            if waitingHead < waiting.count {
                let (line, place) = waiting[waitingHead]
                waitingHead += 1
                sent.append(
                    Sent(
                        kind: line.kind, id: line.recordID, isMoved: line.isMoved, isCounted: line.isCounted,
                        passwordHash: line.passwordHash, file: fileIndex, place: place
                    ))
                return .line(line.bytes[...], number: answeredCount + sent.count - sentHead)
            }
            waiting.removeAll(keepingCapacity: true)
            waitingHead = 0
            guard let reader else {
                guard openNext() else { return .ended }
                continue
            }
            let file = files[fileIndex]
            switch reader.next() {
            case .record(let bytes, let collection, let key, let place):
                take(bytes, file.kind(of: collection), key, place)
            case .tooLong(let collection, let place):
                problem(
                    place, file.kind(of: collection)?.name, "record_too_long",
                    "it is longer than \(LineReader.lineBytesMax) bytes")
            case .unknownMember(let name, let place):
                problem(place, nil, "unknown_kind", "\(name) is no array of records that Millrace knows")
            case .broken(let message, let place):
                problem(place, file.collection, "invalid_json", message + "; what follows in the file was not read")
            case .needsInput: return .needsInput
            case .ended: closeFile()
            }
        }
    }

    func answered(_ settled: SendStateMachine.Settled) {
        let refusals = Dictionary(settled.refused.map { ($0.lineNumber, $0) }) { first, _ in first }
        let reports = Dictionary(grouping: settled.reported, by: \.lineNumber)
        unnamedCount += settled.unnamedCount
        for _ in 0..<settled.count {
            let entry = sent[sentHead]
            sentHead += 1
            answeredCount += 1
            if let refusal = refusals[answeredCount] {
                problem(entry.place, entry.kind, refusal.code, refusal.message, file: entry.file)
            } else if let reports = reports[answeredCount] {
                report(entry, reports)
            } else if entry.isCounted {
                accepted[entry.kind, default: 0] += 1
                if entry.isMoved { movedCount += 1 }
                if let hash = entry.passwordHash { hashes.append(hash) }
            }
        }
        if hashes.count >= Self.hashesAtOnce { writeHashes() }
        if sentHead > sent.count / 2 {
            sent.removeSubrange(..<sentHead)
            sentHead = 0
        }
    }

    private func report(_ entry: Sent, _ reports: [SendStateMachine.Reported]) {
        if reports.contains(where: { $0.fate == .dead }) { deadCount += 1 } else { parkedCount += 1 }
        for reported in reports where problems.count < problemsMax {
            var problem = ImportProblem(
                file: files[entry.file].path, place: entry.place, kind: entry.kind, code: reported.fate.rawValue,
                message: reported.report.message)
            problem.id = entry.id
            problem.pack = reported.report.pack
            problem.fold = reported.report.fold
            problem.constraint = reported.report.constraint
            problem.sqlstate = reported.report.sqlstate
            problem.reason = reported.report.code
            problems.append(problem)
        }
    }

    /// Hands the hashes of accepted users on; again at the end.
    func writeHashes() {
        guard !hashes.isEmpty, hashFailure == nil else { return }
        do throws(CommandError) {
            try takeHashes(hashes)
            hashCount += hashes.count
        } catch {
            hashFailure = error
        }
        hashes = []
    }

    // MARK: - Records and files

    private func take(_ bytes: ArraySlice<UInt8>, _ kind: ImportKind?, _ key: String?, _ place: RecordPlace) {
        let result = translator.translate(bytes, kind: kind, key: key, fileTime: fileTime, now: .now)
        for line in result.lines { waiting.append((line, place)) }
        for (kind, refusal) in result.refusals { problem(place, kind, refusal.code, refusal.message) }
    }

    private func openNext() -> Bool {
        guard fileIndex + 1 < files.count else { return false }
        fileIndex += 1
        let file = files[fileIndex]
        openDescriptor = file.path == "-" ? STDIN_FILENO : open(file.path, O_RDONLY | O_CLOEXEC)
        guard openDescriptor >= 0 else {
            fail("unreadable_file", "it cannot be opened: \(String(cString: strerror(errno)))")
            return true
        }
        reader = RecordReader(
            descriptor: openDescriptor, holdsLines: file.holdsLines, isCollection: file.isCollection,
            isRecordName: file.isRecordName)
        fileTime = asOf ?? Self.modificationTime(openDescriptor)
        return true
    }

    private func closeFile() {
        finishedBytes += reader?.readBytes ?? 0
        reader = nil
        if openDescriptor > STDIN_FILENO { close(openDescriptor) }
        openDescriptor = -1
    }

    /// Of what is no file: now.
    private static func modificationTime(_ descriptor: Int32) -> Timestamp {
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return .now }
        let microseconds = status.st_mtim.tv_sec * 1_000_000 + status.st_mtim.tv_nsec / 1000
        return min(.now, Timestamp(microseconds: Int64(microseconds)))
    }

    private func fail(_ code: String, _ message: String) {
        problem(RecordPlace(line: 1, column: 1, offsetBytes: 0, index: nil), nil, code, message)
    }

    private func problem(
        _ place: RecordPlace, _ kind: String?, _ code: String, _ message: String, file: Int? = nil
    ) {
        problemCount += 1
        guard problems.count < problemsMax else { return }
        problems.append(
            ImportProblem(
                file: files[file ?? fileIndex].path, place: place, kind: kind, code: code, message: message))
    }
}

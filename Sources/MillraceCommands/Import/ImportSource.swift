internal import Glibc
internal import MillraceConsole
internal import MillraceEvent

/// The lines that files become, for `SendSession`, and the account of what became of them.
///
/// A record is counted once all is known of it: what is bad, when it is read; what went out, when the daemon has answered
/// it. Memory is bounded by the longest record and by what is on its way.
final class ImportSource: LineSource {
    private struct Sent {
        var kind: String
        var isMoved: Bool
        var isCounted: Bool
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
    /// The first ones.
    private(set) var problems: [ImportProblem] = []

    var secretCount: Int { translator.secretCount }

    /// `problemsMax`: bad records kept for the report.
    init(files: [ImportFile], translator: RecordTranslator, asOf: Timestamp?, problemsMax: Int) {
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
                        kind: line.kind, isMoved: line.isMoved, isCounted: line.isCounted, file: fileIndex, place: place
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
            case .record(let bytes, let collection, let place):
                take(bytes, file.kind(of: collection), place)
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

    func answered(_ count: Int, refused: [SendStateMachine.Refused]) {
        let reasons = Dictionary(refused.map { ($0.lineNumber, $0) }) { first, _ in first }
        for _ in 0..<count {
            let entry = sent[sentHead]
            sentHead += 1
            answeredCount += 1
            if let refusal = reasons[answeredCount] {
                problem(entry.place, entry.kind, refusal.code, refusal.message, file: entry.file)
            } else if entry.isCounted {
                accepted[entry.kind, default: 0] += 1
                if entry.isMoved { movedCount += 1 }
            }
        }
        if sentHead > sent.count / 2 {
            sent.removeSubrange(..<sentHead)
            sentHead = 0
        }
    }

    // MARK: - Records and files

    private func take(_ bytes: ArraySlice<UInt8>, _ kind: ImportKind?, _ place: RecordPlace) {
        let result = translator.translate(bytes, kind: kind, fileTime: fileTime, now: .now)
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
            descriptor: openDescriptor, holdsLines: file.holdsLines, isCollection: file.isCollection)
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

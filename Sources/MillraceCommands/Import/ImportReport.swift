internal import MillraceConsole
internal import MillraceTelemetry

/// What became of the records of one `import`.
struct ImportReport: Encodable {
    struct Count: Encodable, Equatable {
        var kind: String
        var records: Int
    }

    /// Records accepted, of each kind that had any.
    var kinds: [Count]
    var total: Int
    /// Records that did not go in.
    var bad: Int
    /// The first ones.
    var problems: [ImportProblem]
    /// Passwords and other secrets left out.
    var secretsDropped: Int
    /// Records whose event has a younger time than they have.
    var moved: Int
    /// Lines that went out and are not known to be kept: 0 unless it gave up.
    var unsettled: Int
    var isDryRun: Bool
    var seconds: Double
    /// Why it gave up.
    var failure: String?

    init(of source: ImportSource, isDryRun: Bool, unsettled: Int, elapsed: Duration, failure: CommandError?) {
        var names: [String] = []
        for kind in ImportKind.known where !names.contains(kind.name) { names.append(kind.name) }
        kinds = names.compactMap { name in source.accepted[name].map { Count(kind: name, records: $0) } }
        total = kinds.reduce(0) { $0 + $1.records }
        bad = source.problemCount
        problems = source.problems
        secretsDropped = source.secretCount
        moved = source.movedCount
        self.unsettled = unsettled
        self.isDryRun = isDryRun
        seconds = elapsed.reportedSeconds
        self.failure = failure?.description
    }

    var isComplete: Bool { bad == 0 && failure == nil }

    /// `users 1, templates 5, signatures 2, workspaces 29, total 37`
    var summary: String {
        (kinds.map { "\($0.kind) \(Format.count($0.records))" } + ["total \(Format.count(total))"])
            .joined(separator: ", ")
    }

    /// For people.
    var text: String {
        var lines = [
            "\(isDryRun ? "would import" : "imported"): \(summary) in \(Format.duration(.seconds(seconds)))"
        ]
        if secretsDropped > 0 {
            lines.append("\(Format.count(secretsDropped)) passwords and other secrets were left out")
        }
        if moved > 0 {
            lines.append(
                "\(Format.count(moved)) records are older than partitions.accept_past: their events are dated at the "
                    + "start of the oldest month taken, and their ids keep their order; their own times are in the payload"
            )
        }
        if unsettled > 0 { lines.append("\(Format.count(unsettled)) lines are not known to be kept: import again") }
        if bad > 0 { lines.append("\(Format.count(bad)) bad records were left out:") }
        for problem in problems { lines.append("  \(TerminalText.line(problem.text))") }
        if bad > problems.count, bad > 0 { lines.append("  … and \(Format.count(bad - problems.count)) more") }
        return lines.joined(separator: "\n")
    }
}

/// A record that did not go in, and why.
struct ImportProblem: Encodable, Equatable {
    var file: String
    /// From 1, in the file after decompression; for a nested record those of the record that holds it.
    var line: Int
    /// In bytes, from 1.
    var column: Int
    var offsetBytes: Int
    /// In its array, from 0.
    var index: Int?
    /// The array's name.
    var kind: String?
    var code: String
    var message: String

    init(file: String, place: RecordPlace, kind: String?, code: String, message: String) {
        self.file = file
        line = place.line
        column = place.column
        offsetBytes = place.offsetBytes
        index = place.index
        self.kind = kind
        self.code = code
        self.message = message
    }

    /// For people.
    var text: String {
        let name = [kind, index.map { "[\($0)]" }].compactMap { $0 }.joined()
        return "\(file):\(line):\(column): \(name.isEmpty ? "" : name + ": ")\(code): \(message)"
    }
}

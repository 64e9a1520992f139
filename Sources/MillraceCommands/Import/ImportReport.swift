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
    /// Records whose event is stored, and that a projection's table did not take.
    var parked: Int
    /// Records that are in `dead_letters` instead of their table.
    var deadLetters: Int
    /// Of `total`: parked or dead ones that the daemon counted without naming them.
    var unnamed: Int
    /// The first ones.
    var problems: [ImportProblem]
    /// Passwords and other secrets left out.
    var secretsDropped: Int
    /// Password hashes put into `password_hashes`.
    var passwordHashes: Int
    /// Records whose event has a younger time than they have.
    var moved: Int
    /// Ids that were UUIDs and became numbers.
    var derivedIds: Int
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
        passwordHashes = source.hashCount
        moved = source.movedCount
        derivedIds = source.derivedIDCount
        parked = source.parkedCount
        deadLetters = source.deadCount
        unnamed = source.unnamedCount
        self.unsettled = unsettled
        self.isDryRun = isDryRun
        seconds = elapsed.reportedSeconds
        self.failure = failure?.description
    }

    var isComplete: Bool { bad == 0 && parked == 0 && deadLetters == 0 && unnamed == 0 && failure == nil }

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
        if passwordHashes > 0 {
            lines.append(
                "\(Format.count(passwordHashes)) password hashes are in public.password_hashes, and in no event")
        }
        if moved > 0 {
            lines.append(
                "\(Format.count(moved)) records are older than partitions.accept_past: their events are dated at the "
                    + "start of the oldest month taken, and their ids keep their order; their own times are in the payload"
            )
        }
        if unsettled > 0 { lines.append("\(Format.count(unsettled)) lines are not known to be kept: import again") }
        if derivedIds > 0 {
            lines.append(
                "\(Format.count(derivedIds)) ids were UUIDs where the pack has numbers: a number was made of each; the UUID "
                    + "is in source_id")
        }
        if bad > 0 { lines.append("\(Format.count(bad)) bad records were left out:") }
        if parked > 0 {
            lines.append("\(Format.count(parked)) records are stored, and parked: a table did not take them")
        }
        if deadLetters > 0 {
            lines.append("\(Format.count(deadLetters)) records are in dead_letters: no table took them")
        }
        if unnamed > 0 {
            lines.append("\(Format.count(unnamed)) more are parked or dead, and were not named one by one")
        }
        for problem in problems { lines.append("  \(TerminalText.line(problem.text))") }
        let all = bad + parked + deadLetters
        if all > problems.count, all > 0 { lines.append("  … and \(Format.count(all - problems.count)) more") }
        return lines.joined(separator: "\n")
    }
}

/// A record that did not go in, or not everywhere, and why.
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
    /// Of the record, as its event has it.
    var id: String?
    /// The daemon's or the import's reason; `parked` and `dead_letter` for what went in and is not where it should be.
    var code: String
    /// Of what is parked: the pack and its fold that lack it. `reason`: why, `database` with what PostgreSQL said.
    var pack: String?
    var fold: String?
    var reason: String?
    var constraint: String?
    var sqlstate: String?
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
        let name = [kind, index.map { "[\($0)]" }, id.map { " id \($0)" }].compactMap { $0 }.joined()
        let details = [
            pack.map { "pack \($0)" }, fold.map { "fold \($0)" }, constraint.map { "constraint \($0)" },
            sqlstate.map { "SQLSTATE \($0)" }, reason == "database" ? nil : reason,
        ].compactMap { $0 }
        return "\(file):\(line):\(column): \(name.isEmpty ? "" : name + ": ")\(code): "
            + (details + [message]).joined(separator: ", ")
    }
}

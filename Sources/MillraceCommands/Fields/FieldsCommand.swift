internal import ArgumentParser
internal import FoundationEssentials
internal import Glibc
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceEvent
internal import MillraceTreatment

/// `millrace fields`: values that no disk sees as they came.
struct FieldsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fields",
        abstract: "Keys of encrypted values; what becomes of lines, and back.",
        discussion: """
            What is listed in [fields] is encrypted, hashed, masked or dropped before the daemon writes a line anywhere. These \
            commands need no daemon.

            Example:
              millrace fields keys > field.keys
              echo '{"event_type":"signup","payload":{"email":"ada@example.org"}}' | millrace fields apply
            """,
        subcommands: [FieldsKeys.self, FieldsApply.self, FieldsOpen.self]
    )
}

/// Lines of a file, or of standard input, each turned into another one.
struct FieldLines {
    var file: String

    /// Calls `body` for each line. Blocks.
    func forEach(_ body: (_ line: [UInt8], _ number: Int) throws -> Void) throws {
        let descriptor = file == "-" ? STDIN_FILENO : try CompressedInput.open(file)
        defer { if file != "-" { close(descriptor) } }
        var reader = LineReader(descriptor: descriptor)
        while true {
            switch try reader.next() {
            case .line(let line, let number): try body(Array(line), number)
            case .tooLong(let number):
                throw CommandError(
                    "line \(number) has more than \(LineReader.lineBytesMax) bytes", hint: "No daemon takes it")
            case .needsInput: try reader.read()
            case .ended: return
            }
        }
    }
}

struct FieldsKeys: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Make keys, and print the file to keep them in.",
        discussion: """
            Put the file where only the daemon's user reads it, name it in fields.keys_file (or as systemd's credential \
            millrace.fields.keys_file), and keep a copy elsewhere: what is encrypted with a lost key is lost.

            --rotate prints a file with a new encryption key in front, which is used from the next reload on; what the others \
            encrypted stays readable as long as they are in it.

            Example:
              (umask 077; millrace fields keys > /etc/millrace/field.keys)
              (umask 077; millrace fields keys --rotate /etc/millrace/field.keys > new.keys)
              mv new.keys /etc/millrace/field.keys && millrace reload
            """)

    @Option(help: ArgumentHelp("The new key's name: a-z, 0-9 and -. Default: today's date.", valueName: "id"))
    var id: String?

    @Option(
        help: ArgumentHelp("Print this file with a new encryption key in front.", valueName: "file"),
        completion: .file())
    var rotate: String?

    func run() throws {
        let id = id ?? Date.now.formatted(.iso8601.year().month().day())
        guard let rotate else { return Console.out(try Self.checked(Self.fresh(id))) }
        guard let text = FileManager.default.contents(atPath: rotate).map({ String(decoding: $0, as: UTF8.self) })
        else {
            throw CommandError("\(rotate) can't be read", hint: "Name the file of fields.keys_file")
        }
        // Before the first key: comments stay above it.
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        while lines.last?.isEmpty == true { lines.removeLast() }
        let place = lines.firstIndex { !$0.isEmpty && !$0.hasPrefix("#") } ?? lines.endIndex
        lines.insert(FieldKeys.newLine(.encrypt, id: id), at: place)
        Console.out(try Self.checked(lines.joined(separator: "\n")))
    }

    private static func fresh(_ id: String) -> String {
        let head = """
            # Keys of Millrace's [fields]: PURPOSE ID KEY. Secret. Keep a copy elsewhere.
            # The first encrypt key is used; further ones open what they encrypted. index, hash and identity stay for good.
            """
        return ([head] + FieldKeys.Purpose.allCases.map { FieldKeys.newLine($0, id: id) }).joined(separator: "\n")
    }

    private static func checked(_ text: String) throws -> String {
        do throws(FieldsError) {
            _ = try FieldKeys(text)
            return text
        } catch {
            throw CommandError("this would be no file of keys: \(error.message)", hint: "Give another --id")
        }
    }
}

struct FieldsApply: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Print lines as a daemon with this configuration would keep them.",
        discussion: """
            Example:
              millrace fields apply --config config.toml events.ndjson
            """)

    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var owner: TenantOption
    @Argument(help: "NDJSON; - is standard input.", completion: .file()) var file = "-"

    func run() throws {
        let context = try options.context()
        let policy = try context.linePolicy(LoadedFields(context.configuration.fields), withRules: false)
        let parser = EventParser()
        var refused = 0
        var out: [UInt8] = []
        try FieldLines(file: file).forEach { line, number in
            let padded = line + [UInt8](repeating: 0, count: EventParser.paddingBytes)
            do throws(Refusal) {
                let fate = try padded.withUnsafeBytes { padded in
                    Result { () throws(Refusal) -> LinePolicy.Fate in
                        let bytes = UnsafeRawBufferPointer(rebasing: padded[..<line.count])
                        let now = Timestamp.now
                        let kind = try parser.validate(bytes, limits: context.eventLimits, receivedAt: now)
                        guard let policy else { return .keep }
                        return try policy.fate(
                            of: bytes, kind, tenant: owner.tenant, peer: file, by: parser, receivedAt: now, into: &out)
                    }
                }.get()
                Console.out(String(decoding: fate == .keep ? line : out, as: UTF8.self))
            } catch {
                refused += 1
                Console.error("line \(number): \(error.code.rawValue): \(error.message)")
            }
        }
        if refused > 0 { throw ExitCode.failure }
    }
}

struct FieldsOpen: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "open",
        abstract: "Print JSON lines with encrypted values in plain text.",
        discussion: """
            Opens what a daemon with these keys encrypted for this tenant, wherever it stands: lines of `millrace export`, or \
            what psql prints. What can't be opened stays as it is.

            Example:
              millrace export --from 2026-11-01 --to 2026-12-01 --output - --no-compress | millrace fields open
            """)

    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var owner: TenantOption
    @Argument(help: "JSON lines; - is standard input.", completion: .file()) var file = "-"

    func run() throws {
        guard let keys = try LoadedFields(options.context().configuration.fields).keys else {
            throw CommandError("there are no keys", hint: "Set fields.keys_file to the daemon's")
        }
        let opener = FieldOpener(keys, tenant: owner.tenant)
        try FieldLines(file: file).forEach { line, _ in
            // One that is no JSON: a lone value, as psql -At prints it, or a line that was refused.
            let text = String(decoding: line, as: UTF8.self)
            let opened = line.withUnsafeBytes { opener.opened(text: $0) ?? opener.opened(json: $0) }
            let plain = opened ?? keys.line(sealedAs: text, tenant: owner.tenant)
            Console.out(plain.map { String(decoding: $0, as: UTF8.self) } ?? text)
        }
    }
}

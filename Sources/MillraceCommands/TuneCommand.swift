internal import ArgumentParser
internal import MillraceAPI
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillracePostgres

/// `millrace tune`: what postgresql.conf should say.
struct TuneCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tune",
        abstract: "Recommended postgresql.conf, by memory and cores.",
        discussion: """
            Of this machine, or of the cgroup (container, unit) that this runs in where that gives less; run it where PostgreSQL \
            runs, or say its size. Where the database is reached, what it has now stands beside each line. Nothing is changed: \
            write it to a file that postgresql.conf includes. `serve --embedded` makes its cluster by the same lines.

            Example:
              millrace tune
              millrace tune --memory 16GiB --cores 8 > /etc/postgresql/15/main/conf.d/millrace.conf
            """)

    struct Entry: Encodable {
        var name: String
        var value: String
        var reason: String
        /// What the database has; nil where it was not reached.
        var current: String?
        var wantsRestart: Bool?
    }

    struct Report: Encodable {
        var memoryBytes: Int
        var cores: Int
        /// Where these are from.
        var origin: String
        var settings: [Entry]
    }

    @OptionGroup var options: ConfigurationOptions

    @Option(
        help: ArgumentHelp("What PostgreSQL may use, such as 16GiB. Default: what there is here.", valueName: "size"))
    var memory: Bytes?

    @Option(help: "Default: those of this machine, or of its cgroup.")
    var cores: Int?

    @Flag(help: "The report as JSON.")
    var json = false

    func validate() throws {
        guard cores.map({ (1...4096).contains($0) }) ?? true else { throw ValidationError("--cores is 1 to 4096.") }
        guard memory.map({ $0.count >= 256 << 20 }) ?? true else {
            throw ValidationError("--memory is 256MiB or more.")
        }
    }

    func run() throws {
        let context = try options.context()
        let given = MemoryGiven.ofThisProcess()
        guard let memoryBytes = memory?.count ?? given?.bytes else {
            throw CommandError("this machine does not say how much memory it has", hint: "Give --memory, such as 16GiB")
        }
        let configuration = context.configuration
        let here = CoresGiven.ofThisProcess()
        let tuning = ServerTuning(
            memoryBytes: memoryBytes, cores: cores ?? here.count,
            connections: configuration.writingSessionsMax + configuration.api.connectionsMax)
        let current = (try? Self.current(tuning.settings, context)) ?? [:]
        let report = Report(
            memoryBytes: memoryBytes, cores: tuning.cores,
            origin: [memory == nil ? given?.origin : "--memory", cores == nil ? here.origin : "--cores"].compactMap {
                $0
            }
            .joined(separator: ", "),
            settings: tuning.settings.map { setting in
                Entry(
                    name: setting.name, value: setting.value, reason: setting.reason,
                    current: current[setting.name]?.value, wantsRestart: current[setting.name]?.wantsRestart)
            })
        if json { try Console.json(report) } else { Console.out(Self.text(report)) }
    }

    private static func text(_ report: Report) -> String {
        let head = "# millrace tune: \(Format.size(report.memoryBytes)), \(report.cores) cores (\(report.origin))"
        let lines = report.settings.map { entry in
            var comment = "# \(entry.reason)"
            if let current = entry.current {
                let isSame = current == entry.value
                comment +=
                    isSame ? "; as it is" : "; now \(current)\(entry.wantsRestart == true ? ", wants a restart" : "")"
            }
            return "\(comment)\n\(entry.name) = '\(entry.value)'"
        }
        return ([head] + lines).joined(separator: "\n")
    }

    /// What the database has.
    private static func current(
        _ settings: [ServerTuning.Setting], _ context: CommandContext
    ) throws -> [String: (value: String, wantsRestart: Bool)] {
        let connection = try context.connect(timeout: .seconds(3))
        let found = try connection.query(
            "SELECT name, current_setting(name), context = 'postmaster' FROM pg_catalog.pg_settings WHERE name = ANY ($1)",
            parameters: [.array(settings.map(\.name))])
        return Dictionary(
            uniqueKeysWithValues: (0..<found.rowCount).map { row in
                (found.string(row, 0) ?? "", (found.string(row, 1) ?? "", found.bool(row, 2) ?? false))
            })
    }
}

/// A size on the command line: `512MiB`, `16GiB`.
struct Bytes: Equatable, ExpressibleByArgument {
    var count: Int

    init?(argument: String) {
        let units = ["TiB": 40, "GiB": 30, "MiB": 20, "KiB": 10, "TB": 40, "GB": 30, "MB": 20]
        guard let (unit, shift) = units.first(where: { argument.hasSuffix($0.key) }),
            let number = Int(argument.dropLast(unit.count)), number > 0, number <= Int.max >> shift
        else { return nil }
        count = number << shift
    }
}

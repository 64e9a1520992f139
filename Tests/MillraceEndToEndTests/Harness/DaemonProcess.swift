import Glibc
import MillraceTestSupport
import Synchronization

/// `millrace serve` in a scratch directory, which can be killed and started again on the same spool.
final class DaemonProcess: Sendable {
    let directory: String
    let tcp: Endpoint
    let http: Endpoint
    private let scratch: ScratchDirectory
    private let arguments: [String]
    private let environment: [String: String]
    private let filesMax: Int?
    private let current = Mutex<SpawnedProcess?>(nil)
    private let logBook = DaemonLogs.current

    /// - Parameters:
    ///   - databaseURL: nil when the daemon is to bring its own (`--embedded` among `arguments`).
    ///   - directory: of another daemon, to share it.
    ///   - filesMax: what the system lets it open; nil: what this process may.
    init(
        databaseURL: String?, settings: [String: String] = [:], arguments: [String] = [],
        environment: [String: String] = [:], tcp: Endpoint? = nil, http: Endpoint? = nil,
        scratch: ScratchDirectory? = nil, filesMax: Int? = nil
    ) throws {
        self.filesMax = filesMax
        self.scratch = try scratch ?? ScratchDirectory()
        directory = self.scratch.path
        self.tcp = try tcp ?? .free()
        self.http = try http ?? .free()
        self.arguments = arguments
        self.environment = environment
        var all = DaemonSettings()
        all["tcp.listen"] = "[\"\(self.tcp)\"]"
        all["http.listen"] = "[\"\(self.http)\"]"
        all["data.directory"] = DaemonSettings.quoted(directory + "/data")
        all["spool.directory"] = DaemonSettings.quoted(directory + "/spool")
        if let databaseURL { all["database.url"] = DaemonSettings.quoted(databaseURL) }
        all.merge(settings)
        configuration = "\(directory)/config-\(self.tcp.fileName).toml"
        try TextFile.write(all.toml, to: configuration)
        logBook?.add(configuration) { [weak self] in self?.log ?? "" }
    }

    deinit {
        let log = log
        logBook?.add(configuration) { log }
    }

    /// Path of its config.toml.
    let configuration: String

    private var logPath: String { "\(directory)/log-\(tcp.fileName).txt" }

    /// All it has written to its standard error since the first start.
    var log: String { TextFile.read(logPath) }

    var process: SpawnedProcess {
        get throws {
            guard let process = current.withLock({ $0 }) else {
                throw TestSupportError(message: "the daemon was not started")
            }
            return process
        }
    }

    /// Starts it; does not wait for anything. `errors`: a file that takes its standard error, instead of `log`.
    func launch(errors: String? = nil) throws {
        var command = try [MillraceBinary.path, "serve", "--config", configuration] + arguments
        if let filesMax { command = ["/bin/sh", "-c", "ulimit -n \(filesMax) && exec \"$0\" \"$@\""] + command }
        let process = try SpawnedProcess(
            command[0], Array(command.dropFirst()), environment: environment, mark: configuration, output: logPath,
            errors: errors ?? logPath)
        current.withLock { $0 = process }
    }

    /// Starts it and waits until it takes events. A daemon is live and takes events without PostgreSQL.
    func start(within limit: Duration = .seconds(60)) throws {
        let before = readyCount
        try launch()
        try waitUntil("/livez", within: limit)
        // HTTP may listen before TCP does; the log says when both do, where it says that much.
        guard log.contains("millrace: open files") else { return }
        let process = try process
        _ = eventually(within: limit) { readyCount > before || !process.isRunning }
    }

    private var readyCount: Int { log.split(separator: "\n").count { $0.contains("millrace: ready ") } }

    /// Waits for 200 from a path; throws with the end of the log when the daemon ends instead.
    func waitUntil(_ path: String, within limit: Duration = .seconds(60)) throws {
        let process = try process
        let isReady = eventually(within: limit) {
            !process.isRunning || (try? HTTPClient.get(path, at: http).status) == 200
        }
        guard isReady, process.isRunning else {
            throw TestSupportError(
                message: "\(path) is not 200 within \(limit), the daemon \(process.isRunning ? "runs" : "has ended"):\n"
                    + String(log.suffix(3000)))
        }
    }

    /// SIGKILL, and waits until it is gone.
    func kill() throws {
        try process.signal(SIGKILL)
        try process.waitForExit(within: .seconds(20))
    }

    /// SIGTERM, and waits for the end.
    @discardableResult
    func stop(within limit: Duration = .seconds(60)) throws -> SpawnedProcess.Exit {
        try process.signal(SIGTERM)
        return try process.waitForExit(within: limit)
    }

    /// Runs a command on this daemon's configuration.
    func run(_ command: String..., within limit: Duration = .seconds(120)) throws -> CommandRun {
        try CommandRun(command + ["--config", configuration], in: scratch, within: limit)
    }

    /// Runs a command on this daemon's configuration.
    func run(_ command: [String], environment: [String: String] = [:], within limit: Duration = .seconds(120)) throws
        -> CommandRun
    {
        try CommandRun(command + ["--config", configuration], environment: environment, in: scratch, within: limit)
    }
}

extension Endpoint {
    /// For the names of files.
    fileprivate var fileName: String {
        switch self {
        case .port(let port): "\(port)"
        case .unix(let path): String(path.split(separator: "/").last ?? "unix")
        }
    }
}

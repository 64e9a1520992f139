import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// A daemon that may open few files goes on, and says so.
    struct OpenFilesTests {
        /// The share of a processor that the daemon took while it was asked `count` times.
        private func processorShare(_ daemon: DaemonProcess, whileAsking count: Int) throws -> Double {
            let clock = ContinuousClock()
            let before = try daemon.process.processorSeconds
            let start = clock.now
            for number in 1...count {
                #expect(try HTTPClient.get("/livez", at: daemon.http).status == 200)
                _ = eventually(within: .seconds(5)) { clock.now >= start + .milliseconds(50) * number }
            }
            return try (daemon.process.processorSeconds - before) / ((clock.now - start) / .seconds(1))
        }

        /// Connects without waiting for the daemon: the kernel keeps those that are not accepted.
        private func idle(_ count: Int, _ endpoint: Endpoint) throws -> [StreamSocket] {
            try (0..<count).map { _ in try StreamSocket(endpoint) }
        }

        @Test func `with few files and many idle connections, requests are answered and nothing spins`() throws {
            let installation = try Installation(filesMax: 300)
            let daemon = installation.daemon
            try daemon.start()
            #expect(daemon.log.contains("too few open files for all connections"))
            let idle = try idle(500, daemon.tcp)
            #expect(try processorShare(daemon, whileAsking: 40) < 0.4)
            let client = HTTPClient(daemon.http)
            for _ in 0..<20 {
                #expect(try client.postEvents(Array(DoorRequest.event.utf8), query: "?ack=committed").status == 200)
            }
            #expect(try client.request("GET", "/v1/events").status == 200)
            try installation.auditor.waitForRows(20)
            #expect(try daemon.process.openFiles < 300)
            #expect(eventually { daemon.log.contains("connections wait to be accepted") })
            withExtendedLifetime(idle) {}
            let check = try daemon.run("check")
            #expect(check.output.contains("open files"))
        }

        @Test func `idle HTTP connections give their places to whoever asks, however long they might stay`() throws {
            let installation = try Installation(
                settings: ["http.header_timeout": "\"10m\"", "http.keep_alive": "\"10m\""], filesMax: 300)
            let daemon = installation.daemon
            try daemon.start()
            let idle = try idle(500, daemon.http)
            // Until the first of them have given way, a place may be wanting (503); nobody is kept waiting.
            #expect(eventually { (try? HTTPClient.get("/livez", at: daemon.http).status) == 200 })
            withExtendedLifetime(idle) {}
            let client = HTTPClient(daemon.http)
            #expect(
                eventually {
                    (try? client.postEvents(Array(DoorRequest.event.utf8), query: "?ack=committed").status) == 200
                })
        }

        @Test func `a daemon without a file for the next connection waits, and then accepts it`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            try daemon.waitUntil("/readyz")
            let kept = HTTPClient(daemon.http)
            #expect(try kept.request("GET", "/livez").status == 200)
            try daemon.process.limitFiles(1)
            let waiting = try StreamSocket(daemon.http)
            try waiting.send(DoorRequest(target: "/livez").bytes)
            #expect(eventually { daemon.log.contains("too_many_open_files") })
            let before = try daemon.process.processorSeconds
            let start = ContinuousClock.now
            while ContinuousClock.now < start + .seconds(2) {
                #expect(try kept.request("GET", "/livez").status == 200)
                let next = ContinuousClock.now + .milliseconds(50)
                _ = eventually { ContinuousClock.now >= next }
            }
            let share = try (daemon.process.processorSeconds - before) / ((ContinuousClock.now - start) / .seconds(1))
            #expect(share < 0.4)
            #expect(daemon.log.split(separator: "\n").count { $0.contains("too_many_open_files") } == 1)
            try daemon.process.limitFiles(4096)
            #expect(try waiting.line()?.hasPrefix("HTTP/1.1 200") == true)
        }

        @Test func `connections_max beyond the files that there are is a finding of check`() throws {
            let installation = try Installation(settings: ["tcp.connections_max": "900000"])
            let check = try installation.daemon.run("check")
            #expect(check.output.contains("FAIL  open files"))
            #expect(check.output.contains("LimitNOFILE"))
            let enough = try Installation("enough", settings: ["memory.budget": "\"1TiB\""]).daemon.run("check")
            #expect(enough.output.contains("ok    open files"))
            #expect(enough.output.contains("FAIL  memory"))
        }
    }
}

extension SpawnedProcess {
    /// Processor time that it has taken.
    fileprivate var processorSeconds: Double {
        // Behind the command in brackets: state is the first field, utime and stime the 12th and 13th.
        let text = TextFile.read("/proc/\(pid)/stat")
        let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
        guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13]) else { return 0 }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    fileprivate var openFiles: Int {
        guard let directory = opendir("/proc/\(pid)/fd") else { return 0 }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        return count - 2
    }

    /// Changes how many files it may open.
    fileprivate func limitFiles(_ count: Int) throws {
        let command = try SpawnedProcess(
            "/usr/bin/prlimit", ["--pid", "\(pid)", "--nofile=\(count):"], mark: "--pid", output: "/dev/null",
            errors: "/dev/null")
        guard try command.waitForExit(within: .seconds(20)) == .status(0) else {
            throw TestSupportError(message: "prlimit failed")
        }
    }
}

import Foundation
import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// `millrace tail` and `millrace top`.
    struct FollowingCommandTests {
        private func numbered(_ numbers: ClosedRange<Int>) -> [UInt8] {
            lines(numbers.map { "{\"event_type\":\"n\",\"payload\":{\"n\":\($0)}}" })
        }

        private func lines(_ lines: [String]) -> [UInt8] { lines.flatMap { Array(($0 + "\n").utf8) } }

        /// A command that goes on, with its output in files.
        private func follow(
            _ daemon: DaemonProcess, _ arguments: String..., output: String, errors: String? = nil,
            environment: [String: String] = [:],
            input: String = "/dev/null"
        ) throws -> SpawnedProcess {
            try SpawnedProcess(
                MillraceBinary.path, arguments + ["--config", daemon.configuration], environment: environment,
                mark: daemon.configuration, input: input, output: output,
                errors: errors ?? output + ".err")
        }

        @Test func `tail shows each event once, over a kill of the daemon`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            let output = daemon.directory + "/tail"
            let tail = try follow(daemon, "tail", "--type", "n", "--json", output: output)
            #expect(try eventually { try daemon.metrics().count("millrace_live_streams", "/v1/tail") == 1 })
            let client = try TCPClient(daemon.tcp, acks: "spooled")
            try client.send(numbered(1...500))
            try client.waitForAck(500)
            #expect(eventually { TextFile.read(output).split(separator: "\n").count > 0 })
            // What is in the spool only goes in while nobody watches.
            try client.send(numbered(501...1000))
            try client.waitForAck(1000)
            try daemon.kill()
            try daemon.start()
            #expect(try eventually { try daemon.metrics().count("millrace_live_streams", "/v1/tail") == 1 })
            let more = try TCPClient(daemon.tcp, acks: "spooled")
            try more.send(numbered(1001...1100))
            try more.waitForAck(100)
            #expect(eventually { TextFile.read(output).split(separator: "\n").count >= 1100 })
            let numbers = try TextFile.read(output).split(separator: "\n").map { line in
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                return object?.value("payload", "n", as: Int.self) ?? 0
            }
            #expect(numbers.sorted() == Array(1...1100))
            let errors = TextFile.read(output + ".err")
            #expect(errors.contains("it is tried again") && errors.contains("connected again"), "\(errors)")
            #expect(tail.isRunning)
        }

        @Test func `tail begins with the past, filters, and writes nothing to a terminal but text`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            let client = try TCPClient(daemon.tcp, acks: "committed")
            let user = "5eed0000-0000-4000-8000-0000000000a2"
            try client.send(
                lines([
                    "{\"event_type\":\"x\u{202E}2J\",\"user_id\":\"\(user)\",\"payload\":{\"a\":\"\\u001b[2J\u{9B}\",\"n\":1}}",
                    #"{"event_type":"y","payload":{"n":2}}"#,
                ]))
            try client.waitForAck(2)
            let all = try daemon.run("tail", "--since", "1h", "--limit", "2")
            #expect(all.isSuccess, "\(all.errors)")
            let lines = all.output.split(separator: "\n")
            #expect(lines.count == 2 && lines[0].contains("user \(user)") && lines[1].hasSuffix(#"y  {"n": 2}"#))
            #expect(!all.output.unicodeScalars.contains { $0 == "\u{9B}" || $0 == "\u{1B}" || $0 == "\u{202E}" })
            let one = try daemon.run(
                "tail", "--since", "2020-01-01", "--limit", "1", "--payload", #"{"n": 2.0}"#, "--json")
            #expect(one.output.contains(#""event_type":"y""#) && one.output.split(separator: "\n").count == 1)
            #expect(try daemon.run("tail", "--since", "1h", "--limit", "1", "--user", user).output.contains("u202e2J"))
            let wrong = try daemon.run("tail", "--payload", "[1]")
            #expect(wrong.exit == .status(1) && wrong.errors.contains("a JSON object"), "\(wrong.errors)")
            #expect(try daemon.run("tail", "--user", "a@b.c").exit == .status(2))
        }

        @Test func `without a daemon both fail at once`() throws {
            let daemon = try DaemonProcess(databaseURL: "host=/nonexistent")
            for command in ["tail", "top"] {
                let run = try daemon.run(command)
                #expect(run.exit == .status(1) && run.errors.contains("cannot connect"), "\(run.errors)")
            }
        }

        @Test func `tail ends when nobody reads it any more`() throws {
            let installation = try Installation()
            try installation.daemon.start()
            let daemon = installation.daemon
            let script = "\"$0\" tail --config \"$1\" | head -n 1; echo \"${PIPESTATUS[0]}\""
            let output = daemon.directory + "/piped"
            let shell = try SpawnedProcess(
                "/bin/bash", ["-c", script, MillraceBinary.path, daemon.configuration], mark: daemon.configuration,
                output: output, errors: output + ".err")
            #expect(try eventually { try daemon.metrics().count("millrace_live_streams", "/v1/tail") == 1 })
            #expect(try HTTPClient(daemon.http).postEvents(Array(#"{"event_type":"a"}"#.utf8)).status == 202)
            #expect(try shell.waitForExit(within: .seconds(60)) == .status(0))
            #expect(TextFile.read(output).hasSuffix("\n0\n"), "\(TextFile.read(output))")
        }

        @Test func `top reports tick by tick where there is no terminal`() throws {
            let installation = try Installation(settings: ["live.interval": "\"200ms\""])
            let daemon = installation.daemon
            try daemon.start()
            try daemon.waitUntil("/readyz")
            let report = try daemon.run("top", "--limit", "2")
            #expect(report.isSuccess, "\(report.errors)")
            #expect(report.output.split(separator: "\n").count { $0.hasPrefix("millrace ") } == 2)
            #expect(report.output.contains("law     holds: 0 = 0 + 0 dup") && !report.output.contains("\u{1B}"))
            let json = try daemon.run("top", "--limit", "1", "--json")
            let tick = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
            #expect(tick?["scope"] as? String == "all")
        }

        @Test(arguments: ["q", "\u{3}"])
        func `top draws on a terminal, follows its size, and gives it back`(key: String) throws {
            let installation = try Installation(settings: ["live.interval": "\"200ms\""])
            let daemon = installation.daemon
            try daemon.start()
            let terminal = try PseudoTerminal(columns: 80, rows: 24)
            let top = try follow(
                daemon, "top", output: terminal.path, errors: daemon.directory + "/top.err",
                environment: ["TERM": "xterm"], input: terminal.path)
            #expect(terminal.waits(for: "\u{1B}[?1049h") && terminal.waits(for: "what comes is written"))
            terminal.resize(columns: 40, rows: 6)
            #expect(eventually { terminal.lastScreen.split(separator: "\r\n").count == 6 })
            #expect(!terminal.echoes)
            terminal.type(key)
            #expect(try top.waitForExit(within: .seconds(60)) == .status(0))
            #expect(terminal.waits(for: "\u{1B}[?25h\u{1B}[?1049l") && terminal.echoes)
        }
    }
}

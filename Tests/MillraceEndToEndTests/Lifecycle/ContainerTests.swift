import FoundationEssentials
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Dockerfile and compose.yaml, as far as they can be tried without an engine.
    struct ContainerTests {
        private struct Compose: Decodable {
            struct Service: Decodable {
                struct Health: Decodable {
                    var test: [String]
                }
                var command: [String]?
                var entrypoint: [String]?
                var environment: [String: String]?
                var healthcheck: Health?
                var image: String?
                var network_mode: String?
            }
            var services: [String: Service]
        }

        private let scratch: ScratchDirectory
        private let file = TextFile.read(Repository.root + "/Dockerfile").replacing("\\\n", with: " ")

        init() throws {
            scratch = try ScratchDirectory()
        }

        private func output(of command: String, _ arguments: [String]) throws -> String {
            let path = scratch.path + "/output-\(UInt32.random(in: 0 ... .max))"
            let process = try SpawnedProcess(
                command, arguments, mark: scratch.path, output: path, errors: path + ".errors")
            let exit = try process.waitForExit(within: .seconds(60))
            #expect(exit == .status(0), "\(command) \(arguments): \(TextFile.read(path + ".errors"))")
            return TextFile.read(path)
        }

        private func compose() throws -> Compose {
            let script = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)"
            let json = try output(of: Python.path, ["-c", script, Repository.root + "/compose.yaml"])
            return try JSONDecoder().decode(Compose.self, from: Data(json.utf8))
        }

        @Test func `what the image is built from is enough for SwiftPM and for make`() throws {
            let build = try #require(file.split(separator: "FROM ").first { $0.contains(" AS build") })
            let copied = build.split(separator: "\n").filter { $0.hasPrefix("COPY ") }
                .flatMap { $0.split(separator: " ").dropFirst().dropLast() }
            let source = scratch.path + "/src"
            _ = try output(of: "/bin/mkdir", [source])
            _ = try output(
                of: "/bin/cp", ["-r"] + copied.map { "\(Repository.root)/\($0)" } + [source])
            let swift = ProcessInfo.processInfo.environment["SWIFT"] ?? "swift"
            let targets = try output(of: "/usr/bin/env", [swift, "package", "--package-path", source, "describe"])
            #expect(targets.contains("Name: MillraceDaemon"))
            let steps = try output(of: "/usr/bin/make", ["-C", source, "-n", "deb"])
            #expect(steps.contains("systemd/debian/build.sh"))
        }

        @Test func `the daemon of compose takes its settings, and is healthy when its health check says so`() throws {
            let services = try compose().services
            let service = try #require(services["millrace"])
            let health = try #require(service.healthcheck).test
            let url = try #require(health.last)
            #expect(file.contains(#"HEALTHCHECK"#) && file.contains(url))
            let settings = try #require(service.environment).filter { $0.key.hasPrefix("MILLRACE_") }
            #expect(settings["MILLRACE_HTTP_LISTEN"].map { url.contains("//\($0)/") } == true)

            let installation = try Installation()
            let daemon = installation.daemon
            let check = try daemon.run(["check", "--all"], environment: settings)
            #expect(settings.allSatisfy { check.output.contains($0.key) }, "\(check.output)")
            try daemon.start()
            try daemon.waitUntil("/readyz")
            let path = url.dropFirst("http://".count).drop { $0 != "/" }
            #expect(try HTTPClient.get(String(path), at: daemon.http).status == 200)
            _ = try output(of: "/usr/bin/env", health.dropFirst().dropLast() + ["http://\(daemon.http)\(path)"])

            let example = try #require(services["first-event"])
            #expect(example.network_mode == "service:millrace")
            let command = (example.entrypoint ?? []) + (example.command ?? [])
            let answer = try output(
                of: "/usr/bin/env", command.map { $0.replacing("127.0.0.1:8080", with: "\(daemon.http)") })
            #expect(answer == #"{"accepted":1,"rejected":[]}"#)
            #expect(try daemon.stop() == .status(0))
        }
    }
}

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

        /// The words of the instruction's lines in a stage, counted from 0.
        private func words(of instruction: String, stage: Int) -> [Substring] {
            let stages = file.split(separator: "FROM ")[1...]
            return stages[stages.startIndex + stage].split(separator: "\n").filter { $0.hasPrefix(instruction + " ") }
                .flatMap { $0.split(separator: " ") }
        }

        @Test func `what the image is built from is there, and it is built as make build does`() throws {
            let makefile = TextFile.read(Repository.root + "/Makefile")
            func value(_ name: String) throws -> [Substring] {
                let line = try #require(makefile.split(separator: "\n").first { $0.hasPrefix("\(name) := ") })
                return line.dropFirst("\(name) := ".count).split(separator: " ")
            }
            let run = words(of: "RUN", stage: 0)
            #expect(try value("RELEASE_FLAGS").allSatisfy(run.contains))
            #expect(try value("PACKAGES").filter { $0.hasSuffix("-dev") }.allSatisfy(run.contains))
            let copied = words(of: "COPY", stage: 0).filter { $0 != "COPY" && $0 != "./" }
            #expect(Set(copied) == ["Package.swift", "Sources", "sql"])
            #expect(copied.allSatisfy { FileManager.default.fileExists(atPath: "\(Repository.root)/\($0)") })
        }

        @Test func `the image has every library that the binary is linked with`() throws {
            let dynamic = try output(of: "/usr/bin/readelf", ["--dynamic", MillraceBinary.path])
            let libraries = dynamic.matches(of: #/\(NEEDED\).*\[(.+?)\]/#).map(\.output.1)
                .filter { !$0.hasPrefix("libswift") && !$0.hasPrefix("libFoundation") }
                .filter { !["libdispatch.so", "libBlocksRuntime.so", "lib_FoundationICU.so"].contains($0) }
            #expect(libraries.contains { $0.hasPrefix("libpq.so") })
            let installed = words(of: "RUN", stage: 1)
            for library in libraries {
                let owner = try output(of: "/usr/bin/dpkg", ["--search", "*/\(library)"])
                let packages = owner.split(separator: "\n").compactMap { $0.split(separator: ":").first }
                let isThere = packages.contains { ["libc6", "libgcc-s1"].contains($0) || installed.contains($0) }
                #expect(isThere, "\(library) of \(packages)")
            }
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

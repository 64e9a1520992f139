import MillraceTestSupport
import Testing

extension EndToEnd {
    struct OpenAPITests {
        /// Schemathesis makes requests that the description allows, and ones that it does not, and compares the answers.
        @Test(.startsFirst) func `the description is true`() throws {
            let installation = try Installation()
            try installation.daemon.start()
            let client = HTTPClient(installation.daemon.http)
            let events = EventFactory(seed: 71)
            #expect(try client.postEvents(events.lines(0..<200), query: "?ack=committed").status == 200)
            let scratch = try ScratchDirectory()
            let run = try SpawnedProcess(
                Python.path,
                [
                    "-m", "schemathesis.cli", "run", "http://\(installation.daemon.http)/openapi.json", "--no-color",
                    "--max-examples", "25", "--max-time", "40", "--seed", "7", "--phases",
                    "examples,coverage,fuzzing",
                    // That answers after as many seconds as it is asked for, and those go on until the client leaves.
                    "--exclude-path", "/debug/latency", "--exclude-path", "/v1/tail", "--exclude-path", "/v1/live",
                    // A cursor can't be made up, and names of folds are known by /v1/packs only.
                    "--exclude-checks", "positive_data_acceptance", "--warnings", "off", "--generation-database",
                    "none",
                    "--request-timeout", "20",
                ], mark: "schemathesis", output: scratch.path + "/out", errors: scratch.path + "/out")
            let exit = try run.waitForExit(within: .seconds(150))
            #expect(exit == .status(0), "\(TextFile.read(scratch.path + "/out").suffix(6000))")
        }
    }
}

import MillraceTestSupport
import Testing

extension EndToEnd {
    struct HelpTests {
        private static let commands: [[String]] = [
            ["serve"], ["check"], ["migrate"], ["migrate", "up"], ["migrate", "down"], ["migrate", "status"],
            ["migrate", "history"], ["migrate", "reset"], ["send"], ["import"], ["export"], ["verify"], ["status"],
            ["latency"], ["partitions"],
            ["partitions", "list"], ["partitions", "ensure"], ["projections"], ["projections", "list"],
            ["projections", "rebuild"], ["projections", "verify"], ["dead-letters"], ["dead-letters", "list"],
            ["dead-letters", "retry"], ["dead-letters", "purge"], ["audit"], ["bench"], ["fields"], ["fields", "keys"],
            ["fields", "apply"], ["fields", "open"],
            ["backup"], ["backup", "list"], ["backup", "verify"], ["restore"], ["reindex"], ["tune"], ["psql"],
            ["tail"], ["top"], ["rules"], ["rules", "check"], ["rules", "show"], ["rules", "test"], ["mcp"],
        ]

        @Test func `every command has a help with an example`() throws {
            let scratch = try ScratchDirectory()
            for command in [[]] + Self.commands {
                let run = try CommandRun(command + ["--help"], in: scratch)
                #expect(run.isSuccess, "\(command)")
                #expect(run.output.contains("Example"), "\(command)")
                #expect(run.output.contains("millrace " + command.joined(separator: " ")), "\(command)")
            }
        }

        @Test func `every help and every page names keys that there are, with the defaults that they have`() throws {
            let settings = try SettingsReport()
            #expect(settings.defaults.count > 100)
            let scratch = try ScratchDirectory()
            for command in [[]] + Self.commands {
                let help = try CommandRun(command + ["--help"], in: scratch).output
                // Lines are broken at 80 columns.
                let text = help.split(whereSeparator: { $0.isWhitespace }).joined(separator: " ")
                #expect(settings.faults(in: text) == [], "\(command)")
            }
            for page in try Repository.pages() {
                let text = TextFile.read(page).replacing("\n", with: " ")
                #expect(settings.faults(in: text) == [], "\(page)")
            }
        }

        @Test(
            arguments: [
                ["nonsense"], ["serve", "--bogus"], ["migrate", "sideways"], ["migrate", "down", "--steps", "0"],
                ["send", "--ack", "maybe"], ["tail", "--user", "a@b.c"], ["top", "--limit", "0"],
                ["dead-letters", "retry"], ["dead-letters", "purge"],
                ["partitions", "ensure", "--months", "many"], ["status", "extra"], ["bench", "--find-max"],
                ["bench", "--events", "5", "--duration", "3"],
                ["backup", "--jobs", "0"], ["backup", "verify", "x", "--all"], ["restore", "--to", "yesterday"],
                ["restore", "--spool", "aside"], ["restore", "--segments", "--to", "latest"],
                ["mcp", "--output-kib", "0"], ["mcp", "--timeout", "0"],
            ])
        func `wrong use is status 2 with the usage on standard error`(arguments: [String]) throws {
            let run = try CommandRun(arguments, in: ScratchDirectory())
            #expect(run.exit == .status(2))
            #expect(run.output.isEmpty)
            #expect(run.errors.contains("Usage:"), "\(run.errors)")
        }
    }
}

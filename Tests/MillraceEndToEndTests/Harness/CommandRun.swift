import FoundationEssentials
import MillraceTestSupport

/// One run of a command of the binary, to its end.
struct CommandRun {
    let exit: SpawnedProcess.Exit
    let output: String
    let errors: String

    init(
        _ arguments: [String], environment: [String: String] = [:], input: String = "/dev/null",
        in scratch: ScratchDirectory, within limit: Duration = .seconds(120)
    ) throws {
        let name = "\(scratch.path)/run-\(UInt64.random(in: 0 ... .max))"
        let process = try SpawnedProcess(
            MillraceBinary.path, arguments, environment: environment, mark: scratch.path, input: input,
            output: name + ".out", errors: name + ".err")
        exit = try process.waitForExit(within: limit)
        output = TextFile.read(name + ".out")
        errors = TextFile.read(name + ".err")
    }

    var isSuccess: Bool { exit == .status(0) }

    /// Decodes the report; names are in snake_case.
    func report<Report: Decodable>(_ type: Report.Type) throws -> Report {
        do {
            return try Self.decode(type, from: output)
        } catch {
            throw TestSupportError(message: "no such report: \(error)\n\(output.prefix(2000))\n\(errors.prefix(2000))")
        }
    }

    static func decode<Report: Decodable>(_ type: Report.Type, from text: String) throws -> Report {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: Data(text.utf8))
    }
}

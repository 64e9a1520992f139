import FoundationEssentials
import MillraceAccess
import MillracePostgres
import MillraceTestSupport
import Testing

@testable import MillraceConsole

struct ClientKeyTests {
    private let scratch: ScratchDirectory
    private let key = AccessKey.make(scopes: [.write]).text

    init() throws {
        scratch = try ScratchDirectory()
    }

    private func file(_ text: String) -> String {
        let path = scratch.path + "/key"
        #expect(FileManager.default.createFile(atPath: path, contents: Data(text.utf8)))
        return path
    }

    @Test func `a key comes from the file, else from the environment, blanks and line ends left out`() throws {
        #expect(try ClientKey.read(file: file(" \(key)\r\n"), environment: ["MILLRACE_KEY": "mr_x"])?.value == key)
        #expect(try ClientKey.read(file: nil, environment: ["MILLRACE_KEY": key])?.value == key)
        #expect(try ClientKey.read(file: nil, environment: ["MILLRACE_KEY_FILE": file(key)])?.value == key)
        #expect(try ClientKey.read(file: nil, environment: ["MILLRACE_KEY": ""]) == nil)
    }

    @Test func `what is no key is told without quoting it`() throws {
        let broken = String(key.dropLast()) + (key.hasSuffix("0") ? "1" : "0")
        for text in ["", broken, key + key, "\(key)\n\(key)"] {
            let error = try #require(throws: CommandError.self) {
                try ClientKey.read(file: file(text), environment: [:])
            }
            #expect(error.message.hasSuffix("holds no key"))
            #expect(!error.description.contains(key.dropFirst(18).prefix(20)))
        }
        #expect(throws: CommandError.self) { try ClientKey.read(file: scratch.path + "/none", environment: [:]) }
    }

    @Test func `a key goes into the greeting and the field Authorization, and is not printed`() throws {
        let endpoint = try #require(Endpoint("127.0.0.1:1"))
        var destination = Destination(endpoint)
        #expect(
            String(decoding: destination.greeting(acks: "spooled"), as: UTF8.self)
                == "{\"hello\":{\"acks\":\"spooled\"}}\n")
        #expect(destination.authorization.isEmpty)
        destination.key = Secret(key)
        #expect(
            String(decoding: destination.greeting(acks: "committed"), as: UTF8.self)
                == "{\"hello\":{\"acks\":\"committed\",\"key\":\"\(key)\"}}\n")
        #expect(destination.authorization == "Authorization: Bearer \(key)\r\n")
        #expect(!"\(destination)".contains("mr_"))
    }
}

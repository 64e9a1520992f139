import NIOCore
import NIOPosix
import Testing

@testable import MillraceClient

struct ClientConfigurationTests {
    private static let key = "mr_w_0123456789_abcdefghijklmnop"

    @Test func `a key is in no description, dump or error`() throws {
        let configuration = MillraceClient.Configuration(host: "millrace.example", key: Self.key)
        var dumped = ""
        dump(configuration, to: &dumped)
        #expect(dumped.contains("millrace.example"))
        for text in ["\(configuration)", String(reflecting: configuration), dumped] {
            #expect(!text.contains(Self.key), "\(text)")
        }
        var broken = configuration
        broken.key = Self.key + "\"\n"
        do {
            _ = try MillraceClient(broken)
            Issue.record("a key of two lines")
        } catch {
            #expect(error.code == .invalidConfiguration && !error.description.contains(Self.key))
        }
    }

    @Test func `what can't work is refused before anything is sent`() throws {
        typealias Configuration = MillraceClient.Configuration
        let base = Configuration(host: "127.0.0.1")
        let wrong: [(inout Configuration) -> Void] = [
            { $0.bufferEventsMax = 0 }, { $0.bufferBytesMax = 0 }, { $0.backoffMin = .zero },
            { $0.backoffMax = .milliseconds(1) }, { $0.answerTimeout = .zero }, { $0.key = "" },
            { $0.address = .host("a", port: 0) }, { $0.address = .host("a", port: 65_536) },
            { ($0.address, $0.tls) = (.unix(path: "/s"), .init()) }, { $0.tls = .init(certificate: "/c") },
            { $0.tls = .init(authorities: "/nowhere/ca.pem") },
        ]
        for change in wrong {
            var configuration = base
            change(&configuration)
            #expect(throws: MillraceClientError.self) { try MillraceClient(configuration) }
        }
        _ = try MillraceClient(base)
    }

    @Test func `the greeting says which acks are wanted, and the key`() throws {
        var configuration = MillraceClient.Configuration(host: "127.0.0.1", key: Self.key)
        configuration.acknowledgement = .committed
        let connector = try ClientConnector(configuration, group: MultiThreadedEventLoopGroup.singleton)
        #expect(
            connector.greeting
                == .init(string: "{\"hello\":{\"acks\":\"committed\",\"key\":\"\(Self.key)\"}}\n"))
    }

    @Test func `answers are cut into lines however they come, and one without an end is noticed`() {
        var lines = AnswerLines()
        lines.append("{\"ack\":1}\n{\"a".utf8)
        #expect(lines.next().map { String(decoding: $0, as: UTF8.self) } == "{\"ack\":1}")
        #expect(lines.next() == nil)
        lines.append("ck\":2}\n\n".utf8)
        #expect(lines.next().map { String(decoding: $0, as: UTF8.self) } == "{\"ack\":2}")
        #expect(lines.next()?.isEmpty == true)
        #expect(lines.next() == nil && !lines.isOverfull)
        lines.append(repeatElement(UInt8(ascii: "x"), count: AnswerLines.lineBytesMax + 1))
        #expect(lines.next() == nil && lines.isOverfull)
    }
}

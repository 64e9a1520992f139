import MillraceEvent
import MillraceTreatment
import Testing

struct RefusedLineTests {
    @Test func `a refused line is kept without NUL, which PostgreSQL can't hold`() {
        let bytes: [UInt8] = Array("a\0\u{1}\"\n\0".utf8) + [0xFF] + Array("é".utf8)
        let json = bytes.withUnsafeBytes { prefix in
            RefusedLine(
                refusal: Refusal(.invalidJSON, "it is \"none\""), peer: "127.0.0.1", prefix: prefix, lineBytes: 4096
            ).json
        }
        #expect(
            String(decoding: json, as: UTF8.self)
                == #"{"code":"invalid_json","message":"it is \"none\"","peer":"127.0.0.1","#
                + #""line":"a\u0001\"\n"# + "\u{FFFD}é" + #"","line_bytes":4096}"#)
    }
}

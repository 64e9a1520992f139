/// File names inside a spool directory:
///
/// | name | what |
/// | --- | --- |
/// | `000000000001.seg` | a segment, numbered from 1 |
/// | `spool.id` | the spool's UUID as text, so that it outlives a damaged segment header |
/// | `lock` | `flock`ed by the daemon; holds its process id |
/// | `probe` | written and removed to see whether a full disk has room again |
/// | `000000000001.seg.rewrite` | what takes the segment's place once it is whole |
/// | `damaged/000000000001-64-112.bin` | bytes set aside: segment, offset, length |
enum SegmentName {
    static let identity = "spool.id"
    static let lock = "lock"
    static let probe = "probe"
    static let damaged = "damaged"
    /// Behind the name of a segment.
    static let rewritten = ".rewrite"
    private static let suffix = ".seg"

    static func file(_ number: UInt64) -> String {
        padded(number) + suffix
    }

    /// The number in a segment's file name; nil for any other name.
    static func number(of name: String) -> UInt64? {
        guard name.hasSuffix(suffix), let number = UInt64(name.dropLast(suffix.count)), file(number) == name else {
            return nil
        }
        return number
    }

    static func damage(segment: UInt64, offset: Int, length: Int) -> String {
        "\(padded(segment))-\(offset)-\(length).bin"
    }

    private static func padded(_ number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 12 - digits.count)) + digits
    }
}

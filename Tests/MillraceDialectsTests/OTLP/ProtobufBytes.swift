/// A message of protobuf, written by hand so that the reader is held against something else than its own writer.
struct ProtobufBytes {
    private(set) var bytes: [UInt8] = []

    /// A field with a length: a string, bytes, or a message.
    func with(_ field: Int, _ content: [UInt8]) -> ProtobufBytes {
        appending(Self.varint(UInt64(field << 3 | 2)) + Self.varint(UInt64(content.count)) + content)
    }

    func with(_ field: Int, _ text: String) -> ProtobufBytes { with(field, Array(text.utf8)) }

    func with(_ field: Int, _ message: ProtobufBytes) -> ProtobufBytes { with(field, message.bytes) }

    func with(_ field: Int, varint number: UInt64) -> ProtobufBytes {
        appending(Self.varint(UInt64(field << 3)) + Self.varint(number))
    }

    func with(_ field: Int, fixed64 number: UInt64) -> ProtobufBytes {
        appending(Self.varint(UInt64(field << 3 | 1)) + withUnsafeBytes(of: number.littleEndian) { Array($0) })
    }

    func with(_ field: Int, fixed32 number: UInt32) -> ProtobufBytes {
        appending(Self.varint(UInt64(field << 3 | 5)) + withUnsafeBytes(of: number.littleEndian) { Array($0) })
    }

    private func appending(_ more: [UInt8]) -> ProtobufBytes {
        var result = self
        result.bytes += more
        return result
    }

    private static func varint(_ number: UInt64) -> [UInt8] {
        var (rest, bytes) = (number, [UInt8]())
        while rest > 127 {
            bytes.append(UInt8(rest & 127) | 128)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    // MARK: OTLP

    /// KeyValue.
    static func attribute(_ name: String, _ value: ProtobufBytes) -> ProtobufBytes {
        ProtobufBytes().with(1, name).with(2, value)
    }

    /// AnyValue.
    static func text(_ text: String) -> ProtobufBytes { ProtobufBytes().with(1, text) }

    /// A request of one resource and one scope without attributes.
    static func request(_ records: [ProtobufBytes]) -> [UInt8] {
        let scope = records.reduce(ProtobufBytes()) { $0.with(2, $1) }
        return ProtobufBytes().with(1, ProtobufBytes().with(2, scope)).bytes
    }
}

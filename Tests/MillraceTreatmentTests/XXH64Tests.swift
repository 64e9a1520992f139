import CMillrace
import Testing

struct XXH64Tests {
    /// Of the documentation of python-xxhash, and of the specification's reference code.
    @Test(
        arguments: [
            ("", 0xEF46_DB37_51D8_E999), ("a", 0xD24E_C4F1_A98C_6E5B), ("abc", 0x44BC_2CF5_AD77_0999),
            ("Nobody inspects the spammish repetition", 0xFBCE_A83C_8A37_8BF1),
        ] as [(String, UInt64)])
    func `hashes are those of the specification`(text: String, hash: UInt64) {
        #expect(Array(text.utf8).withUnsafeBytes { XXH64.hash($0) } == hash)
    }
}

enum XXH64 {
    static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        mr_xxh64(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
    }
}

/// The packs that shipped with Millrace before, as they were, for `projections.directory`.
package enum OlderPacks {
    /// Version 1 of analytics and conversations: their sketches are in one row each.
    package static let directory =
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
        + "/Fixtures/packs-version-1"
}

/// Registers of sketches as packs of version 1 kept them: a byte for each of 2^16.
package enum WideSketch {
    package static func bytes(of hashes: some Sequence<UInt64>) -> [UInt8] {
        var registers = [UInt8](repeating: 0, count: 1 << 16)
        for hash in hashes {
            let index = Int(hash >> 48)
            let rank = (hash << 16 | 1 << 15).leadingZeroBitCount + 1
            registers[index] = max(registers[index], UInt8(truncatingIfNeeded: rank))
        }
        return [2] + registers
    }

    package static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

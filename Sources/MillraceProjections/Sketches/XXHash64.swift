/// XXH64 with seed 0, of the xxHash specification. Sketches on disk are made of its values, so it never changes.
enum XXHash64 {
    private static let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
    private static let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
    private static let prime3: UInt64 = 0x1656_67B1_9E37_79F9
    private static let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
    private static let prime5: UInt64 = 0x27D4_EB2F_1656_67C5

    static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        guard let start = bytes.baseAddress else { return finish(prime5) }
        var at = start
        let end = start + bytes.count
        var hash: UInt64
        if bytes.count >= 32 {
            var one = prime1 &+ prime2
            var two = prime2
            var three: UInt64 = 0
            var four = 0 &- prime1
            while end - at >= 32 {
                one = round(one, word(at))
                two = round(two, word(at + 8))
                three = round(three, word(at + 16))
                four = round(four, word(at + 24))
                at += 32
            }
            hash = rotate(one, 1) &+ rotate(two, 7) &+ rotate(three, 12) &+ rotate(four, 18)
            for lane in [one, two, three, four] { hash = (hash ^ round(0, lane)) &* prime1 &+ prime4 }
        } else {
            hash = prime5
        }
        hash &+= UInt64(bytes.count)
        while end - at >= 8 {
            hash = rotate(hash ^ round(0, word(at)), 27) &* prime1 &+ prime4
            at += 8
        }
        if end - at >= 4 {
            let half = UInt64(UInt32(littleEndian: at.loadUnaligned(as: UInt32.self)))
            hash = rotate(hash ^ half &* prime1, 23) &* prime2 &+ prime3
            at += 4
        }
        while at < end {
            hash = rotate(hash ^ UInt64(at.load(as: UInt8.self)) &* prime5, 11) &* prime1
            at += 1
        }
        return finish(hash)
    }

    private static func finish(_ value: UInt64) -> UInt64 {
        var hash = value
        hash = (hash ^ hash >> 33) &* prime2
        hash = (hash ^ hash >> 29) &* prime3
        return hash ^ hash >> 32
    }

    private static func round(_ sum: UInt64, _ word: UInt64) -> UInt64 {
        rotate(sum &+ word &* prime2, 31) &* prime1
    }

    private static func rotate(_ value: UInt64, _ bits: UInt64) -> UInt64 {
        value << bits | value >> (64 - bits)
    }

    private static func word(_ at: UnsafeRawPointer) -> UInt64 {
        UInt64(littleEndian: at.loadUnaligned(as: UInt64.self))
    }
}

internal import Crypto
internal import Synchronization

/// The keys that values are encrypted, hashed and found by, out of the file `fields.keys_file`.
///
/// A line is `PURPOSE ID KEY`: an id of 1 to 32 characters of `a-z0-9-`, and 32 bytes in base64. `#` begins a comment. Of a
/// purpose the first line is the one in use:
///
/// | purpose | for | further lines |
/// | --- | --- | --- |
/// | `encrypt` | values and refused lines | open what was sealed with them |
/// | `index` | the blind index | are looked for, too |
/// | `hash` | `sha256` | none |
/// | `identity` | ids of conversation saves whose question is encrypted | none |
package final class FieldKeys: Sendable {
    package enum Purpose: String, Sendable, CaseIterable {
        case encrypt, index, hash, identity

        /// Another key would make other values of the same: what is stored is not found any more.
        package var hasOne: Bool { self == .hash || self == .identity }
    }

    struct Key: Sendable {
        var id: String
        var material: SymmetricKey
    }

    /// How a key is used for one run of a daemon.
    struct Sealing: Sendable {
        var keyID: [UInt8]
        var salt: [UInt8]
        var key: SymmetricKey
        /// Counts down to 0, then comes another salt: no two values of one key have the same.
        fileprivate(set) var usesLeft: UInt32
    }

    static let keyBytes = 32
    static let saltBytes = 8
    private static let sealingUsesMax: UInt32 = 1 << 31
    private static let openingsMax = 4096

    private let keys: [Purpose: [Key]]
    private let sealing: Mutex<Sealing?>
    /// Derived keys by key id and salt.
    private let openings = Mutex<[[UInt8]: SymmetricKey]>([:])

    /// `text`: of the file. Throws what is wrong with it, by line.
    package init(_ text: String) throws(FieldsError) {
        var keys: [Purpose: [Key]] = [:]
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.prefix { $0 != "#" }.split { $0.isWhitespace }
            guard !words.isEmpty else { continue }
            func wrong(_ what: String) -> FieldsError {
                FieldsError(key: "fields.keys_file", message: "line \(number + 1) \(what)")
            }
            guard words.count == 3 else {
                throw wrong("has \(words.count) words; wanted: PURPOSE ID KEY, as `millrace fields keys` writes them")
            }
            guard let purpose = Purpose(rawValue: String(words[0])) else {
                throw wrong("has an unknown purpose; wanted: encrypt, index, hash or identity")
            }
            let id = String(words[1])
            guard Self.isID(id) else { throw wrong("has a bad id; wanted: 1 to 32 characters of a-z, 0-9 and -") }
            let digits = words[2].utf8.reversed().drop { $0 == UInt8(ascii: "=") }.reversed()
            guard let bytes = Base64URL.bytes(Array(digits)), bytes.count == Self.keyBytes else {
                throw wrong("has a key that is not 32 bytes in base64; `millrace fields keys` makes some")
            }
            guard !keys[purpose, default: []].contains(where: { $0.id == id }) else {
                throw wrong("has the id of an earlier \(purpose) key; each has its own")
            }
            guard !purpose.hasOne || keys[purpose] == nil else {
                throw wrong("is a second \(purpose) key; there is one, for good")
            }
            keys[purpose, default: []].append(Key(id: id, material: SymmetricKey(data: bytes)))
        }
        self.keys = keys
        sealing = Mutex(nil)
    }

    private static func isID(_ text: String) -> Bool {
        (1...32).contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
    }

    /// The line of a new key.
    package static func newLine(_ purpose: Purpose, id: String) -> String {
        let bytes = SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) }
        return "\(purpose) \(id) \(String(decoding: Base64URL.text(bytes), as: UTF8.self))"
    }

    /// Ids by purpose, the one in use first.
    package func ids(_ purpose: Purpose) -> [String] { all(purpose).map(\.id) }

    func all(_ purpose: Purpose) -> [Key] { keys[purpose, default: []] }

    /// The one in use; nil: there is none.
    func active(_ purpose: Purpose) -> Key? { keys[purpose]?.first }

    // MARK: - Keys of AES-GCM

    /// Throws where there is no key to encrypt with.
    func nextSealing() throws(FieldsError) -> Sealing {
        guard let active = active(.encrypt) else { throw Self.missing(.encrypt) }
        return sealing.withLock { sealing in
            if var held = sealing, held.usesLeft > 0 {
                held.usesLeft -= 1
                sealing = held
                return held
            }
            let salt = SymmetricKey(size: SymmetricKeySize(bitCount: Self.saltBytes * 8)).withUnsafeBytes { Array($0) }
            let fresh = Sealing(
                keyID: Array(active.id.utf8), salt: salt, key: Self.derived(active, salt),
                usesLeft: Self.sealingUsesMax)
            sealing = fresh
            return fresh
        }
    }

    /// The key that a value was sealed with; nil: its key is not here.
    func opening(keyID: some Collection<UInt8>, salt: some Collection<UInt8>) -> SymmetricKey? {
        let place = Array(keyID) + [0] + Array(salt)
        if let known = openings.withLock({ $0[place] }) { return known }
        guard let key = all(.encrypt).first(where: { $0.id.utf8.elementsEqual(keyID) }) else { return nil }
        let derived = Self.derived(key, Array(salt))
        openings.withLock { openings in
            if openings.count >= Self.openingsMax { openings = [:] }
            openings[place] = derived
        }
        return derived
    }

    private static func derived(_ key: Key, _ salt: [UInt8]) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(
            inputKeyMaterial: key.material, salt: salt, info: Array("millrace fields 1".utf8), outputByteCount: keyBytes
        )
    }

    static func missing(_ purpose: Purpose) -> FieldsError {
        FieldsError(
            key: "fields.keys_file",
            message: "has no \(purpose) key, which what is listed needs; `millrace fields keys` makes some")
    }
}

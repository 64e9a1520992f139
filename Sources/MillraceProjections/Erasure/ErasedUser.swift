package import MillraceEvent
internal import MillracePostgres
internal import Crypto

/// A user who is erased, as long as the id is known.
package struct ErasedUser: Sendable, Hashable {
    /// Of an id that is no UUID.
    static let externalBytesMax = 200

    package var tenant: Int32
    package var id: UniqueID
    /// The tenant's own id, where it is no UUID.
    package var external: String?
    /// Which pack alone knows the user by `external`; nil: all.
    package var pack: String?
    /// What `erasures.user_hash` holds.
    package var hash: [UInt8]
    /// `Erasure.life`.
    private var life = ""

    package init(_ erasure: Erasure, salt: [UInt8]) {
        self.init(
            tenant: erasure.tenant, id: erasure.user, external: erasure.external, pack: erasure.pack, salt: salt)
        life = erasure.life
    }

    package init(tenant: Int32, id: UniqueID, external: String? = nil, pack: String? = nil, salt: [UInt8]) {
        self.tenant = tenant
        self.id = id
        self.pack = pack
        self.external = external.flatMap { UniqueID($0) == nil ? $0 : nil }
        hash = Self.hash(salt: salt, tenant: tenant, id.bytes)
    }

    /// What stands where the id stood and something must: rows that belong together stay together. Of the hash, so that a
    /// month that comes back gets the same. Who is erased again gets another one: what they did since does not belong to
    /// what they did before, and where a table has one row a user, both stay.
    package var pseudonym: UniqueID {
        let hash = life.isEmpty ? hash : Self.hash(salt: hash, tenant: tenant, Array(life.utf8))
        let bytes = UniqueID(bytes: hash.prefix(16)) ?? id
        return UniqueID(
            high: bytes.high & 0xFFFF_FFFF_FFFF_0FFF | 0x8000,
            low: bytes.low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
    }

    /// SHA-256 of the salt, the tenant and what is hashed.
    static func hash(salt: [UInt8], tenant: Int32, _ bytes: [UInt8]) -> [UInt8] {
        var all = salt
        withUnsafeBytes(of: tenant.bigEndian) { all += $0 }
        all += bytes
        return Array(SHA256.hash(data: all))
    }

    /// What `erasure_keys.key_hash` holds.
    static func hash(salt: [UInt8], tenant: Int32, fold: String, key: String) -> [UInt8] {
        hash(salt: salt, tenant: tenant, Array("\(fold) \(key)".utf8))
    }
}

import MillraceAccess
import MillraceEvent

/// Keys in force, by their texts.
struct TestKeys {
    let ring = KeyRing(isRequired: false)
    private var records: [KeyRecord] = []

    /// Returns its text.
    mutating func add(_ scopes: Set<AccessScope>, tenant: Int32 = 0) -> String {
        let (key, text) = AccessKey.make(scopes: scopes)
        records.append(KeyRecord(id: key.id, name: key.id, tenant: tenant, scopes: scopes, secretHash: key.secretHash))
        replace()
        return text
    }

    mutating func revokeAll() {
        for index in records.indices { records[index].revokedAt = Timestamp.now.microseconds }
        replace()
    }

    private func replace() { ring.replace(with: records, at: .now, clock: 0) }
}

import MillraceAccess
import MillraceEvent
import Testing

struct KeyRingTests {
    private static let now = Timestamp(microseconds: 1_000_000)

    private func key(_ change: (inout KeyRecord) -> Void = { _ in }) -> (record: KeyRecord, text: String) {
        let (key, text) = AccessKey.make(scopes: [.write])
        var record = KeyRecord(id: key.id, name: "app", tenant: 3, scopes: [.write], secretHash: key.secretHash)
        change(&record)
        return (record, text)
    }

    @Test func `keys are wanted from the first one on, even when all are revoked`() {
        let ring = KeyRing(isRequired: false)
        #expect(!ring.wantsKeys)
        ring.replace(with: [], at: Self.now, clock: 0)
        #expect(!ring.wantsKeys)
        let (record, text) = key { $0.revokedAt = 5 }
        ring.replace(with: [record], at: Self.now, clock: 0)
        #expect(ring.wantsKeys)
        #expect(ring.grant(for: text, clientSubject: nil, at: Self.now) == nil)
        ring.replace(with: [], at: Self.now, clock: 0)
        #expect(ring.wantsKeys)
    }

    @Test func `only the whole key opens, until it ends`() throws {
        let ring = KeyRing(isRequired: true)
        let (record, text) = key { $0.expiresAt = 2_000_000 }
        let other = AccessKey.make(scopes: [.write])
        ring.replace(with: [record], at: Self.now, clock: 0)
        let grant = try #require(ring.grant(for: text, clientSubject: nil, at: Self.now))
        #expect(grant.tenant == 3 && !grant.isEnded)
        #expect(ring.grant(for: other.text, clientSubject: nil, at: Self.now) == nil)
        let late = Timestamp(microseconds: 2_000_000)
        #expect(ring.grant(for: text, clientSubject: nil, at: late) == nil)
        ring.expire(at: late)
        #expect(grant.isEnded)
        #expect(ring.renewed(grant, clientSubject: nil, at: late) == nil)
    }

    @Test func `pages may ask as long as a key in force has their origin`() throws {
        let ring = KeyRing(isRequired: true)
        let (shop, text) = key {
            $0.origins = ["https://a.example", "https://*.b.example"]
            $0.expiresAt = 2_000_000
        }
        ring.replace(with: [key().record, shop], at: Self.now, clock: 0)
        let origins = ["https://a.example", "https://x.b.example", "https://b.example", "null"]
        #expect(origins.map { ring.allowsPages(of: $0) } == [true, true, false, false])
        let grant = try #require(ring.grant(for: text, clientSubject: nil, at: Self.now))
        #expect(origins.map { grant.origins.contains($0) } == [true, true, false, false])
        ring.expire(at: Timestamp(microseconds: 2_000_000))
        #expect(!ring.allowsPages(of: "https://a.example"))
    }

    @Test func `a key that did not change keeps what it has used, one that did ends for its holders`() throws {
        let ring = KeyRing(isRequired: true)
        let (record, text) = key { $0.events = .init(perSecond: 10) }
        ring.replace(with: [record], at: Self.now, clock: 0)
        let grant = try #require(ring.grant(for: text, clientSubject: nil, at: Self.now))
        grant.take(events: 20, bytes: 0, now: 0)
        ring.replace(with: [record], at: Self.now, clock: 0)
        #expect(ring.grant(for: text, clientSubject: nil, at: Self.now) === grant)
        #expect(grant.wait(now: 0) > .zero)
        var changed = record
        changed.tenant = 4
        ring.replace(with: [changed], at: Self.now, clock: 0)
        #expect(grant.isEnded)
        #expect(ring.renewed(grant, clientSubject: nil, at: Self.now)?.tenant == 4)
    }

    @Test func `a key that is bound to a certificate opens with that one alone`() {
        let ring = KeyRing(isRequired: true)
        let (record, text) = key { $0.clientSubject = "CN=app" }
        ring.replace(with: [record], at: Self.now, clock: 0)
        #expect(ring.grant(for: text, clientSubject: nil, at: Self.now) == nil)
        #expect(ring.grant(for: text, clientSubject: "CN=other", at: Self.now) == nil)
        #expect(ring.grant(for: text, clientSubject: "CN=app", at: Self.now) != nil)
    }

    @Test(arguments: [
        ("page.viewed", true), ("cart.added", true), ("cart", false), ("cartx.added", false), ("page", false),
    ])
    func `types are whole names or everything behind a prefix`(type: String, isAllowed: Bool) throws {
        let filter = try #require(EventTypeFilter(["page.viewed", "cart.*"]))
        #expect(filter.allows(type.utf8) == isAllowed)
        #expect(EventTypeFilter([]) == nil)
    }

    @Test func `a debt is paid before anything more is let in`() throws {
        let limiter = try #require(RateLimiter(.init(perSecond: 100, burst: 50), now: 0))
        #expect(limiter.wait(now: 0) == .zero)
        limiter.take(250, now: 0)
        #expect(limiter.wait(now: 2_000_000_000) > .zero)
        #expect(limiter.wait(now: 2_100_000_000) == .zero)
        limiter.take(51, now: 2_500_000_000)
        #expect(limiter.wait(now: 2_505_000_000) > .zero, "less than one event is none")
        limiter.take(.max, now: 3_000_000_000)
        #expect(limiter.wait(now: 3_000_000_000) == .seconds(86_400))
        #expect(RateLimiter(.init(), now: 0) == nil)
    }
}

/// What is known of keys before PostgreSQL says which there are.
struct RecalledKeysTests {
    private static let now = Timestamp(microseconds: 1_000_000)

    private func key() -> (record: KeyRecord, text: String) {
        let (key, text) = AccessKey.make(scopes: [.write])
        return (KeyRecord(id: key.id, name: "", tenant: 0, scopes: [.write], secretHash: key.secretHash), text)
    }

    @Test func `keys of before open, and are wanted until it is known that there are none`() {
        let ring = KeyRing(isRequired: false)
        let (record, text) = key()
        ring.recall([record], areAnyKnown: true, at: Self.now, clock: 0)
        #expect(ring.wantsKeys && ring.count == 1)
        #expect(ring.grant(for: text, clientSubject: nil, at: Self.now) != nil)
        ring.replace(with: [], at: Self.now, clock: 0)
        #expect(!ring.wantsKeys && ring.count == 0)
    }

    @Test func `that all of before were revoked has keys wanted too`() {
        let ring = KeyRing(isRequired: false)
        ring.recall([], areAnyKnown: true, at: Self.now, clock: 0)
        #expect(ring.wantsKeys)
        ring.replace(with: [], areAnyKnown: true, at: Self.now, clock: 0)
        #expect(ring.wantsKeys)
        ring.replace(with: [], at: Self.now, clock: 0)
        #expect(ring.wantsKeys, "a key that was made was made")
    }

    @Test func `in doubt keys are wanted, until it is known which there are`() {
        let ring = KeyRing(isRequired: false)
        ring.doubt()
        #expect(ring.wantsKeys)
        ring.replace(with: [], at: Self.now, clock: 0)
        #expect(!ring.wantsKeys)
        let always = KeyRing(isRequired: true)
        always.replace(with: [], at: Self.now, clock: 0)
        #expect(always.wantsKeys)
    }
}

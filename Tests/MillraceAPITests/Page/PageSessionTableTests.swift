import MillraceAccess
import MillraceEvent
import Testing

@testable import MillraceAPI

struct PageSessionTableTests {
    private let ring = KeyRing(isRequired: true)
    private let start = ContinuousClock.now
    private var records: [KeyRecord] = []
    private var texts: [String: String] = [:]

    init() {
        for name in ["a", "b"] {
            let (key, text) = AccessKey.make(scopes: [.read])
            records.append(
                KeyRecord(id: key.id, name: name, tenant: 3, scopes: [.read], secretHash: key.secretHash))
            texts[name] = text
        }
        ring.replace(with: records, areAnyKnown: true, at: .now, clock: 0)
    }

    private func grant(_ name: String) throws -> Grant {
        try #require(ring.grant(for: texts[name] ?? "", clientSubject: nil, at: .now))
    }

    private func configuration(max: Int = 3, lifetime: Duration = .seconds(100)) -> PageConfiguration {
        var configuration = PageConfiguration()
        configuration.sessionsMax = max
        configuration.sessionLifetime = lifetime
        return configuration
    }

    @Test func `a session lasts for its lifetime, whatever is asked meanwhile`() throws {
        var table = PageSessionTable()
        try table.begin([1], grant("a"), at: start, configuration())
        for seconds in stride(from: 0, to: 100, by: 10) {
            #expect(table.session([1], at: start + .seconds(seconds)) != nil)
        }
        #expect(table.session([1], at: start + .seconds(100)) == nil)
        #expect(table.session([2], at: start) == nil)
        // Whatever is over makes room.
        try table.begin([2], grant("b"), at: start + .seconds(101), configuration())
        #expect(table.count == 1)
    }

    @Test func `when there are too many, the oldest of the same key goes first`() throws {
        var table = PageSessionTable()
        func there(_ hashes: UInt8...) -> [UInt8] { hashes.filter { table.session([$0], at: start) != nil } }
        try table.begin([1], grant("a"), at: start, configuration())
        try table.begin([2], grant("b"), at: start, configuration())
        try table.begin([3], grant("b"), at: start, configuration())
        try table.begin([4], grant("b"), at: start, configuration())
        #expect(there(1, 2, 3, 4) == [1, 3, 4])
        try table.begin([5], grant("a"), at: start, configuration())
        #expect(there(1, 3, 4, 5) == [3, 4, 5])
        // A reload allows fewer.
        try table.begin([6], grant("a"), at: start, configuration(max: 1))
        #expect(there(3, 4, 5, 6) == [6])
        // None of its own: the oldest of all.
        try table.begin([7], grant("b"), at: start, configuration(max: 1))
        #expect(there(6, 7) == [7])
        table.end([7])
        table.end([7])
        #expect(table.count == 0)
    }

    @Test func `a login ends with its key, and takes over what the key has become`() throws {
        let sessions = PageSessions()
        let token = try sessions.begin(grant("a"), configuration())
        let other = try sessions.begin(grant("b"), configuration())
        #expect(token.count == 64 && token != other)
        #expect(sessions.grant(of: token, in: ring, clientSubject: nil)?.grant.tenant == 3)
        var changed = records
        changed[0].scopes = [.admin]
        ring.replace(with: changed, areAnyKnown: true, at: .now, clock: 0)
        #expect(sessions.grant(of: token, in: ring, clientSubject: nil)?.grant.record.scopes == [.admin])
        changed[0].revokedAt = 0
        ring.replace(with: changed, areAnyKnown: true, at: .now, clock: 0)
        #expect(sessions.grant(of: token, in: ring, clientSubject: nil) == nil)
        // It does not come back with the key.
        ring.replace(with: records, areAnyKnown: true, at: .now, clock: 0)
        #expect(sessions.grant(of: token, in: ring, clientSubject: nil) == nil)
        #expect(sessions.grant(of: other, in: ring, clientSubject: nil) != nil)
        sessions.end(other)
        #expect(sessions.grant(of: other, in: ring, clientSubject: nil) == nil)
        for wrong in ["", "0", token.uppercased(), String(repeating: "0", count: 64)] {
            #expect(sessions.grant(of: wrong, in: ring, clientSubject: nil) == nil)
        }
    }
}

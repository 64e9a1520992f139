import MillraceAccess
import MillraceEvent
import Synchronization
import Testing

struct AddressTableTests {
    private static func address(_ last: Int) throws -> ClientAddress {
        try #require(ClientAddress([192, 0, UInt8(last >> 8), UInt8(last & 0xFF)] as [UInt8]))
    }

    private static func v6(_ bytes: [Int: UInt8]) -> ClientAddress? {
        ClientAddress((0..<16).map { bytes[$0] ?? 0 })
    }

    @Test func `IPv6 goes by its first 64 bits, and an IPv4 address is itself in both forms`() throws {
        #expect(Self.v6([0: 0x20, 7: 1, 15: 1]) == Self.v6([0: 0x20, 7: 1, 8: 9]))
        #expect(Self.v6([0: 0x20, 7: 1]) != Self.v6([0: 0x20, 7: 2]))
        let mapped = Self.v6([10: 0xFF, 11: 0xFF, 12: 192, 13: 0, 14: 0, 15: 5])
        #expect(try mapped == Self.address(5))
        #expect(Self.v6([15: 1])?.isLoopback == true && Self.v6([15: 2])?.isLoopback == false)
        #expect(ClientAddress([127, 9, 9, 9] as [UInt8])?.isLoopback == true)
        #expect(ClientAddress([1, 2, 3] as [UInt8]) == nil)
    }

    @Test func `what has something open stays, of the rest the latest`() throws {
        let table = AddressTable(addressesMax: 100)
        let held = try table[Self.address(0)]
        let place = held.connections.enter(max: 1)
        #expect(place != nil && held.connections.enter(max: 1) == nil)
        for number in 1..<10_000 { _ = try table[Self.address(number)] }
        #expect(table.count <= 110)
        #expect(try table[Self.address(0)] === held)
    }

    @Test func `an address that goes on failing waits longer, up to a bound, and few wait at a time`() throws {
        let failed = FailedAuthentications()
        var configuration = AuthConfiguration()
        configuration.addressFailuresWaitingMax = 2
        let use = try AddressTable(addressesMax: 100)[Self.address(1)]
        var delays: [Duration] = []
        for _ in 0..<100 { delays.append(failed.failed(from: use, configuration, now: 1)?.delay ?? .zero) }
        #expect(delays.first == .milliseconds(200) && delays[10] == .milliseconds(400))
        #expect(delays == delays.sorted() && delays.last == .seconds(5))
        let waits = (0..<3).map { _ in failed.failed(from: use, configuration, now: 1) }
        #expect(waits.map { $0 == nil } == [false, false, true])
        let other = try AddressTable(addressesMax: 100)[Self.address(2)]
        #expect(failed.failed(from: other, configuration, now: 1)?.delay == .milliseconds(200))
        let later: UInt64 = 600_000_000_000
        withExtendedLifetime(waits) {}
        #expect(failed.failed(from: other, configuration, now: later)?.delay == .milliseconds(200))
    }

    @Test func `holders of a key are told when it ends, once, and keep its place`() throws {
        final class Holder {}
        let ring = KeyRing(isRequired: true)
        let now = Timestamp(microseconds: 1)
        let (key, text) = AccessKey.make(scopes: [.write])
        var record = KeyRecord(id: key.id, name: "k", tenant: 1, scopes: [.write], secretHash: key.secretHash)
        ring.replace(with: [record], at: now, clock: 0)
        let grant = try #require(ring.grant(for: text, clientSubject: nil, at: now))
        let told = Atomic(0)
        let (holder, other) = (Holder(), Holder())
        grant.whenEnded(holder) { told.add(1, ordering: .relaxed) }
        grant.whenEnded(other) { told.add(100, ordering: .relaxed) }
        grant.forget(other)
        record.tenant = 2
        ring.replace(with: [record], at: now, clock: 0)
        #expect(told.load(ordering: .relaxed) == 1 && grant.isEnded)
        let renewed = try #require(ring.renewed(grant, clientSubject: nil, at: now))
        #expect(renewed.use === grant.use && renewed.use.lane > 0)
        grant.whenEnded(holder) { told.add(10, ordering: .relaxed) }
        #expect(told.load(ordering: .relaxed) == 11)
    }
}

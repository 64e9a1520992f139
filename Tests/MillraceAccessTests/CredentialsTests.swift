import FoundationEssentials
import MillraceAccess
import MillraceEvent
import MillraceTestSupport
import Testing

struct CredentialsTests {
    private static let key = AccessKey.make(scopes: [.write]).text

    private static func basic(_ text: String) -> String { Data(text.utf8).base64EncodedString() }

    @Test func `a key comes as Bearer or as the user of Basic, in any case of the scheme`() {
        for field in ["Bearer \(Self.key)", "bearer   \(Self.key)  ", "BASIC \(Self.basic(Self.key + ":"))"] {
            #expect(Credentials(authorization: [field]) == .key(Self.key))
        }
        #expect(Credentials(authorization: []) == .none)
        #expect(Credentials(authorization: ["Bearer a.b.c"]) == .token("a.b.c"))
        #expect(Credentials(greetingKey: Self.key) == .key(Self.key))
        #expect(Credentials(greetingKey: nil) == .none)
        #expect(Credentials(greetingKey: "a.b.c") == .unusable)
    }

    @Test(arguments: [
        "", " ", "Bearer", "Bearer ", "Basic", "Basic ", "Basic !!!!", "Digest mr_w_x", Self.key,
        "Basic " + Self.basic(Self.key), "Basic " + Self.basic(Self.key + ":password"),
        "Basic " + Self.basic("user:" + Self.key), "Basic " + Self.basic(Self.key + "::"),
        "Basic " + String(repeating: "A", count: 1 << 20), "Basic " + Self.basic("\u{0}\u{FFFD}:"),
    ])
    func `a field that holds no key in one of these forms opens nothing`(_ field: String) {
        #expect(Credentials(authorization: [field]) == .unusable)
    }

    @Test func `two fields open nothing, even with the same key`() {
        #expect(Credentials(authorization: ["Bearer \(Self.key)", "Bearer \(Self.key)"]) == .unusable)
    }

    @Test func `any bytes are judged without a trap, and open nothing`() {
        var generator = SeededGenerator(seed: 16)
        let ring = KeyRing(isRequired: true)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...200, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            let text = String(decoding: bytes, as: UTF8.self)
            let field = [text, "Bearer mr_w_\(text)", "Basic \(text)", "Bearer \(text)"].randomElement(
                using: &generator)
            let credentials = Credentials(authorization: field.map { [$0] } ?? [])
            guard
                case .refused(.unauthenticated) = ring.verdict(
                    on: credentials, wanting: .write, clientSubject: nil, at: Timestamp(microseconds: 0))
            else { return #expect(Bool(false), "\(bytes) opened") }
        }
    }

    @Test func `a key opens what its scopes say, and admin everything`() throws {
        let ring = KeyRing(isRequired: false)
        let now = Timestamp(microseconds: 1)
        func verdict(_ text: String, _ scope: AccessScope) -> AccessVerdict {
            ring.verdict(on: .key(text), wanting: scope, clientSubject: nil, at: now)
        }
        guard case .open = verdict("mr_", .write) else { return #expect(Bool(false), "no key is wanted") }
        let keys = [Set([AccessScope.read]), [.admin]].map { scopes in
            let (key, text) = AccessKey.make(scopes: scopes)
            return (KeyRecord(id: key.id, name: "k", tenant: 1, scopes: scopes, secretHash: key.secretHash), text)
        }
        ring.replace(with: keys.map(\.0), at: now, clock: 0)
        guard case .refused(.forbidden(.write)) = verdict(keys[0].1, .write), case .granted = verdict(keys[0].1, .read),
            case .granted = verdict(keys[1].1, .write)
        else { return #expect(Bool(false), "scopes") }
    }

    @Test func `Retry-After is whole seconds, at least one`() {
        #expect(AccessRefusal.rateLimited("x").retryAfterSeconds == 1)
        #expect(AccessRefusal.rateLimited("x", wait: .milliseconds(1001)).retryAfterSeconds == 2)
    }
}

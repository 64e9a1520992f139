import MillraceAccess
import Testing

@Suite struct AccessScopeTests {
    @Test func `decrypt reads, and nothing but decrypt decrypts`() {
        let allowed = Dictionary(
            uniqueKeysWithValues: AccessScope.allCases.map { held in
                (held, AccessScope.allCases.filter { Set([held]).allow($0) })
            })
        #expect(
            allowed == [
                .write: [.write], .read: [.read], .decrypt: [.read, .decrypt], .admin: [.write, .read, .admin],
            ])
    }

    @Test(arguments: AccessScope.allCases)
    func `a key of each scope is told from chance by its text`(scope: AccessScope) {
        let (key, text) = AccessKey.make(scopes: [scope])
        #expect(text.hasPrefix("mr_\(scope.letter)_") && AccessKey(text) == key)
    }
}

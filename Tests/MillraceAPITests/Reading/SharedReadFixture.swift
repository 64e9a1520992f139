/// One fixture for the tests that change nothing.
enum SharedReadFixture {
    private static let shared = Result { try ReadFixture("shared") }

    static func value() async throws -> ReadFixture { try shared.get() }
}

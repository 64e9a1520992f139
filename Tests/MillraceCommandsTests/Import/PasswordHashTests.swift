import MillraceEvent
import Testing

@testable import MillraceCommands

struct PasswordHashTests {
    private static let hashes = [
        "$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW",
        "$2y$10$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW",
        "pbkdf2:sha256:600000$Xk3vT1zq$6c1f0a4b7e2d9c8b5a4f3e2d1c0b9a8f7e6d5c4b3a2f1e0d9c8b7a6f5e4d3c2b",
        "scrypt:32768:8:1$Xk3vT1zq$6c1f0a4b7e2d9c8b5a4f3e2d1c0b9a8f7e6d5c4b3a2f1e0d9c8b7a6f5e4d3c2b",
        "pbkdf2_sha256$600000$salt$J5Rt7sd8s7dfsd8f7s8d7fs8d7f8s7df8s7df8s7d8f=",
        "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG",
        "$6$rounds=5000$usesomesillystri$D4IrlXCuHv2M1Z8cPSB7b3DUB4xG0bCh5F6wTr8e1Hk4UzvCYHvT8Qcl5xYqGLcq0hG",
    ]

    @Test func `what functions for passwords write is a hash, and what people write is none`() {
        for hash in Self.hashes { #expect(PasswordHash.isHash(hash), "\(hash)") }
        for password in [
            "", "hunter2", "correct horse battery staple", "$2b$12$short", "pa$$word$123", "$ecret$money$and$more",
            "5f4dcc3b5aa765d61d8327deb882cf99", "$1$a", "bcrypt", "pbkdf2:sha256", "scrypt$x$y", "\u{0}$2b$12$",
        ] { #expect(!PasswordHash.isHash(password), "\(password)") }
    }

    @Test func `hashes are taken only when asked for, from users alone, and are in no event`() throws {
        let hash = Self.hashes[0]
        let kind = try #require(ImportKind.named("users").first { $0.system == .workspaces })
        for takes in [false, true] {
            let translator = RecordTranslator(limits: EventLimits(), lineBytesMax: 1 << 20, takesHashes: takes)
            for (member, isTaken) in [
                (#""password_hash":"\#(hash)""#, true), (#""passwordHash":"\#(hash)""#, true),
                (#""password":"hunter2""#, false), (#""password":5"#, false), (#""api_key":"\#(hash)""#, false),
                (#""preferences":{"password":"\#(hash)"}"#, false),
            ] {
                let result = translator.translate(
                    Array("{\"id\":1,\(member)}".utf8)[...], kind: kind, key: nil, fileTime: .now, now: .now)
                let line = try #require(result.lines.first)
                #expect((line.passwordHash?.hash == hash) == (isTaken && takes), "\(member)")
                #expect(!String(decoding: line.bytes, as: UTF8.self).contains("$2b$"))
                #expect(!String(decoding: line.bytes, as: UTF8.self).contains("hunter2"))
            }
        }
    }
}

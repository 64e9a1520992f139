import FoundationEssentials
import Glibc
import MillraceAccess
import MillraceTestSupport
import Testing

@testable import MillraceDaemon

struct KeyFileTests {
    private let scratch: ScratchDirectory
    private let file: KeyFile
    private let content: KeyFile.Content

    init() throws {
        scratch = try ScratchDirectory()
        file = KeyFile(directory: scratch.path)
        let keys = (0..<3).map { number in
            let (key, _) = AccessKey.make(scopes: [.write])
            var record = KeyRecord(
                id: key.id, name: "app \(number)", tenant: 3, scopes: [.write, .read], secretHash: key.secretHash)
            record.eventTypes = ["page.*"]
            record.events = KeyRecord.Rate(perSecond: 10, burst: 20)
            record.expiresAt = 4_000_000_000_000_000
            return record
        }
        content = KeyFile.Content(database: "postgresql://a/b", state: "s", areAnyKnown: true, keys: keys)
    }

    private var bytes: [UInt8] {
        FileManager.default.contents(atPath: file.path).map { [UInt8]($0) } ?? []
    }

    private func put(_ bytes: [UInt8]) {
        #expect(FileManager.default.createFile(atPath: file.path, contents: Data(bytes)))
        chmod(file.path, 0o600)
    }

    @Test func `what was written comes back, to its owner alone`() throws {
        #expect(try file.read(of: "postgresql://a/b") == nil, "there is none yet")
        try file.write(content)
        #expect(try file.read(of: "postgresql://a/b") == content)
        #expect(FileStatus(file.path)?.permissions == 0o600)
    }

    @Test func `one of another database says nothing of this one`() throws {
        try file.write(content)
        #expect(throws: KeyFile.Flaw.ofAnotherDatabase) { try file.read(of: "postgresql://a/c") }
    }

    @Test(arguments: [0o644, 0o620, 0o602, 0o640] as [mode_t])
    func `one that others may read or write is not trusted`(mode: mode_t) throws {
        try file.write(content)
        chmod(file.path, mode)
        #expect(throws: KeyFile.Flaw.othersMayChangeIt) { try file.read(of: "postgresql://a/b") }
    }

    @Test func `a link is not followed`() throws {
        try file.write(content)
        let elsewhere = scratch.path + "/elsewhere"
        try FileManager.default.moveItem(atPath: file.path, toPath: elsewhere)
        symlink(elsewhere, file.path)
        #expect(throws: KeyFile.Flaw.self) { try file.read(of: "postgresql://a/b") }
    }

    @Test func `any byte that is another one is damage, and so is every missing end`() throws {
        try file.write(content)
        let whole = bytes
        var generator = SeededGenerator(seed: 16)
        for _ in 0..<200 {
            var bytes = whole
            let place = Int.random(in: 0..<bytes.count, using: &generator)
            bytes[place] ^= UInt8.random(in: 1...255, using: &generator)
            put(bytes)
            #expect(throws: KeyFile.Flaw.damaged, "byte \(place)") { try file.read(of: "postgresql://a/b") }
        }
        for count in [0, 1, 20, whole.count / 2, whole.count - 1] {
            put(Array(whole.prefix(count)))
            #expect(throws: KeyFile.Flaw.damaged, "\(count) bytes") { try file.read(of: "postgresql://a/b") }
        }
        put(whole + [0])
        #expect(throws: KeyFile.Flaw.damaged) { try file.read(of: "postgresql://a/b") }
    }

    @Test func `one that can't be written leaves the old one as it was`() throws {
        try file.write(content)
        var other = content
        other.keys = []
        #expect(mkdir(file.path + ".tmp", 0o700) == 0)
        #expect(throws: (any Error).self) { try file.write(other) }
        #expect(try file.read(of: "postgresql://a/b") == content)
    }
}

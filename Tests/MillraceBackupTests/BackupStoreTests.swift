import Glibc
import MillraceBackup
import MillraceEvent
import MillraceTestSupport
import Testing

struct BackupStoreTests {
    private static let now = Timestamp(rfc3339: "2026-11-30T10:05:00Z") ?? .now

    /// One a day, the newest first; kinds in turn where there are two.
    private static func names(_ count: Int, _ kind: BackupName.Kind = .dump) -> [BackupName] {
        (0..<count).map { BackupName(kind, at: now.advanced(by: .seconds(-86_400 * $0))) }
    }

    @Test(arguments: ["20261130T100500Z", "20261130T100500Z-base"])
    func `a name is read as it is written`(text: String) {
        #expect(BackupName(text).map { "\($0)" } == text)
    }

    @Test(arguments: [
        "20261130T100500Z.partial", "20261130T100500Z-base.removed", "20261130T100500", "lock", "wal", "",
        "20261130T100500Z-dump", "x20261130T100500Z",
    ])
    func `no other name is a backup's`(text: String) {
        #expect(BackupName(text) == nil)
    }

    @Test func `the newest are kept by count, and the others go`() {
        let names = Self.names(5)
        let gone = BackupStore.outdated(names, keep: 2, age: .zero, at: Self.now)
        #expect(gone == Array(names.dropFirst(2).reversed()))
    }

    @Test func `what is older than the age goes, and the newest never`() {
        let names = Self.names(5)
        #expect(
            BackupStore.outdated(names, keep: 100, age: .seconds(86_400 * 2 + 60), at: Self.now)
                == Array(names.dropFirst(3).reversed()))
        let later = Self.now.advanced(by: .seconds(86_400 * 1000))
        #expect(BackupStore.outdated(names, keep: 100, age: .seconds(60), at: later) == names.dropFirst().reversed())
    }

    @Test func `each kind is counted by itself`() {
        let names = Self.names(2) + Self.names(2, .base)
        #expect(BackupStore.outdated(names, keep: 2, age: .zero, at: Self.now).isEmpty)
        #expect(BackupStore.outdated(names, keep: 1, age: .zero, at: Self.now).map(\.kind).count == 2)
    }

    @Test func `a folder is held by one at a time`() throws {
        let scratch = try ScratchDirectory()
        let store = BackupStore(directory: scratch.path)
        let lock = try store.lock()
        #expect(throws: BackupError.self) { try store.lock() }
        withExtendedLifetime(lock) {}
    }

    @Test func `what was begun has no backup's name, and goes with the next beginning`() throws {
        let scratch = try ScratchDirectory()
        let store = BackupStore(directory: scratch.path)
        let (first, second) = (Self.names(2)[1], Self.names(2)[0])
        let draft = try store.begin(first)
        #expect(try store.names().isEmpty)
        mkdir(draft + "/database", 0o700)
        _ = try store.begin(second)
        #expect(access(draft, F_OK) != 0)
        #expect(try store.names().isEmpty)
    }
}

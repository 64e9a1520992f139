import Glibc
import MillraceTestSupport
import Testing

@testable import MillraceBackup

struct ErasureJournalTests {
    private static func line(_ id: String, _ table: String = "erasures", database: String = "d") -> String {
        #"{"database":"\#(database)","row":{"id":"\#(id)"},"table":"\#(table)"}"#
    }

    private let scratch: ScratchDirectory
    private let journal: ErasureJournal

    init() throws {
        scratch = try ScratchDirectory()
        journal = ErasureJournal(besideSpool: scratch.path)
    }

    @Test func `lines come back as they were written, in a file of its owner alone`() throws {
        #expect(try journal.lines().isEmpty && !journal.isThere)
        try journal.append([])
        #expect(try journal.lines().isEmpty && journal.isThere)
        try journal.append(["a"])
        try journal.append(["b", "c"])
        #expect(try journal.lines() == ["a", "b", "c"])
        #expect(FileStatus(journal.path)?.permissions == 0o600)
    }

    @Test(arguments: ["half", String(repeating: "long", count: 5000)])
    func `a line that a crash cut off is no line, and is written over`(torn: String) throws {
        try journal.append(["a"])
        let file = try #require(fopen(journal.path, "a"))
        fputs(torn, file)
        fclose(file)
        #expect(try journal.lines() == ["a"])
        try journal.append(["b"])
        #expect(try journal.lines() == ["a", "b"])
        let whole = String(repeating: "x", count: 10_000)
        try journal.append([whole])
        #expect(try journal.lines() == ["a", "b", whole])
    }

    @Test func `a file of one torn line has no line`() throws {
        let file = try #require(fopen(journal.path, "w"))
        fputs("torn", file)
        fclose(file)
        #expect(try journal.lines().isEmpty)
        try journal.append(["a"])
        #expect(try journal.lines() == ["a"])
    }

    @Test func `the copy beside the backups is the same, and is not made where there are none`() throws {
        let copy = ErasureJournal(besideBackups: scratch.path + "/backups", spool: "s")
        try journal.append(["a"])
        try journal.copy(to: copy)
        #expect(!copy.isThere)
        mkdir(scratch.path + "/backups", 0o700)
        try journal.copy(to: copy)
        try journal.append(["b"])
        try journal.copy(to: copy)
        let all = try ErasureJournal.all(besideBackups: scratch.path + "/backups")
        #expect(try all.map { try $0.lines() } == [["a", "b"]])
        #expect(FileStatus(copy.path)?.permissions == 0o600)
        #expect(try ErasureJournal.all(besideBackups: scratch.path + "/none").isEmpty)
    }

    @Test func `what is to be looked for again is kept until it was`() throws {
        #expect(try journal.due().isEmpty)
        try journal.addDue(["b"])
        try journal.addDue(["a", "b"])
        try journal.addDue([])
        #expect(try journal.due() == ["a", "b"])
        try journal.removeDue()
        try journal.removeDue()
        #expect(try journal.due().isEmpty)
    }

    @Test func `an erasure's line says which it is, and of which database; no other line does`() {
        let erasure = ErasureJournal.erasure(in: Self.line("e"))
        #expect(erasure?.database == "d" && erasure?.id == "e")
        for line in [Self.line("e", "erasure_keys"), "", "{}", "garbage"] {
            #expect(ErasureJournal.erasure(in: line) == nil)
        }
    }
}

import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct InstallTests {
        private let scratch: ScratchDirectory

        init() throws {
            scratch = try ScratchDirectory()
        }

        private var folder: String { scratch.path + "/installed/etc/millrace" }

        /// `make install` of the binary under test, or another target; returns what it says.
        ///
        /// - Parameter mask: the shell's, not this process's, in which other tests make files.
        private func install(_ target: String = "install", mask: mode_t = 0o022) throws -> String {
            let output = scratch.path + "/make-\(UInt32.random(in: 0 ... .max))"
            let process = try SpawnedProcess(
                "/bin/sh",
                [
                    "-c", "umask \(String(mask, radix: 8)); exec make \"$@\"", "make", "-C", Repository.root, target,
                    "DESTDIR=\(scratch.path)/installed",
                    "BINARY=\(MillraceBinary.path)",
                ], mark: scratch.path, output: output, errors: output)
            let exit = try process.waitForExit(within: .seconds(60))
            let text = TextFile.read(output)
            #expect(exit == .status(0), "\(text)")
            return text
        }

        private func mode(_ name: String) -> mode_t? { FileStatus(folder + "/" + name)?.permissions }

        @Test(arguments: [0o022, 0o000, 0o077] as [mode_t])
        func `a new config.toml is for the daemon's group, and no one else`(mask: mode_t) throws {
            let said = try install(mask: mask)
            #expect(mode("config.toml") == 0o640)
            #expect(mode("") == 0o750)
            #expect(TextFile.read(folder + "/config.toml") == TextFile.read(Repository.root + "/config.toml"))
            #expect(!said.contains("was open"))
        }

        @Test func `an upgrade closes what was open to others, says so, and changes nothing in it`() throws {
            _ = try install()
            try TextFile.write("[database]\n", to: folder + "/config.toml")
            try TextFile.write("DATABASE_URL=x\n", to: folder + "/millrace.env")
            #expect(chmod(folder + "/config.toml", 0o664) == 0 && chmod(folder + "/millrace.env", 0o644) == 0)
            let said = try install()
            #expect(mode("config.toml") == 0o640 && mode("millrace.env") == 0o640)
            #expect(TextFile.read(folder + "/config.toml") == "[database]\n")
            #expect(said.contains("/etc/millrace/config.toml was open to others"), "\(said)")
            #expect(said.contains("/etc/millrace/millrace.env was open to others"))
            #expect(chmod(folder + "/config.toml", 0o600) == 0)
            #expect(try !install().contains("was open"))
            #expect(mode("config.toml") == 0o600)
        }

        @Test func `make uninstall takes away what make install brought, and leaves the settings`() throws {
            _ = try install()
            let said = try install("uninstall")
            #expect(said.contains("left: /etc/millrace"))
            let list = scratch.path + "/list"
            let find = try SpawnedProcess(
                "/usr/bin/find", [scratch.path + "/installed", "-type", "f", "-printf", "%P\n"], mark: scratch.path,
                output: list, errors: list + ".errors")
            #expect(try find.waitForExit(within: .seconds(60)) == .status(0))
            let left = TextFile.read(list).split(separator: "\n")
            #expect(left == ["etc/millrace/config.toml"], "\(left)")
        }
    }
}

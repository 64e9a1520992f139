import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// The Debian package as it is put together; `make deb-test` installs it in a fresh Debian.
    struct PackageTests {
        private let scratch: ScratchDirectory

        init() throws {
            scratch = try ScratchDirectory()
        }

        private func shell(_ command: String) throws -> String {
            let output = scratch.path + "/output-\(UInt32.random(in: 0 ... .max))"
            let process = try SpawnedProcess(
                "/bin/sh", ["-c", "cd '\(Repository.root)' && \(command)"], mark: scratch.path, output: output,
                errors: output + ".errors")
            let exit = try process.waitForExit(within: .seconds(120))
            #expect(exit == .status(0), "\(command): \(TextFile.read(output + ".errors"))")
            return TextFile.read(output)
        }

        /// With a small program in the place of the release, whose help is there already.
        @Test func `the package has the daemon, its unit, its manual, and settings that an upgrade keeps`() throws {
            let (binary, folder) = (scratch.path + "/millrace", scratch.path + "/deb")
            _ = try shell(
                """
                install -m 0755 /bin/true \(binary) && mkdir \(binary).man \(binary).completions
                \(MillraceBinary.path) --generate-completion-script bash > \(binary).completions/bash
                touch \(binary).completions/zsh \(binary).completions/fish
                echo '.Dd today' > \(binary).man/millrace.1
                echo symbols > \(binary).debug
                sh systemd/debian/build.sh \(binary) \(folder)
                """)
            let control = try shell("dpkg-deb --field \(folder)/millrace_*.deb")
            #expect(control.contains("Package: millrace\n") && control.contains("Depends: libc6 (>= "), "\(control)")
            #expect(!control.contains(#/@[A-Z]+@/#), "\(control)")
            let contents = try shell("dpkg-deb --contents \(folder)/millrace_*.deb").split(separator: "\n")
            for (mode, path) in [
                ("-rwxr-xr-x", "./usr/bin/millrace"), ("-rw-r-----", "./etc/millrace/config.toml"),
                ("drwxr-x---", "./etc/millrace/"), ("-rw-r--r--", "./usr/lib/systemd/system/millrace.service"),
                ("-rw-r--r--", "./usr/lib/systemd/system/millrace-tcp.socket"),
                ("-rw-r--r--", "./usr/lib/systemd/system/millrace-http.socket"),
                ("-rw-r--r--", "./usr/share/man/man1/millrace.1.gz"),
                ("-rw-r--r--", "./usr/share/bash-completion/completions/millrace"),
                ("-rw-r--r--", "./usr/share/doc/millrace/guides/Operating.md"),
                ("-rw-r--r--", "./usr/share/doc/millrace/copyright"),
            ] {
                let isThere = contents.contains {
                    $0.hasPrefix("\(mode) root/root ") && $0.hasSuffix(" \(path)")
                }
                #expect(isThere, "\(mode) \(path)")
            }
            _ = try shell("dpkg-deb --control \(folder)/millrace_*.deb \(folder)/control")
            #expect(TextFile.read(folder + "/control/conffiles") == "/etc/millrace/config.toml\n")
            for script in ["postinst", "prerm", "postrm"] {
                _ = try shell("sh -n \(folder)/control/\(script)")
                #expect(FileStatus("\(folder)/control/\(script)")?.permissions == 0o755)
            }
            let symbols = try shell("dpkg-deb --contents \(folder)/millrace-dbgsym_*.deb")
            #expect(symbols.contains("./usr/lib/debug/usr/bin/millrace.debug"))
        }

        @Test func `no source brings in Foundation, whose data would be half of the binary`() throws {
            // What protoc-gen-swift makes has it for systems without FoundationEssentials.
            let found = try shell(
                "grep -rnE --include='*.swift' --exclude='*.pb.swift' '^[a-z ]*import Foundation$' Sources || true")
            #expect(found.isEmpty, "import FoundationEssentials: \(found)")
        }
    }
}

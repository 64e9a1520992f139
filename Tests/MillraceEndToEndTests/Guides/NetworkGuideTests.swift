import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct NetworkGuideTests {
        @Test func `five commands lead from loopback to the network, word by word`() throws {
            let commands = GuidePage.network.texts(of: "sh network")
            try #require(commands.count == 5)
            // A line each: a reader pastes them one by one.
            #expect(commands.allSatisfy { $0.split(separator: "\n").count == 1 })
            let scratch = try ScratchDirectory()
            for directory in ["/bin", "/desk"] { mkdir(scratch.path + directory, 0o755) }
            symlink(try MillraceBinary.path, scratch.path + "/bin/millrace")
            let serve = commands[2].split(separator: "\n").joined()
            // A network of its own, with an address as a machine has one.
            let script = """
                cd \(scratch.path)/desk
                ip link set lo up
                ip link add eth0 type veth peer name other
                ip address add 198.51.100.7/24 dev eth0
                ip link set eth0 up
                ip link set other up
                \(commands[0])\(commands[1])\(serve) > serve.log 2>&1 &
                trap 'kill %1; wait' EXIT
                ask() { curl --silent --show-error --output /dev/null --write-out '%{http_code}' "$@" || echo "failed $?"; }
                url=https://198.51.100.7:8443
                for attempt in $(seq 600); do
                    [ "$(ask --cacert ca.crt $url/readyz 2> /dev/null)" = 200 ] && break
                    kill -0 %1 || { cat serve.log; exit 1; }
                    sleep 0.1
                done
                \(commands[3])\(commands[4])
                echo
                echo "without a key: $(ask --cacert ca.crt $url/v1/packs)"
                echo "without the authority: $(ask $url/livez)"
                echo "without TLS: $(ask http://198.51.100.7:8443/livez)"
                echo "a read: $(ask --cacert ca.crt -H "Authorization: Bearer $KEY" $url/v1/packs)"
                millrace audit --action key.
                """
            try TextFile.write(script, to: scratch.path + "/script.sh")
            let output = scratch.path + "/output"
            let process = try SpawnedProcess(
                "/usr/bin/unshare", ["--net", "bash", "-eu", "-o", "pipefail", scratch.path + "/script.sh"],
                environment: [
                    "HOME": scratch.path, "MILLRACE_DATA_DIRECTORY": scratch.path + "/data",
                    "PATH": "\(scratch.path)/bin:\(Environment.string("PATH") ?? "/usr/sbin:/usr/bin:/sbin:/bin")",
                ], mark: scratch.path, output: output, errors: output)
            let exit = try process.waitForExit(within: .seconds(150))
            let text = TextFile.read(output)
            let log = TextFile.read(scratch.path + "/desk/serve.log")
            #expect(exit == .status(0), "\(text)\n\(log.suffix(3000))")
            for line in [
                #"{"accepted":1,"rejected":[]}"#, "without a key: 401", "without the authority: 000failed 60",
                "key.create",
            ] {
                #expect(text.contains(line), "\(line) is not in\n\(text)\n\(log.suffix(3000))")
            }
            #expect(!text.contains("without TLS: 200") && !text.contains("a read: 200"), "\(text)")
        }
    }
}

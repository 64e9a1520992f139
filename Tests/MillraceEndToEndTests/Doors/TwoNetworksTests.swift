import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// The daemon on an address that others reach, and its clients in another network.
    struct TwoNetworksTests {
        /// What a client sees: statuses by key, and what becomes of open connections.
        private static let client = """
            import http.client, json, socket, ssl, sys, time
            keys, act = json.load(open(sys.argv[1])), sys.argv[2]
            context = ssl.create_default_context(cafile=sys.argv[3])
            HOST = "198.51.100.7"

            def post(key, count=1):
                c = http.client.HTTPSConnection(HOST, 8443, timeout=20, context=context)
                headers = {"Content-Type": "application/json"}
                if key: headers["Authorization"] = "Bearer " + key
                c.request("POST", "/v1/events", json.dumps([{"event_type": "network"}] * count), headers)
                answer = c.getresponse()
                answer.read()
                return answer.status, answer.getheader("Retry-After")

            def greeted(key, source="198.51.100.8"):
                raw = socket.create_connection((HOST, 7443), timeout=20, source_address=(source, 0))
                c = context.wrap_socket(raw, server_hostname=HOST).makefile("rwb")
                c.write(json.dumps({"hello": {"acks": "spooled", "key": key}}).encode() + b"\\n")
                c.flush()
                return c, json.loads(c.readline())

            if act == "statuses":
                wrong = keys["write"][:-8] + "00000000"
                for name, key in [("write", keys["write"]), ("none", None), ("wrong", wrong), ("read", keys["read"])]:
                    print(name, post(key)[0])
                slow = keys["slow, " + sys.argv[4]]
                print("slow", post(slow, 100)[0])
                status, wait = post(slow)
                print("slow again", status, int(wait) >= 1)
                print("revoked", post(keys["revoked"])[0])
            elif act == "revocation":
                c, hello = greeted(keys["revoked"])
                c.write(b'{"event_type":"network"}\\n')
                c.flush()
                print("open", c.readline().decode().strip(), flush=True)
                print("ended", json.loads(c.readline())["error"]["code"], c.readline() == b"")
            elif act == "addresses":
                held = [greeted(keys["write"]) for _ in range(4)]
                print("of four", [("hello" in hello) for _, hello in held])
                print("a fifth", greeted(keys["write"])[1]["error"]["code"])
                print("of another address", "hello" in greeted(keys["write"], "198.51.100.9")[1])
            """

        @Test func `keys and limits hold for clients of another network, with PostgreSQL there and away`() throws {
            let cluster = try TestCluster(isDurable: false)
            let scratch = try ScratchDirectory()
            let path = scratch.path
            let installation = try Installation(
                "twoNetworks", cluster: cluster,
                settings: [
                    "http.listen": "[\"198.51.100.7:8443\"]", "http.tls": "true",
                    "tcp.listen": "[\"198.51.100.7:7443\"]",
                    "tcp.tls": "true", "tls.certificate": "\"\(path)/tls.crt\"", "tls.key": "\"\(path)/tls.key\"",
                    "limits.address_connections_max": "4",
                ])
            let daemon = installation.daemon
            var keys: [String: MadeKey] = [:]
            keys["write"] = try MadeKey.create(on: daemon, "--scope", "write")
            keys["read"] = try MadeKey.create(on: daemon, "--scope", "read")
            keys["slow, there"] = try MadeKey.create(on: daemon, "--scope", "write", "--rate", "1")
            keys["slow, away"] = try MadeKey.create(on: daemon, "--scope", "write", "--rate", "1")
            keys["revoked"] = try MadeKey.create(on: daemon, "--scope", "write")
            let members = keys.map { "\"\($0)\": \"\($1.key ?? "")\"" }
            try TextFile.write("{\(members.joined(separator: ", "))}", to: path + "/keys.json")
            try TextFile.write(Self.client, to: path + "/client.py")
            let script = """
                cd \(path)
                mkdir -p /run/netns
                mount -t tmpfs tmpfs /run/netns
                ip link set lo up
                ip netns add other
                ip link add inside type veth peer name outside netns other
                ip address add 198.51.100.7/24 dev inside
                ip link set inside up
                ip -netns other address add 198.51.100.8/24 dev outside
                ip -netns other address add 198.51.100.9/24 dev outside
                ip -netns other link set outside up
                openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=millrace -addext subjectAltName=IP:198.51.100.7 -keyout tls.key -out tls.crt 2> openssl.log
                \(try MillraceBinary.path) serve --config \(daemon.configuration) > serve.log 2>&1 &
                trap 'kill %1; wait' EXIT
                client() { ip netns exec other python3 client.py keys.json "$1" tls.crt "$2"; }
                for attempt in $(seq 300); do
                    [ "$(curl -s --cacert tls.crt -o /dev/null -w '%{http_code}' https://198.51.100.7:8443/livez)" = 200 ] && break
                    kill -0 %1 || { cat serve.log; exit 1; }
                    sleep 0.1
                done
                client statuses there
                client revocation there > revocation 2>&1 &
                watched=$!
                for attempt in $(seq 100); do grep -q open revocation && break; sleep 0.1; done
                \(try MillraceBinary.path) keys revoke \(keys["revoked"]?.id ?? "") --config \(daemon.configuration) > /dev/null
                wait $watched
                cat revocation
                echo "there" > there
                for attempt in $(seq 600); do [ -e away ] && break; sleep 0.1; done
                echo "PostgreSQL is away"
                client statuses away
                client addresses away
                """
            try TextFile.write(script, to: path + "/script.sh")
            let process = try SpawnedProcess(
                "/usr/bin/unshare",
                (geteuid() == 0 ? [] : ["--map-root-user"]) + [
                    "--net", "--mount", "bash", "-eu", "-o", "pipefail", path + "/script.sh",
                ],
                environment: ["PATH": Environment.string("PATH") ?? "/usr/sbin:/usr/bin:/sbin:/bin"], mark: path,
                output: path + "/output", errors: path + "/output")
            #expect(eventually(within: .seconds(120)) { !process.isRunning || TextFile.read(path + "/there") != "" })
            try cluster.stopImmediately()
            try TextFile.write("away", to: path + "/away")
            let exit = try process.waitForExit(within: .seconds(120))
            let text = TextFile.read(path + "/output")
            #expect(exit == .status(0), "\(text)\n\(TextFile.read(path + "/serve.log").suffix(3000))")
            #expect(
                text.split(separator: "\n").map(String.init) == [
                    "write 202", "none 401", "wrong 401", "read 403", "slow 202", "slow again 429 True", "revoked 202",
                    #"open {"ack":1}"#, "ended unauthenticated True",
                    "PostgreSQL is away", "write 202", "none 401", "wrong 401", "read 403", "slow 202",
                    "slow again 429 True", "revoked 401",
                    "of four [True, True, True, True]", "a fifth rate_limited", "of another address True",
                ], "\(text)\n\(TextFile.read(path + "/serve.log").suffix(3000))")
        }
    }
}

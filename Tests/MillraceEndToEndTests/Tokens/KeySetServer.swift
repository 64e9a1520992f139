import MillraceTestSupport

/// A server of a key set, which does what it is told: the set, something else, too much, too late, nothing.
final class KeySetServer {
    enum Behaviour: String {
        case set, wrong, huge, slow, trickle, failing
        case redirect, redirectAway = "redirect_away", loop
    }

    let url: String
    private let scratch: ScratchDirectory
    private let endpoint: Endpoint
    private var process: SpawnedProcess?

    init() throws {
        scratch = try ScratchDirectory()
        endpoint = try .free()
        url = "http://\(endpoint)/jwks.json"
        try TextFile.write(Self.program, to: scratch.path + "/server.py")
        try TextFile.write("", to: scratch.path + "/requests")
        try serve(keys: [])
        try behave(.set)
    }

    /// Requests for the set so far.
    var requests: Int { TextFile.read(scratch.path + "/requests").utf8.count }

    func serve(keys: [String]) throws {
        try TextFile.write(#"{"keys":[\#(keys.joined(separator: ","))]}"#, to: scratch.path + "/set")
    }

    func behave(_ behaviour: Behaviour) throws {
        try TextFile.write(behaviour.rawValue, to: scratch.path + "/behaviour")
    }

    func start() throws {
        guard case .port(let port) = endpoint else { return }
        process = try SpawnedProcess(
            Python.path, [scratch.path + "/server.py", "\(port)", scratch.path], mark: scratch.path,
            output: scratch.path + "/out", errors: scratch.path + "/err")
        guard eventually(within: .seconds(30), { (try? StreamSocket(endpoint)) != nil }) else {
            throw TestSupportError(message: "the key server does not start: \(TextFile.read(scratch.path + "/err"))")
        }
    }

    func stop() throws {
        process?.signal(9)
        try process?.waitForExit(within: .seconds(20))
        process = nil
    }

    private static let program = """
        import sys, time
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

        port, home = int(sys.argv[1]), sys.argv[2]

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                with open(home + "/requests", "a") as file:
                    file.write(".")
                with open(home + "/behaviour") as file:
                    behaviour = file.read()
                with open(home + "/set", "rb") as file:
                    body = file.read()
                if self.path == "/moved":
                    behaviour = "set"
                if behaviour in ("redirect", "redirect_away", "loop"):
                    self.send_response(302)
                    targets = {"redirect": "/moved", "redirect_away": "http://192.0.2.1/jwks.json", "loop": self.path}
                    self.send_header("Location", targets[behaviour])
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                if behaviour == "slow":
                    self.connection.recv(1)  # until the client has enough
                    self.close_connection = True
                    return
                self.send_response(500 if behaviour == "failing" else 200)
                self.send_header("Content-Type", "application/json")
                if behaviour == "wrong":
                    body = b"<html>maintenance</html>"
                if behaviour == "huge":
                    body = body + b" " * (32 << 20)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if behaviour == "trickle":
                    for byte in body:
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                        time.sleep(0.5)
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
        """
}

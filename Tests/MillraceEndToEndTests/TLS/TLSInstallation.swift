import Glibc
import MillraceTestSupport

/// A daemon that speaks TLS on loopback, for lines and for HTTP; its Unix sockets, which the tests ask whether it is well, are
/// plain.
struct TLSInstallation {
    let installation: Installation
    let authority: TestAuthority
    /// In force at the start.
    let pair: TestAuthority.Pair
    /// What tests put their files into.
    let scratch: ScratchDirectory
    let tcp: Endpoint
    let https: Endpoint

    var daemon: DaemonProcess { installation.daemon }

    init(_ name: String = #function, settings: [String: String] = [:]) throws {
        authority = try TestAuthority()
        pair = try authority.sign()
        scratch = try ScratchDirectory()
        (tcp, https) = (try .free(), try .free())
        let http = Endpoint.unix(scratch.path + "/http.sock")
        var all = [
            "tcp.listen": "[\"\(tcp)\"]", "tcp.tls": "true", "http.listen": "[\"\(http)\", \"\(https)\"]",
            "http.tls": "true", "tls.certificate": DaemonSettings.quoted(pair.certificate),
            "tls.key": DaemonSettings.quoted(pair.key),
        ]
        all.merge(settings) { $1 }
        installation = try Installation(name, settings: all, tcp: tcp, http: http)
    }

    /// Of `millrace send`.
    struct Report: Decodable {
        var accepted: Int
        var unsettled: Int
        var reconnects: Int
    }

    /// `openssl s_client` on the HTTPS port, to the end of its handshake.
    func openSSL(_ options: String = "") throws -> String {
        let name = "\(scratch.path)/s_client-\(UInt64.random(in: 0 ... .max))"
        let process = try SpawnedProcess(
            "/bin/sh",
            ["-c", "openssl s_client -connect '\(https)' -CAfile '\(authority.certificate)' \(options) < /dev/null"],
            mark: scratch.path, output: name, errors: name)
        _ = try process.waitForExit(within: .seconds(60))
        return TextFile.read(name)
    }

    /// `millrace send` to this daemon, from a file.
    func send(_ file: String, _ options: String..., within limit: Duration = .seconds(120)) throws -> CommandRun {
        try CommandRun(
            ["send", file, "--to", "\(tcp)", "--json", "--quiet", "--retry-for", "0"] + options, in: scratch,
            within: limit)
    }

    /// The serial number of a certificate, as `openssl s_client` shows it beside others.
    static func serial(of certificate: String) throws -> String {
        let scratch = try ScratchDirectory()
        let process = try SpawnedProcess(
            "/bin/sh", ["-c", "openssl x509 -noout -serial -in '\(certificate)'"], mark: scratch.path,
            output: scratch.path + "/out", errors: scratch.path + "/err")
        _ = try process.waitForExit(within: .seconds(60))
        return TextFile.read(scratch.path + "/out")
    }

    /// That of the certificate that a new connection is shown.
    func shownSerial() throws -> String {
        let name = "\(scratch.path)/serial-\(UInt64.random(in: 0 ... .max))"
        let process = try SpawnedProcess(
            "/bin/sh",
            ["-c", "openssl s_client -connect '\(https)' < /dev/null 2> /dev/null | openssl x509 -noout -serial"],
            mark: scratch.path, output: name, errors: name + ".err")
        _ = try process.waitForExit(within: .seconds(60))
        return TextFile.read(name)
    }
}

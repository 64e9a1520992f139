import FoundationEssentials
import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// TLS through the real binary, on both sides.
    struct TLSTests {
        @Test func `openssl sees the certificate and http/1.1, by TLS 1.2 and later only`() throws {
            let tls = try TLSInstallation()
            try tls.daemon.start()
            let newest = try tls.openSSL("-alpn h2,http/1.1")
            #expect(newest.contains("Verify return code: 0 (ok)"), "\(newest)")
            #expect(newest.contains("ALPN protocol: http/1.1"))
            #expect(newest.contains("TLSv1.3"))
            #expect(try tls.openSSL("-tls1_2").contains("Protocol  : TLSv1.2"))
            for old in ["-tls1_1", "-tls1"] {
                let refused = try tls.openSSL("\(old) -cipher 'ALL:@SECLEVEL=0'")
                #expect(refused.contains("alert protocol version"), "\(old): \(refused)")
            }
            #expect(try tls.daemon.metrics().count("millrace_tls_handshake_failures_total", "protocol_version") == 2)
            #expect(try tls.daemon.metrics().value("millrace_tls_certificate_expiry_timestamp_seconds") ?? 0 > 1.7e9)
        }

        @Test func `a client may show no certificate, but none that the authority did not sign`() throws {
            let authority = try TestAuthority()
            let tls = try TLSInstallation(settings: ["tls.client_ca": DaemonSettings.quoted(authority.certificate)])
            try tls.daemon.start()
            let file = tls.scratch.path + "/one.ndjson"
            try TextFile.write(EventFactory(seed: 81).line(0) + "\n", to: file)
            func send(_ pair: TestAuthority.Pair?) throws -> CommandRun {
                guard let pair else { return try tls.send(file, "--ca", tls.authority.certificate) }
                return try tls.send(
                    file, "--ca", tls.authority.certificate, "--client-certificate", pair.certificate, "--client-key",
                    pair.key)
            }
            #expect(try send(nil).isSuccess)
            #expect(try send(authority.sign("/CN=app-1")).isSuccess)
            let wrong = try send(TestAuthority().sign("/CN=app-1"))
            #expect(wrong.exit == .status(1))
            #expect(wrong.errors.contains("refused this client's certificate"), "\(wrong.errors)")
            let label = "transport=\"tcp\",reason=\"client_certificate\""
            #expect(try tls.daemon.metrics().count("millrace_tls_handshake_failures_total", label) == 1)
            #expect(tls.daemon.log.contains("last_code=client_certificate"))
        }

        @Test func `a key that is bound to a certificate opens events and routes with that one alone`() throws {
            let authority = try TestAuthority()
            let tls = try TLSInstallation(settings: ["tls.client_ca": DaemonSettings.quoted(authority.certificate)])
            try tls.daemon.start()
            let key = try #require(
                try MadeKey.create(
                    on: tls.daemon, "--scope", "write", "--scope", "read", "--client-subject", "CN=app-1"
                ).key)
            func statuses(_ pair: TestAuthority.Pair?, _ more: String...) throws -> [String] {
                let shown = pair.map { ["--cert", $0.certificate, "--key", $0.key] } ?? []
                let url = "https://\(tls.https)"
                return try [["/v1/packs"], ["/v1/events", "--json", #"{"event_type":"bound"}"#]].map { request in
                    let arguments =
                        ["-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", tls.authority.certificate] + shown
                        + more + ["-H", "Authorization: Bearer \(key)", url + request[0]] + request.dropFirst()
                    let output = "\(tls.scratch.path)/curl-\(UInt64.random(in: 0 ... .max))"
                    let curl = try SpawnedProcess(
                        "/usr/bin/curl", arguments, mark: output, output: output, errors: output + ".errors")
                    _ = try curl.waitForExit(within: .seconds(30))
                    return TextFile.read(output)
                }
            }
            #expect(try statuses(authority.sign("/CN=app-1")) == ["200", "202"])
            #expect(try statuses(nil) == ["401", "401"])
            #expect(try statuses(authority.sign("/CN=app-2")) == ["401", "401"])
            // What a client says of itself counts for nothing.
            let subject = Data("CN=app-1".utf8).base64EncodedString()
            #expect(try statuses(nil, "-H", "millrace-client-subject: \(subject)") == ["401", "401"])
        }

        @Test func `plain text on a TLS port is refused, told, logged and counted`() throws {
            let tls = try TLSInstallation()
            try tls.daemon.start()
            let file = tls.scratch.path + "/one.ndjson"
            try TextFile.write(EventFactory(seed: 82).line(0) + "\n", to: file)
            let run = try tls.send(file)
            #expect(run.exit == .status(1))
            #expect(run.errors.contains("tls_required") && run.errors.contains("--tls"), "\(run.errors)")
            let answer = try HTTPClient.get("/livez", at: tls.https)
            #expect(answer.status == 400)
            #expect(answer.text.contains("tls_required"))
            #expect(tls.daemon.log.contains("plain text on a tls listener, connection closed"))
            #expect(try tls.daemon.metrics().count("millrace_tls_handshake_failures_total", "plain_text") == 2)
        }

        @Test func `commands say what is wrong with a certificate, and with a daemon of plain text`() throws {
            let tls = try TLSInstallation()
            try tls.daemon.start()
            let file = tls.scratch.path + "/one.ndjson"
            try TextFile.write(EventFactory(seed: 83).line(0) + "\n", to: file)
            let other = try TestAuthority()
            let stranger = try withExtendedLifetime(other) { try tls.send(file, "--tls", "--ca", other.certificate) }
            #expect(stranger.errors.contains("is signed by no authority in"), "\(stranger.errors)")
            #expect(try tls.send(file, "--tls").errors.contains("no authority that this system trusts"))

            // The daemon of the configuration is known by its own certificate.
            let status = try tls.daemon.run("latency", "--to", "\(tls.https)", "--ca", tls.authority.certificate)
            #expect(status.isSuccess, "\(status.errors)")
            let own = try CommandRun(
                [
                    "latency", "--config", tls.daemon.configuration, "--set", "http.listen=\(tls.https)",
                ], in: tls.scratch)
            #expect(own.isSuccess, "\(own.errors)")

            try TestAuthority.replace(tls.pair, by: tls.authority.sign("/CN=other", names: "DNS:other.example"))
            let renewed = try CommandRun(
                ["latency", "--config", tls.daemon.configuration, "--set", "http.listen=\(tls.https)"], in: tls.scratch)
            #expect(renewed.errors.contains("presents another certificate than"), "\(renewed.errors)")
            try tls.daemon.process.signal(SIGHUP)
            let run = { try tls.send(file, "--ca", tls.authority.certificate) }
            #expect(eventually { (try? run().errors.contains("is for other names")) == true })

            let plain = try Installation("plain")
            try plain.daemon.start()
            let wrong = try CommandRun(
                ["send", file, "--to", "\(plain.daemon.tcp)", "--tls", "--quiet", "--retry-for", "0"], in: tls.scratch)
            #expect(wrong.errors.contains("speaks plain text"), "\(wrong.errors)")
            #expect(plain.daemon.log.contains("tls on a plain-text listener"))
            let page = try CommandRun(["latency", "--to", "\(plain.daemon.http)", "--tls"], in: tls.scratch)
            #expect(page.errors.contains("speaks plain text"), "\(page.errors)")
        }

        @Test func `a renewed certificate is shown to new connections, while an old one goes on`() throws {
            let tls = try TLSInstallation()
            try tls.daemon.start()
            let events = EventFactory(seed: 84)
            let input = try HeldInput(
                events.lines(0..<100), then: events.lines(100..<200), at: tls.scratch.path + "/lines")
            let sending = try SpawnedProcess(
                MillraceBinary.path,
                [
                    "send", "-", "--to", "\(tls.tcp)", "--ca", tls.authority.certificate, "--json", "--quiet",
                ], mark: tls.authority.certificate, input: input.path, output: tls.scratch.path + "/out",
                errors: tls.scratch.path + "/err")
            try tls.installation.auditor.waitForRows(100)

            // Broken: the key of another pair. The old certificate stays.
            let old = try tls.shownSerial()
            #expect(try old == TLSInstallation.serial(of: tls.pair.certificate))
            let next = try tls.authority.sign()
            try TestAuthority.replace(
                tls.pair, by: .init(certificate: next.certificate, key: tls.authority.sign().key))
            try tls.daemon.process.signal(SIGHUP)
            #expect(eventually { tls.daemon.log.contains("is not the key of") })
            #expect(try tls.shownSerial() == old)

            try TestAuthority.replace(tls.pair, by: next)
            try tls.daemon.process.signal(SIGHUP)
            let wanted = try TLSInstallation.serial(of: next.certificate)
            #expect(eventually { (try? tls.shownSerial()) == wanted })
            input.release()
            #expect(try sending.waitForExit(within: .seconds(60)) == .status(0))
            try input.finish()
            let report = try CommandRun.decode(
                TLSInstallation.Report.self, from: TextFile.read(tls.scratch.path + "/out"))
            #expect(report.accepted == 200)
            #expect(report.reconnects == 0)
        }

        @Test func `100,000 lines over TLS survive a kill of the daemon, and each is there once`() throws {
            let tls = try TLSInstallation()
            let (daemon, auditor) = (tls.daemon, tls.installation.auditor)
            try daemon.start()
            let count = 100_000
            let lines = EventFactory(seed: 85).lines(0..<count)
            let file = try HeldInput(Compression.gzip.compress(lines), at: tls.scratch.path + "/events.ndjson.gz")
            let sending = try SpawnedProcess(
                MillraceBinary.path,
                [
                    "send", file.path, "--json", "--quiet", "--to", "\(tls.tcp)", "--ca", tls.authority.certificate,
                    "--window-kib", "256",
                ], mark: file.path, output: tls.scratch.path + "/out", errors: tls.scratch.path + "/err")
            #expect(eventually(within: .seconds(60)) { ((try? auditor.settled) ?? 0) > 2000 })
            try daemon.kill()
            #expect(sending.isRunning)
            file.release()
            try daemon.start()
            #expect(try sending.waitForExit(within: .seconds(300)) == .status(0))
            try file.finish()
            let report = try CommandRun.decode(
                TLSInstallation.Report.self, from: TextFile.read(tls.scratch.path + "/out"))
            #expect(report.accepted == count)
            #expect(report.unsettled == 0)
            #expect(report.reconnects >= 1)
            try auditor.waitForRows(count)
            #expect(try auditor.rows == count)
            try auditor.verify(daemon)
        }

        @Test(arguments: [SeededGenerator.seed("MILLRACE_TLS_SEED")])
        func `garbage on the TLS ports harms nobody`(seed: UInt64) throws {
            let tls = try TLSInstallation(settings: ["tls.handshake_timeout": "\"2s\""])
            try tls.daemon.start()
            var random = SeededGenerator(seed: seed)
            // The first bytes of a ClientHello, then what comes.
            let hello: [UInt8] = [0x16, 0x03, 0x01, 0x00, 0xF1, 0x01, 0x00, 0x00, 0xED, 0x03, 0x03]
            // Kept open: some say nothing more, until their time is over.
            var sockets: [StreamSocket] = []
            for index in 0..<300 {
                let socket = try StreamSocket(index % 2 == 0 ? tls.tcp : tls.https)
                var bytes = (0..<Int.random(in: 0..<600, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
                if index % 3 != 0 { bytes = Array(hello.prefix(.random(in: 1...hello.count, using: &random))) + bytes }
                _ = socket.sendNow(bytes)
                sockets.append(socket)
                if index % 5 == 0 { socket.finishSending() }
            }
            #expect(
                eventually {
                    (try? tls.daemon.metrics().count("millrace_tls_handshake_failures_total")) == 300
                })
            let file = tls.scratch.path + "/one.ndjson"
            try TextFile.write(EventFactory(seed: 86).line(0) + "\n", to: file)
            #expect(try tls.send(file, "--ca", tls.authority.certificate).isSuccess)
            #expect(try tls.daemon.stop() == .status(0))
        }
    }
}

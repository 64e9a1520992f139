import Glibc

/// An authority of a test's own, and the certificates that it signs: files in a scratch directory, made by openssl.
package final class TestAuthority: Sendable {
    /// Paths of PEM files, which stay as long as it.
    package struct Pair: Sendable {
        package let certificate: String
        package let key: String
        private let authority: TestAuthority?

        /// `authority`: whose files they are; nil where somebody else holds it.
        package init(certificate: String, key: String, of authority: TestAuthority? = nil) {
            self.certificate = certificate
            self.key = key
            self.authority = authority
        }
    }

    /// Path of its own certificate.
    package let certificate: String
    private let key: String
    private let scratch: ScratchDirectory

    package init() throws {
        scratch = try ScratchDirectory()
        certificate = scratch.path + "/authority.pem"
        key = scratch.path + "/authority.key"
        try Self.run(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                + "-subj '/CN=Authority \(UInt32.random(in: 0 ... .max))' -keyout '\(key)' -out '\(certificate)'")
    }

    /// - Parameters:
    ///   - subject: as openssl takes it: `/CN=name/O=organisation`.
    ///   - names: as openssl takes them: `DNS:localhost,IP:127.0.0.1`.
    package func sign(
        _ subject: String = "/CN=localhost", names: String = "DNS:localhost,IP:127.0.0.1"
    ) throws -> Pair {
        let base = "\(scratch.path)/\(UInt64.random(in: 0 ... .max))"
        let pair = Pair(certificate: base + ".pem", key: base + ".key", of: self)
        try Self.run(
            """
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '\(subject)' -keyout '\(pair.key)' \
            -out '\(base).csr' && echo 'subjectAltName=\(names)' > '\(base).ext' && openssl x509 -req -in '\(base).csr' \
            -CA '\(certificate)' -CAkey '\(key)' -set_serial \(UInt32.random(in: 1 ... .max)) -days 2 \
            -extfile '\(base).ext' -out '\(pair.certificate)'
            """)
        return pair
    }

    /// Puts the files of one pair in the place of another's.
    package static func replace(_ old: Pair, by new: Pair) throws {
        try run("cp '\(new.key)' '\(old.key)' && cp '\(new.certificate)' '\(old.certificate)'")
    }

    private static func run(_ script: String) throws {
        guard system("{ \(script); } > /dev/null 2>&1") == 0 else {
            throw TestSupportError(message: "openssl made no certificate; install it: apt-get install openssl")
        }
    }
}

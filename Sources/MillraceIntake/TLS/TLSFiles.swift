internal import Glibc
internal import NIOCore
internal import NIOSSL

/// The files of `[tls]`, read once.
package struct TLSFiles: Sendable {
    let context: NIOSSLContext
    /// Of the first certificate: the daemon's own.
    package let facts: CertificateFacts
    /// Permission bits of the key's file.
    package let keyMode: UInt32

    /// Blocks on the disk.
    package init(reading configuration: ListenerTLSConfiguration) throws(TLSFileError) {
        let chain = try Self.certificates(configuration.certificate, "tls.certificate")
        let key = try Self.key(configuration.key)
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key.key))
        tls.minimumTLSVersion = .tlsv12
        tls.applicationProtocols = ["http/1.1"]
        tls.shutdownTimeout = .seconds(1)
        if !configuration.clientCA.isEmpty {
            tls.certificateVerification = .optionalVerification
            tls.trustRoots = .certificates(try Self.certificates(configuration.clientCA, "tls.client_ca"))
            tls.sendCANameList = true
        }
        do {
            context = try NIOSSLContext(configuration: tls)
        } catch {
            throw TLSFileError(
                code: .otherKey, message: "\(configuration.key) is not the key of \(configuration.certificate)",
                hint:
                    "Give tls.key and tls.certificate of one pair; the daemon's own certificate comes first in its file"
            )
        }
        do {
            facts = try CertificateFacts(chain[0])
        } catch {
            throw TLSFileError(
                code: .noCertificate, message: "\(configuration.certificate): \(error)",
                hint: "Have tls.certificate made anew")
        }
        keyMode = key.mode
    }

    private static func certificates(_ path: String, _ setting: String) throws(TLSFileError) -> [NIOSSLCertificate] {
        try checkReadable(path, setting)
        guard let certificates = try? NIOSSLCertificate.fromPEMFile(path), !certificates.isEmpty else {
            throw TLSFileError(
                code: .noCertificate, message: "\(path) has no certificate in PEM form", hint: "Correct \(setting)")
        }
        return certificates
    }

    private static func key(_ path: String) throws(TLSFileError) -> (key: NIOSSLPrivateKey, mode: UInt32) {
        let mode = try checkReadable(path, "tls.key")
        guard let key = try? NIOSSLPrivateKey(file: path, format: .pem) else {
            throw TLSFileError(
                code: .noKey, message: "\(path) has no private key in PEM form that opens without a passphrase",
                hint: "Correct tls.key")
        }
        return (key, mode)
    }

    /// Returns the permission bits.
    @discardableResult
    private static func checkReadable(_ path: String, _ setting: String) throws(TLSFileError) -> UInt32 {
        var status = stat()
        guard stat(path, &status) == 0, access(path, R_OK) == 0 else {
            throw TLSFileError(
                code: .unreadable, message: "\(path): \(String(cString: strerror(errno)))",
                hint: "Correct \(setting), or let the daemon's user read the file")
        }
        return status.st_mode & 0o7777
    }
}

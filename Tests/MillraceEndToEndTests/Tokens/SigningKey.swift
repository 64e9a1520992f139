import Crypto
import FoundationEssentials
import Glibc

/// A key of an identity provider, ES256.
struct SigningKey {
    let id: String
    private let key = P256.Signing.PrivateKey()

    init(_ id: String) {
        self.id = id
    }

    /// As a set lists it.
    var publicJWK: String {
        let point = Array(key.publicKey.rawRepresentation)
        let (x, y) = (Self.encoded(Array(point.prefix(32))), Self.encoded(Array(point.suffix(32))))
        return #"{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":"\#(id)","x":"\#(x)","y":"\#(y)"}"#
    }

    /// For `Authorization`. `claims`: further ones, each with a comma before it; nil leaves `exp` to them too.
    func bearer(_ claims: String = #","scope":"millrace:read""#, expiresIn seconds: Int? = 600) -> (String, String) {
        let expiry = seconds.map { "\"exp\":\(time(nil) + $0)" } ?? "\"iat\":0"
        return ("Authorization", "Bearer " + token(#"{\#(expiry)\#(claims)}"#))
    }

    /// Signed whatever it says.
    func token(_ claims: String, header: String? = nil) -> String {
        let header = header ?? #"{"alg":"ES256","kid":"\#(id)"}"#
        let signed = Self.encoded(Array(header.utf8)) + "." + Self.encoded(Array(claims.utf8))
        guard let signature = try? key.signature(for: Data(signed.utf8)) else { return signed + "." }
        return signed + "." + Self.encoded(Array(signature.rawRepresentation))
    }

    static func encoded(_ bytes: [UInt8]) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}

import Crypto
import FoundationEssentials
import Glibc

/// A JSON Web Token signed with HS256.
struct BearerToken {
    static let secret = "a secret of the tests, 32 bytes or more"

    let text: String
    private let claims: String
    private let secret: String

    init(
        subject: String, role: String? = nil, scope: String? = nil, expiresIn seconds: Int = 600,
        secret: String = Self.secret
    ) {
        let role = (role.map { ",\"role\":\"\($0)\"" } ?? "") + (scope.map { ",\"scope\":\"\($0)\"" } ?? "")
        let claims = "{\"sub\":\"\(subject)\",\"exp\":\(time(nil) + seconds)\(role)}"
        self.claims = claims
        self.secret = secret
        text = Self.signed(#"{"alg":"HS256","typ":"JWT"}"#, claims, secret)
    }

    /// The same, under a `kid`.
    func text(keyID: String) -> String { Self.signed(#"{"alg":"HS256","kid":"\#(keyID)"}"#, claims, secret) }

    private static func signed(_ header: String, _ claims: String, _ secret: String) -> String {
        let signed = encoded(Array(header.utf8)) + "." + encoded(Array(claims.utf8))
        let signature = HMAC<SHA256>.authenticationCode(
            for: Data(signed.utf8), using: SymmetricKey(data: Data(secret.utf8)))
        return signed + "." + encoded(Array(signature))
    }

    var header: (String, String) { ("Authorization", "Bearer \(text)") }

    private static func encoded(_ bytes: [UInt8]) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}

import Crypto
import FoundationEssentials
import Glibc

/// A JSON Web Token signed with HS256.
struct BearerToken {
    static let secret = "a secret of the tests, 32 bytes or more"

    let text: String

    init(
        subject: String, role: String? = nil, scope: String? = nil, expiresIn seconds: Int = 600,
        secret: String = Self.secret
    ) {
        let role = (role.map { ",\"role\":\"\($0)\"" } ?? "") + (scope.map { ",\"scope\":\"\($0)\"" } ?? "")
        let claims = "{\"sub\":\"\(subject)\",\"exp\":\(time(nil) + seconds)\(role)}"
        let signed = Self.encoded(Array(#"{"alg":"HS256","typ":"JWT"}"#.utf8)) + "." + Self.encoded(Array(claims.utf8))
        let signature = HMAC<SHA256>.authenticationCode(
            for: Data(signed.utf8), using: SymmetricKey(data: Data(secret.utf8)))
        text = signed + "." + Self.encoded(Array(signature))
    }

    var header: (String, String) { ("Authorization", "Bearer \(text)") }

    private static func encoded(_ bytes: [UInt8]) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}

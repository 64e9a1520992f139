import JWTKit

/// Claims for test tokens.
struct TestToken: JWTPayload {
    enum CodingKeys: String, CodingKey {
        case subject = "sub"
        case expiry = "exp"
        case notBefore = "nbf"
        case issuer = "iss"
        case audience = "aud"
        case role
        case scope
    }

    static let user = "0190b5a0-0000-7000-8000-000000000001"

    var subject = user
    var expiry: Int?
    var notBefore: Int?
    var issuer = "us"
    var audience: [String]? = ["millrace"]
    var role: String?
    var scope: String?

    func verify(using algorithm: some JWTAlgorithm) async throws {}

    func signed(_ secret: String, keyID: String? = nil) async throws -> String {
        let keys = await JWTKeyCollection().add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
        return try await keys.sign(self, kid: keyID.map { JWKIdentifier(string: $0) })
    }

    func signed(_ key: ES256PrivateKey, keyID: String? = nil) async throws -> String {
        let keys = await JWTKeyCollection().add(ecdsa: key)
        return try await keys.sign(self, kid: keyID.map { JWKIdentifier(string: $0) })
    }

    /// Made for these tests; signs nothing else.
    static let rsaPrivateKey = """
        -----BEGIN PRIVATE KEY-----
        MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQChZGjckYAVgK+X
        BNShvrMiOZnB9kwlLfVrQ+PTfuIhsrPvkRy6WNwXRSIAV8mt+EgdjH/FzM6j20km
        0Zb1pjacA/nbmcTTJnmZeScsEqV3dlfdi6P9G9LRECOimK1jMI79wm+3blPPjcpO
        Xhej48PzRLnUqe8IFA5EP7hRO5NCkfB06yC1yhKgLaGjyuDOeDssQFne3Hjn10jU
        zYbnA/V5eB5NJ9nPivVRlThXZGhcUzQg6PRQc04wSYetuNZV60lwFgrBggBFX0rc
        JwWShAVs7TpPe5meq9kV4hblZHjJsk9yS2Xt4sf5lciTUp0+eSAawYY8IhQV1GPb
        ChH4dTn3AgMBAAECggEAA4++1x1hBQ6cKfjqeJ75F1JVn0txbkP+XtibYScL4poG
        abldre2FJdkU8ADYjiAuu4eVWfCgZJlxOFrFsEfCe/pwVGZ/6EbMY7Jm9+UDmU01
        B1QEs972nwLojI95gPkVRhuHyoRlTE95jpMq/BNsHBsK17ORPBxTWEVyeUkNgY+w
        ixm5IrbBqpTrrOKA/sDYxV4CUA2MnTHlYzxi7KyXzwG4OmgsG+aivTO59DxnWkhl
        mrjfEGu++8PsoqTrYXJXsHrKAGOkJdgHYLisGDE12NCFcJid4BVR/6LN3ybBU4k7
        +8Kn778Mmh/183wV1mulT7DzXy5rGG6p/YUBqRJmQQKBgQDL8CXwJ6HKCHCOYR1c
        avkJWpA+0H5GJTIkefxKR7jufh06yMRaLLptqDQr/s8SS/d/wH2vtr81IblgulHp
        7Wp6/dI2cEvIE4Hssw4EMOUoQFTsiSc5EH2ov2d2iWXrB7avUctuRkoA+n5JTlOA
        AxkuV09TflI7FE8UTDdTnLjf4QKBgQDKl8kxIasOJWvSd7xrx4JiIfe6xybks9lk
        wAbC5Trm3SDv4rS5Sb24sgZWB813oQxo3eeAAtPjcNIsu32ak9oa8msmVmUPUILO
        s925s6+9wcqnFyjYF2zgm8evvXG0Mw/1Pk07dfDQKBmKLdQqcg3RSI2xJTlWrv59
        NUT3UKe01wKBgCR8YX02yfZITkLa0xLuvIFU54ulZ4ILM45dGKr9a/OXMomK075C
        VFQ8DKF2Y/ulBbGgcZwXONw7nVvV2cPdSviYIpzEuHoiK1N6sV5ElSr/X3I2E4Nd
        FO402EDX0hkbdy6klp2zC5hjOGbLEZtMcpvc2P9aEUIqnv9Fp3xZBKZhAoGAGwL1
        3kkg53fx0lQImU42giMJRqv68Y9RMu+vdxjdK57cH1/YvMOqOg/ybFIKASNF5k1/
        6j92ROLsAu7UpmGEOQeNZcUrIEmZxzmQHIxqqCBIhtK9rWIiMChVDYdyu5X7ULWH
        0p+9BePy08uceDRQx1CnI7FU3cvjPop1sYvdcG0CgYEAy7xH6FB2Ml+0N8JDiuNI
        kU/vOX7tZByhAz0fDqdqywkutQeTLMKxAZUHKpUPlKcN92E3NFfTG4eLpMRpmOmw
        6IKuydvezCHNrWHXUD9ecdWRZz9o0BzEISIkG75MOWfvIpbODGsewzI333ta/Eki
        lfDVkdmNFIGBU6Y0Te7VfTo=
        -----END PRIVATE KEY-----
        """
}

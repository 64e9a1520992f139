internal import MillraceAPI
internal import MillracePostgres

extension ConfigurationSchema {
    static let jwt = ConfigurationSection(
        name: "jwt", doc: "Bearer tokens, for the routes that want one.",
        keys: [
            .secret(
                "secret", \.jwt.secret, .hidden,
                "HS256 secret of tokens without a kid, 32 bytes or more; \"\" is none."
            ).live,
            .string("jwks_file", \.jwt.jwksFile, "A JSON Web Key Set with further keys; \"\" is none.").live,
            .string(
                "jwks_url", \.jwt.jwksURL,
                "Where a set with further public keys is fetched, by https or from loopback; \"\" is none.",
                watch: "millrace_jwks_fetches_total"
            ).live,
            .duration(
                "jwks_refresh", \.jwt.jwksRefresh, .seconds(10) ... .seconds(86_400),
                "From one fetch to the next; while the URL is away the last set stays, also over a restart.",
                watch: "millrace_jwks_fetches_total"
            ).live,
            .duration(
                "jwks_retry", \.jwt.jwksRetry, .seconds(1) ... .seconds(3600),
                "Least time between fetches that tokens with an unknown kid cause.",
                watch: "millrace_jwks_fetches_total"
            ).live,
            .duration(
                "jwks_timeout", \.jwt.jwksTimeout, .milliseconds(100) ... .seconds(60),
                "How long a fetch may take, redirects included; a token with an unknown kid waits for it.",
                watch: "millrace_jwks_fetches_total"
            ).live,
            .bytes(
                "jwks_bytes_max", \.jwt.jwksBytesMax, 1 << 10...16 << 20, "Largest set that is taken.",
                watch: "millrace_jwks_fetches_total"
            ).live,
            .string("issuer", \.jwt.issuer, "The iss a token must have; \"\" is any.").live,
            .string("audience", \.jwt.audience, "An aud a token must have; \"\" is any.").live,
            .duration(
                "leeway", \.jwt.leeway, .zero ... .seconds(600), "Difference of clocks that exp and nbf allow.",
                watch: "millrace_http_requests_total"
            ).live,
            .string("service_role", \.jwt.serviceRole, "The role claim that may act for any user; \"\" is none.").live,
            .string(
                "subject_claim", \.jwt.subjectClaim, "The claim with the user's UUID; dots lead into objects."
            ).live,
            .string(
                "tenant_claim", \.jwt.tenantClaim,
                "The claim with the tenant's number, such as app_metadata.tenant; a token without is refused. \"\" is "
                    + "tenant 0 for all."
            ).live,
            .string(
                "scope_claim", \.jwt.scopeClaim, "The claim with scopes: a text with blanks between, or a list."
            ).live,
            .string("read_scope", \.jwt.readScope, "The scope that may read every user's rows; \"\" is none.").live,
            .string(
                "write_scope", \.jwt.writeScope,
                "The scope that may save conversations and check out for every user; \"\" is none."
            ).live,
            .string(
                "admin_scope", \.jwt.adminScope, "The scope that may do all that an admin key may; \"\" is none."
            ).live,
            .string(
                "decrypt_scope", \.jwt.decryptScope,
                "The scope that reads every user's rows with what [fields] encrypts in plain text; \"\" is none."
            ).live,
            .bytes(
                "token_bytes_max", \.jwt.tokenBytesMax, 1 << 10...1 << 20, "Longest token that is looked at.",
                watch: "millrace_http_requests_total"
            ).live,
        ],
        appendix: [
            "Keys by kid, any number of tables:",
            "[[jwt.keys]]",
            "id = \"main\"                  # the token's kid",
            "algorithm = \"ES256\"          # HS256, RS256, PS256, ES256, ES384 or EdDSA; a token must name the same",
            "public_key_file = \"main.pem\" # all but HS256; a relative path starts at this file's directory",
            "secret = \"…\"                 # HS256, 32 bytes or more; or:",
            "secret_file = \"main.secret\"",
        ])
}

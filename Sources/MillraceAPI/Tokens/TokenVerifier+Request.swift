internal import HTTPTypes
internal import Hummingbird

extension TokenVerifier {
    /// Of `Authorization: Bearer`. Throws `APIProblem`, a 401.
    func caller(of request: Request) async throws -> Caller {
        do {
            let header = request.headers[.authorization] ?? ""
            let parts = header.split(separator: " ", maxSplits: 1)
            guard parts.count == 2, parts[0].lowercased() == "bearer" else { throw TokenError.missingToken }
            return try await verify(String(parts[1].drop { $0 == " " }))
        } catch let error as TokenError {
            throw APIProblem(error)
        }
    }
}

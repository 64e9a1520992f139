import AsyncHTTPClient
import MillraceAPI
import NIOCore
import NIOHTTP1

/// Gets a key set: bounded in time, in bytes and in redirects, none of which leaves https.
struct KeySetFetcher {
    /// Why there is none.
    struct Problem: Error, CustomStringConvertible {
        var description: String
    }

    private static let redirectsMax = 3

    private let client: HTTPClient

    init(on group: any EventLoopGroup) {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
    }

    func shutdown() async {
        try? await client.shutdown()
    }

    /// Throws `Problem`.
    func fetch(_ settings: JWTConfiguration) async throws -> [UInt8] {
        try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
            group.addTask { try await follow(settings.jwksURL, settings) }
            group.addTask {
                try await Task.sleep(for: settings.jwksTimeout)
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let bytes = first else {
                throw Problem(description: "no whole answer within jwt.jwks_timeout")
            }
            return bytes
        }
    }

    private func follow(_ address: String, _ settings: JWTConfiguration) async throws -> [UInt8] {
        var address = address
        for _ in 0...Self.redirectsMax {
            var request = HTTPClientRequest(url: address)
            request.headers.add(name: "Accept", value: "application/jwk-set+json, application/json")
            let response: HTTPClientResponse
            do {
                response = try await client.execute(request, timeout: TimeAmount(settings.jwksTimeout))
            } catch {
                throw Problem(description: "no answer: \(error)")
            }
            guard (300..<400).contains(response.status.code) else {
                return try await body(of: response, bytesMax: settings.jwksBytesMax)
            }
            guard let location = response.headers.first(name: "Location"),
                let next = KeySetAddress.redirect(from: address, to: location)
            else {
                throw Problem(
                    description: "it redirects to where no key set may be fetched: by https, or from loopback")
            }
            address = next
        }
        throw Problem(description: "it redirects more than \(Self.redirectsMax) times")
    }

    private func body(of response: HTTPClientResponse, bytesMax: Int) async throws -> [UInt8] {
        guard response.status == .ok else { throw Problem(description: "it answers \(response.status.code)") }
        do {
            return Array(try await response.body.collect(upTo: bytesMax).readableBytesView)
        } catch is NIOTooManyBytesError {
            throw Problem(description: "the set is larger than jwt.jwks_bytes_max")
        } catch {
            throw Problem(description: "the answer broke off: \(error)")
        }
    }
}

/// The configuration in force, and what follows from it; held by every connection.
final class HTTPSettings: Sendable {
    let configuration: HTTPIntakeConfiguration
    let door: HTTPDoor

    init(_ configuration: HTTPIntakeConfiguration) {
        self.configuration = configuration
        door = HTTPDoor(
            listen: configuration.listen, hosts: configuration.http.hosts, origins: configuration.http.corsOrigins)
    }
}

/// A TCP port of 127.0.0.1 that was free a moment ago.
package func freePort() throws -> Int {
    let listener = try SilentListener()
    return listener.port
}

/// Why an intake can't start.
package enum IntakeError: Error, Sendable, CustomStringConvertible {
    case cannotListen(ListenAddress, cause: String)

    package var description: String {
        switch self {
        case .cannotListen(let address, let cause): "can't listen on \(address): \(cause)"
        }
    }

    /// The operator's next step.
    package var hint: String {
        switch self {
        case .cannotListen: "free the address (is another millrace running?), or change the listen setting"
        }
    }
}

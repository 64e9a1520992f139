/// The daemon said something else than the test counts on.
struct UnexpectedAnswer: Error, CustomStringConvertible {
    var text: String

    var description: String { "unexpected answer: \(text)" }
}

/// Why a test could not be set up; says what to install or to fix.
package struct TestSupportError: Error, CustomStringConvertible {
    package var message: String

    package init(message: String) {
        self.message = message
    }

    package var description: String { message }
}

/// Why a test could not be set up; says what to install or to mend.
package struct TestSupportError: Error, CustomStringConvertible {
    package var message: String

    package init(message: String) {
        self.message = message
    }

    package var description: String { message }
}

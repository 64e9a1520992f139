package import MillraceJSON

/// What every request that is not answered 2xx gets.
package struct ErrorAnswer: JSONShape {
    package struct Detail: JSONShape {
        package var code: String
        package var message: String

        package init(code: String, message: String) {
            self.code = code
            self.message = message
        }

        package static let fields: [JSONField<Self>] = [
            JSONField("code", \.code), JSONField("message", \.message),
        ]
    }

    package var error: Detail
    package var next: String?

    /// - Parameter next: a cursor after what can't be answered.
    package init(code: String, message: String, next: String? = nil) {
        error = Detail(code: code, message: message)
        self.next = next
    }

    package static let name = "Error"

    package static let fields: [JSONField<Self>] = [
        JSONField("error", \.error),
        JSONField(
            "next", optional: \.next,
            doc: "With `row_too_large`: the cursor after the row that can't be read, where it is known"),
    ]
}

/// The same as SDKs look for it, each under a name of its own.
package struct SDKErrorAnswer: JSONShape {
    private let detail: ErrorAnswer.Detail

    package init(code: String, message: String) {
        detail = ErrorAnswer.Detail(code: code, message: message)
    }

    package static let name = "SDKError"

    package static let fields: [JSONField<Self>] = [
        JSONField("code", \.detail.code), JSONField("message", \.detail.message), JSONField("detail", \.detail.message),
        JSONField("error", \.detail), JSONField("error_description", \.detail.message),
    ]
}

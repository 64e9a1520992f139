internal import FoundationEssentials

/// How the intake tells the routes whose certificate a client showed: a header field of the request, which the intake puts
/// in the place of whatever the client sent under its name.
package enum ClientSubjectField {
    package static let name = "Millrace-Client-Subject"

    /// As the field's value: in base64, since a subject may hold what no field may.
    package static func encoded(_ subject: String) -> String { Data(subject.utf8).base64EncodedString() }

    /// Nil for what `encoded` did not make.
    package static func decoded(_ value: String) -> String? {
        Data(base64Encoded: value).flatMap { String(validating: $0, as: UTF8.self) }
    }
}

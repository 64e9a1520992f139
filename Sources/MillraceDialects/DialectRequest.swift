/// What the head of a request in a dialect says.
package struct DialectRequest: Sendable, Equatable {
    package let dialect: Dialect
    /// Without the query.
    package let path: String
    package let query: FormFields
    /// In lower case, without parameters; empty where there is none.
    package let contentType: String
    /// Those that the dialect looks at, their names in lower case.
    let fields: [String: String]

    /// - Parameters:
    ///   - uri: path and query.
    ///   - fields: all of the request's header fields.
    package init(_ dialect: Dialect, uri: String, fields: some Sequence<(String, String)>) {
        self.dialect = dialect
        path = String(uri.prefix { $0 != "?" })
        query = FormFields(uri.dropFirst(path.count + 1).utf8)
        var contentType = ""
        var kept: [String: String] = [:]
        for (name, value) in fields {
            let name = name.lowercased()
            if name == "content-type" {
                contentType = value.prefix { $0 != ";" }.lowercased().filter { $0 != " " && $0 != "\t" }
            }
            if Self.isKept(name, dialect) { kept[name] = value }
        }
        self.contentType = contentType
        self.fields = kept
    }

    private static func isKept(_ name: String, _ dialect: Dialect) -> Bool {
        switch dialect {
        case .segment, .postHog, .openTelemetry, .pixel: false
        case .postHogV1: name == "posthog-request-timestamp"
        case .cloudEvents: name.hasPrefix("ce-") || name == "content-type"
        }
    }

    /// The key in the query, where beacons and pixels have it.
    package var key: String? { Self.key(in: query) }

    /// The key in any query.
    package static func key(in query: FormFields) -> String? {
        for name in keyNames {
            if let key = query[name], !key.isEmpty { return key }
        }
        return nil
    }

    static let keyNames = ["key", "writeKey", "api_key", "access_token", "token"]

    /// The body is protobuf, and so is the answer.
    package var isProtobuf: Bool { dialect == .openTelemetry && Self.isProtobuf(contentType) }

    /// `contentType`: in lower case, without parameters.
    package static func isProtobuf(_ contentType: some StringProtocol) -> Bool {
        contentType == "application/x-protobuf" || contentType == "application/protobuf"
    }

    /// The body may hold the key.
    package var mayHoldKey: Bool { (dialect == .segment || dialect == .postHog || dialect == .postHogV1) && !isPixel }

    /// The answer has no body: its sender does not look at it.
    package var isBeacon: Bool { dialect == .postHog && query["beacon"] == "1" }

    /// A picture is wanted: a GET, whose query is the message.
    package var isPixel: Bool { dialect == .pixel || path.hasPrefix("/pixel/") }

    /// There may be nothing in the body.
    package var hasEmptyBody: Bool {
        isPixel || isProtobuf || dialect == .postHog && query["data"] != nil
            || dialect == .cloudEvents && !contentType.hasPrefix("application/cloudevents")
    }

    /// Whether an event of CloudEvents that is structured is in a format that is read.
    private var hasKnownFormat: Bool {
        guard contentType.hasPrefix("application/cloudevents") else { return true }
        return ["", "+json", "-batch", "-batch+json"].contains(contentType.dropFirst("application/cloudevents".count))
    }

    /// Whether the body's type is one that the dialect has.
    package var hasKnownType: Bool {
        if dialect == .openTelemetry { return isProtobuf || contentType == "application/json" }
        return switch contentType {
        case "", "application/json", "text/plain", "application/octet-stream": true
        case "application/x-www-form-urlencoded": dialect == .postHog
        default: dialect == .cloudEvents && hasKnownFormat
        }
    }
}

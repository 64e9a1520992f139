/// Which event types are meant: `*`, `order.*`, or a type as it is.
package enum EventTypePattern: Sendable, Hashable {
    case any
    /// With the dot at its end: `order.`
    case prefix(String)
    case exactly(String)

    /// Of its text in pack.toml; nil when a star stands anywhere but alone or behind a dot at the end.
    package init?(_ text: String) {
        if text == "*" {
            self = .any
        } else if text.hasSuffix(".*"), !text.dropLast(2).contains("*"), text.count > 2 {
            self = .prefix(String(text.dropLast()))
        } else if !text.isEmpty, !text.contains("*") {
            self = .exactly(text)
        } else {
            return nil
        }
    }

    package func matches(_ eventType: String) -> Bool {
        switch self {
        case .any: true
        case .prefix(let prefix): eventType.hasPrefix(prefix)
        case .exactly(let type): eventType == type
        }
    }
}

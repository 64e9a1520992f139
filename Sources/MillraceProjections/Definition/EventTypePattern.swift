/// Which event types are meant: `*`, `order.*`, or a type as it is.
package enum EventTypePattern: Sendable, Hashable, CustomStringConvertible {
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

    /// As pack.toml writes it.
    package var description: String {
        switch self {
        case .any: "*"
        case .prefix(let prefix): prefix + "*"
        case .exactly(let type): type
        }
    }

    /// Whether there is a type that both take.
    package func overlaps(_ other: EventTypePattern) -> Bool {
        switch (self, other) {
        case (.any, _), (_, .any): true
        case (.prefix(let one), .prefix(let two)): one.hasPrefix(two) || two.hasPrefix(one)
        case (.exactly(let type), let pattern), (let pattern, .exactly(let type)): pattern.matches(type)
        }
    }

    /// Whether events of this type are taken; upper and lower case differ.
    package func matches(_ eventType: String) -> Bool {
        switch self {
        case .any: true
        case .prefix(let prefix): eventType.hasPrefix(prefix)
        case .exactly(let type): eventType == type
        }
    }
}

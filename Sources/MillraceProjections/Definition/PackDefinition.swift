/// A pack: folds over the rows, and the SQL that makes the tables they are kept in. Read from `sql/packs/<pack>/`.
package struct PackDefinition: Sendable, Equatable {
    /// `[a-z][a-z0-9_]{0,30}`; every table of the pack starts with it and `_`.
    package var name: String
    /// From 1; raised with every change of the pack's files.
    package var version: Int
    package var title: String
    /// In the order of the file, which is the order in which their tables are written.
    package var folds: [FoldDefinition]
    /// Makes the tables; names them without a schema.
    package var upSQL: String
    /// Removes them.
    package var downSQL: String
    /// SHA-256 of pack.toml, up.sql and down.sql, as 64 lower-case hexadecimal digits.
    package var hash: String
    /// Where pack.toml was read; for messages.
    package var file: String

    package init(
        name: String, version: Int, title: String, folds: [FoldDefinition], upSQL: String, downSQL: String,
        hash: String, file: String = "pack.toml"
    ) {
        self.name = name
        self.version = version
        self.title = title
        self.folds = folds
        self.upSQL = upSQL
        self.downSQL = downSQL
        self.hash = hash
        self.file = file
    }
}

/// One commutative fold: which rows go into which table, and how.
package struct FoldDefinition: Sendable, Equatable {
    /// Within the pack.
    package var name: String
    /// Without its schema; starts with the pack's name.
    package var table: String
    package var source: FoldSource
    package var kind: FoldKind
    /// Of an entity or append: the rows that its own go with when they are deleted.
    package var cascades: [Cascade]
    /// Of the definition in pack.toml, from 1; for messages.
    package var line: Int

    package init(
        name: String, table: String, source: FoldSource, kind: FoldKind, cascades: [Cascade] = [], line: Int
    ) {
        self.name = name
        self.table = table
        self.source = source
        self.kind = kind
        self.cascades = cascades
        self.line = line
    }
}

/// The rows that a fold is over.
package enum FoldSource: Sendable, Equatable {
    case conversations
    /// Events of a type that one of the patterns takes.
    case events([EventTypePattern])

    /// Empty: conversations.
    package var patterns: [EventTypePattern] {
        guard case .events(let patterns) = self else { return [] }
        return patterns
    }
}

/// Which event types are meant: `*`, `order.*`, or a type as it is.
package enum EventTypePattern: Sendable, Hashable, CustomStringConvertible {
    case any
    /// With the dot at its end: `order.`
    case prefix(String)
    case exactly(String)

    /// Of its text in pack.toml; nil when a star stands anywhere but alone or after a dot at the end.
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

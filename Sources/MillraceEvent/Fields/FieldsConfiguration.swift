/// `[fields]`: what of a line no disk may see as it came.
package struct FieldsConfiguration: Sendable, Equatable {
    /// File with the keys (`FieldKeys`); empty: none.
    package var keysFile = ""
    /// Paths (`ListedPath`) whose values are encrypted.
    package var encrypt: [String] = []
    /// Those of `encrypt` that are searched by equality.
    package var index: [String] = []
    /// Paths whose values a keyed hash takes the place of.
    package var sha256: [String] = []
    /// Paths whose values `***` takes the place of.
    package var mask: [String] = []
    /// Characters at the end of a masked text that stay, where it has three times as many: 0 ... 8.
    package var maskKeep = 0
    /// Paths that are left out.
    package var drop: [String] = []

    package init() {}

    /// Nothing is listed: lines stay as they came.
    package var isEmpty: Bool {
        encrypt.isEmpty && index.isEmpty && sha256.isEmpty && mask.isEmpty && drop.isEmpty
    }
}

/// Why `[fields]` or its keys can't be used. Never holds a part of a key.
package struct FieldsError: Error, Sendable, Equatable, CustomStringConvertible {
    /// `fields.encrypt`, or the like.
    package var key: String
    package var message: String

    package init(key: String, message: String) {
        self.key = key
        self.message = message
    }

    package var description: String { "\(key): \(message)" }
}

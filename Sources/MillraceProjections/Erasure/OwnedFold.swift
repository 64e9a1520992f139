/// A fold whose rows go with a user: that of the users, and those that cascade from it.
struct OwnedFold: Sendable {
    private static let users = "users"
    /// How the name of a fold of users ends.
    static let usersSuffix = ".\(users)"

    var pack: String
    /// `pack.fold`, as `erasure_keys.fold` has it.
    var name: String
    /// Not by its users: an entity whose events are erased as a whole where they are a user's (`erasure.payload_paths`).
    var isTyped = false
    var fold: FoldDefinition
    /// Of an entity the column of its key, and where events have it; nil for an append.
    var key: (column: String, path: [String])?
    /// Whose rows its own go with; nil of users.
    var parent: (name: String, column: String, path: [String])?
    /// Events that make, change or end its rows.
    var types: [EventTypePattern]

    /// In an order in which each comes after its parent. Only keys of one column that events name in their payload.
    static func all(of packs: [PackDefinition], _ paths: [ErasurePath]) -> [OwnedFold] {
        let whole = paths.filter(\.path.isEmpty).compactMap(\.types)
        return packs.flatMap { pack -> [OwnedFold] in
            var owned: [OwnedFold] = []
            if let users = pack.folds.first(where: { $0.name == Self.users }),
                let root = OwnedFold(users, of: pack, nil),
                root.key != nil
            {
                owned.append(root)
            }
            for fold in pack.cascadeOrder {
                for cascade in fold.cascades where !owned.contains(where: { $0.fold.name == fold.name }) {
                    guard let parent = owned.first(where: { $0.fold.name == cascade.parent }), cascade.links.count == 1,
                        let child = OwnedFold(fold, of: pack, (parent.name, cascade.links[0].column))
                    else { continue }
                    owned.append(child)
                }
            }
            for fold in pack.folds where !owned.contains(where: { $0.fold.name == fold.name }) {
                guard whole.contains(where: { types in fold.source.patterns.contains { $0.overlaps(types) } }),
                    var typed = OwnedFold(fold, of: pack, nil)
                else { continue }
                typed.isTyped = true
                owned.append(typed)
            }
            return owned
        }
    }

    private init?(_ fold: FoldDefinition, of pack: PackDefinition, _ parent: (name: String, column: String)?) {
        guard case .events(let saves) = fold.source else { return nil }
        func path(of column: String, among mappings: [ColumnMapping]) -> [String]? {
            mappings.first { $0.column == column }.flatMap { $0.field.column == "payload" ? $0.field.path : nil }
        }
        self.fold = fold
        self.pack = pack.name
        name = "\(pack.name).\(fold.name)"
        types = saves
        switch fold.kind {
        case .entity(let entity):
            types += entity.deletes + entity.patches
            if entity.key.count == 1, let path = path(of: entity.key[0].column, among: entity.key) {
                key = (entity.key[0].column, path)
            }
            if let parent {
                guard let path = path(of: parent.column, among: entity.columns + entity.key) else { return nil }
                self.parent = (parent.name, parent.column, path)
            }
            guard key != nil || self.parent != nil else { return nil }
        case .append(let columns):
            guard let parent, let path = path(of: parent.column, among: columns) else { return nil }
            self.parent = (parent.name, parent.column, path)
        case .counter, .top, .unique: return nil
        }
    }

    func takes(_ eventType: String) -> Bool { types.contains { $0.matches(eventType) } }
}

extension FoldDefinition {
    /// Whether rows of single events of this type are in its table.
    func makesRows(of eventType: String) -> Bool {
        switch kind {
        case .counter, .top, .unique: return false
        case .append: return source.patterns.contains { $0.matches(eventType) }
        case .entity(let entity):
            return (source.patterns + entity.deletes + entity.patches).contains { $0.matches(eventType) }
        }
    }
}

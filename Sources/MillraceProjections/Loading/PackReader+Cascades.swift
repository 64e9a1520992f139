internal import MillraceTOML
internal import TOMLKit

extension PackReader {
    private static let example = "cascade = [{ from = \"users\", by = \"user_id\" }]"

    /// What the fold's rows go with, as far as the fold alone can tell; `checkCascades` does the rest.
    mutating func cascades(in place: Place) -> [Cascade] {
        guard let value = place.table["cascade"] else { return [] }
        let path = place.path + ["cascade"]
        guard let array = value.array else {
            report(.invalidValue, path, "cascade is \(Self.found(value)); wanted: a list, \(Self.example)")
            return []
        }
        return array.compactMap { item in
            guard let table = item.table else {
                report(.invalidValue, path, "cascade holds \(Self.found(item)); wanted: \(Self.example)")
                return nil
            }
            let cascade = Place(table: table, path: path, what: "a cascade")
            checkKeys(cascade, ["from", "by"])
            guard let parent = string("from", in: cascade) else { return nil }
            guard let by = table["by"] else {
                report(.missingKey, path, "a cascade needs by; write \(Self.example)")
                return nil
            }
            var links: [Cascade.Link] = []
            if let column = by.string {
                links = [Cascade.Link(column: column, key: "")]
            } else if let columns = by.table {
                links = columns.keys.map { Cascade.Link(column: $0, key: columns[$0]?.string ?? "") }
            }
            guard !links.isEmpty else {
                report(
                    .invalidValue, path,
                    "by is \(Self.found(by)); wanted: the column that names the row of \(parent), or "
                        + "{ column = \"its key's column\" } when its key has several")
                return nil
            }
            return Cascade(parent: parent, links: links, line: line(of: path))
        }
    }

    /// Reports cascades that lead nowhere or in a circle. Names the key's column where a cascade left it out.
    mutating func checkCascades(_ folds: inout [FoldDefinition]) {
        for index in folds.indices {
            for number in folds[index].cascades.indices {
                if let links = links(of: folds[index].cascades[number], in: folds[index], folds) {
                    folds[index].cascades[number].links = links
                }
            }
        }
        for fold in folds {
            guard let cascade = fold.cascades.first(where: { leads(from: $0.parent, to: fold.name, folds) }) else {
                continue
            }
            report(
                .impossibleCombination, line: cascade.line,
                "\(fold.name) goes with \(cascade.parent), and that with \(fold.name): a deletion would go round; remove one"
            )
        }
    }

    /// Nil after a report.
    private mutating func links(
        of cascade: Cascade, in fold: FoldDefinition, _ folds: [FoldDefinition]
    ) -> [Cascade.Link]? {
        func refuse(_ code: PackError.Code, _ message: String) -> [Cascade.Link]? {
            report(code, line: cascade.line, message)
            return nil
        }
        let parents = folds.filter { fold in
            guard case .entity(let entity) = fold.kind else { return false }
            return !entity.deletes.isEmpty
        }
        guard let parent = parents.first(where: { $0.name == cascade.parent }), case .entity(let entity) = parent.kind
        else {
            let known = parents.map(\.name)
            let nearest = EditDistance.nearest(to: cascade.parent, among: known) { $0 }.map { "; the nearest is \($0)" }
            return refuse(
                .unknownField,
                "cascade is from \(cascade.parent), which is no entity with deletes\(nearest ?? "")")
        }
        var links = cascade.links
        let keys = entity.key.map(\.column)
        if links.count == 1, links[0].key.isEmpty, keys.count == 1 { links[0].key = keys[0] }
        guard Set(links.map(\.key)) == Set(keys), links.count == keys.count else {
            return refuse(
                .invalidValue,
                "the key of \(parent.name) is \(keys.joined(separator: ", ")); write by = { "
                    + keys.map { "\(parent.name)_\($0) = \"\($0)\"" }.joined(separator: ", ") + " }")
        }
        for link in links {
            let columns = fold.stateColumns
            guard !columns.contains(link.column) else { continue }
            let nearest = EditDistance.nearest(to: link.column, among: columns) { $0 } ?? ""
            return refuse(
                .unknownField,
                "by names \(link.column), which is no column of \(fold.name) outside of its key; the nearest is \(nearest)"
            )
        }
        return links
    }

    private func leads(from start: String, to end: String, _ folds: [FoldDefinition]) -> Bool {
        var (next, seen) = ([start], Set<String>())
        while let name = next.popLast() {
            if name == end { return true }
            guard seen.insert(name).inserted else { continue }
            next += folds.first { $0.name == name }?.cascades.map(\.parent) ?? []
        }
        return false
    }
}

extension FoldDefinition {
    /// Columns that an event fills besides the key.
    fileprivate var stateColumns: [String] {
        switch kind {
        case .entity(let entity): entity.columns.map(\.column)
        case .append(let columns): columns.map(\.column)
        case .counter, .top, .unique: []
        }
    }
}

internal import MillraceProjections

/// What a fold is described by.
struct FoldParts {
    var bucket: TimeBucket?
    var by: [String] = []
    var sums: [String] = []
    var columns: [String] = []

    /// Where it is read.
    static func path(pack: String, name: String, kind: String) -> String {
        let route =
            switch kind {
            case "counter": "counts"
            case "top": "tops"
            case "unique": "uniques"
            case "status_counts": "status-counts"
            default: "entities"
            }
        return "/v1/\(route)/\(pack)/\(name)"
    }
}

extension FoldDefinition {
    var parts: FoldParts {
        switch kind {
        case .counter(let counter), .top(let counter):
            FoldParts(
                bucket: counter.bucket, by: counter.dimensions.map(\.column), sums: counter.sums.map(\.column))
        case .unique(let unique): FoldParts(bucket: unique.bucket, by: unique.dimensions.map(\.column))
        case .entity(let entity): FoldParts(by: entity.key.map(\.column), columns: entity.columns.map(\.column))
        case .append(let columns): FoldParts(columns: columns.map(\.column))
        }
    }
}

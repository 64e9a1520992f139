internal import Hummingbird
internal import MillraceJSON
internal import MillraceProjections
internal import MillraceRoutes

/// `GET /v1/packs`: what can be asked for.
struct PacksRoute: ReadingRoute {
    static let operation = APIOperation(
        .packs, id: "listPacks", tag: "projections", summary: "The loaded packs, their folds, and where to read them",
        access: .read, answer: .init(PackList.self))

    let catalog: PackCatalog

    func respond(_ parameters: RequestParameters) async throws -> Response {
        let live = try await catalog.live(.packs)
        let packs = catalog.definitions.sorted { $0.name < $1.name }
        return Response(PackList(items: packs.map { PackList.Pack($0, liveVersion: live.packs[$0.name]?.version) }))
    }
}

private struct PackList: JSONShape {
    struct Pack: JSONShape {
        var definition: PackDefinition
        var liveVersion: Int?
        var folds: [Fold]

        init(_ definition: PackDefinition, liveVersion: Int?) {
            self.definition = definition
            self.liveVersion = liveVersion
            folds = definition.folds.flatMap { Fold.all(of: $0, in: definition.name) }
        }

        static let fields: [JSONField<Self>] = [
            JSONField("pack", \.definition.name), JSONField("title", \.definition.title),
            JSONField("version", \.definition.version), JSONField("live_version", \.liveVersion),
            JSONField("folds", \.folds),
        ]
    }

    /// A fold, or the status counts of an entity.
    struct Fold: JSONShape {
        private var name: String
        private var kind: Kind
        private var pack: String
        private var bucket: TimeBucket?
        private var by: [String] = []
        private var sums: [String] = []
        private var columns: [String] = []

        /// As pack.toml names them.
        private enum Kind: String, JSONChoice {
            case counter, top, unique, entity, append
            case statusCounts = "status_counts"

            /// Under which it is read.
            var path: String {
                switch self {
                case .counter: "counts"
                case .top: "tops"
                case .unique: "uniques"
                case .entity, .append: "entities"
                case .statusCounts: "status-counts"
                }
            }
        }

        private var path: String { "/v1/\(kind.path)/\(pack)/\(name)" }

        static let fields: [JSONField<Self>] = [
            JSONField("name", \.name), JSONField("kind", \.kind), JSONField("path", \.path),
            JSONField("bucket", \.bucket?.rawValue), JSONField("by", \.by), JSONField("sums", \.sums),
            JSONField("columns", \.columns),
        ]

        /// The fold, and the counts that it keeps besides.
        static func all(of fold: FoldDefinition, in pack: String) -> [Fold] {
            var this = Fold(name: fold.name, kind: .counter, pack: pack)
            switch fold.kind {
            case .counter(let counter), .top(let counter):
                if case .top = fold.kind { this.kind = .top }
                this.bucket = counter.bucket
                this.by = names(counter.dimensions)
                this.sums = counter.sums.map(\.column)
            case .unique(let unique):
                this.kind = .unique
                this.bucket = unique.bucket
                this.by = names(unique.dimensions)
            case .entity(let entity):
                this.kind = .entity
                this.by = names(entity.key)
                this.columns = names(entity.columns)
                return [this]
                    + entity.counts.map { counts in
                        Fold(
                            name: counts.name, kind: .statusCounts, pack: pack, bucket: counts.bucket?.unit,
                            by: counts.by.filter { !CatalogTable.Column.isSecret($0) }, sums: counts.sums)
                    }
            case .append(let columns):
                this.kind = .append
                this.columns = names(columns)
            }
            return [this]
        }

        /// Without those that are never shown.
        private static func names(_ mappings: [ColumnMapping]) -> [String] {
            mappings.map(\.column).filter { !CatalogTable.Column.isSecret($0) }
        }
    }

    var items: [Pack]

    static let name = "Packs"

    static let fields: [JSONField<Self>] = [JSONField("items", \.items)]
}

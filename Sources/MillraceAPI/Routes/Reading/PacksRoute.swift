internal import Hummingbird
internal import MillraceProjections

/// `GET /v1/packs`: what can be asked for.
struct PacksRoute: Sendable {
    static let operation = APIOperation(
        id: "listPacks", path: ReadRoute.packs.path, tag: "projections",
        summary: "The loaded packs, their folds, and where to read them", access: .read, answer: "Packs")

    let catalog: PackCatalog

    func respond(_ parameters: RequestParameters) async throws -> Response {
        let live = try await catalog.live(.packs)
        var json = JSONWriter()
        json.append(raw: "{")
        json.append(name: "items")
        json.append(raw: "[")
        for definition in catalog.definitions.sorted(by: { $0.name < $1.name }) {
            json.separate()
            write(definition, live.packs[definition.name]?.version, to: &json)
        }
        json.append(raw: "]}")
        return APIAnswer.response(json)
    }

    private func write(_ pack: PackDefinition, _ version: Int?, to json: inout JSONWriter) {
        json.append(raw: "{")
        json.append(name: "pack")
        json.append(pack.name)
        json.append(name: "title")
        json.append(pack.title)
        json.append(name: "version")
        json.append(pack.version)
        json.append(name: "live_version")
        if let version { json.append(version) } else { json.append(raw: "null") }
        json.append(name: "folds")
        json.append(raw: "[")
        for fold in pack.folds {
            write(pack, fold.name, fold.kindName, fold.parts, to: &json)
            guard case .entity(let entity) = fold.kind else { continue }
            for counts in entity.counts {
                let parts = FoldParts(bucket: counts.bucket?.unit, by: counts.by, sums: counts.sums)
                write(pack, counts.name, "status_counts", parts, to: &json)
            }
        }
        json.append(raw: "]}")
    }

    private func write(
        _ pack: PackDefinition, _ name: String, _ kind: String, _ parts: FoldParts, to json: inout JSONWriter
    ) {
        json.separate()
        json.append(raw: "{")
        json.append(name: "name")
        json.append(name)
        json.append(name: "kind")
        json.append(kind)
        json.append(name: "path")
        json.append(FoldParts.path(pack: pack.name, name: name, kind: kind))
        json.append(name: "bucket")
        json.append(parts.bucket?.rawValue)
        for (member, names) in [("by", parts.by), ("sums", parts.sums), ("columns", parts.columns)] {
            json.append(name: member)
            json.append(raw: JSONAnswer.encode(names))
        }
        json.append(raw: "}")
    }
}

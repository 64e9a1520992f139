/// How a body is compressed.
enum BodyEncoding: Equatable {
    case identity, gzip, deflate, zstd

    /// From the Content-Encoding header; nil for one that is not known, or for several.
    init?(header: String?) {
        switch header?.lowercased() {
        case nil, "", "identity": self = .identity
        case "gzip", "x-gzip": self = .gzip
        case "deflate": self = .deflate
        case "zstd": self = .zstd
        default: return nil
        }
    }
}

/// A page of another origin than the daemon's own, which made a browser send a request.
struct ForeignPage: Equatable {
    /// As browsers write it, such as `https://app.example.com`; nil where the browser does not tell.
    var origin: String?
    /// One of `http.cors_origins`, which count while no key is wanted.
    var isListed: Bool
}

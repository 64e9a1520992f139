/// How latencies are written. Raw value = `--format` and `?format=`.
package enum LatencyFormat: String, Sendable, CaseIterable {
    /// One percentile table of all stages.
    case text
    /// The same as an object.
    case json
    /// HdrHistogram's percentile distribution of one stage, for its plotter.
    case hgrm
    /// HdrHistogram's V2 log, one line a stage, tagged.
    case hlog

    package var contentType: String {
        switch self {
        case .text, .hgrm, .hlog: "text/plain; charset=utf-8"
        case .json: "application/json"
        }
    }
}

internal import FoundationEssentials
internal import Histogram

/// The histograms of all stages, over one length of time.
package struct LatencySnapshot: Sendable {
    package struct Stage: Sendable {
        package var name: String
        package var histogram: LatencyHistogram

        package init(name: String, histogram: LatencyHistogram) {
            self.name = name
            self.histogram = histogram
        }
    }

    private struct Report: Encodable {
        enum CodingKeys: String, CodingKey {
            case startedAt = "started_at"
            case seconds, stages
        }

        var startedAt: String
        var seconds: Double
        var stages: [LatencySummary]
    }

    /// The stage of an `.hgrm`, when none is named.
    package static let wholeStage = "received_to_committed"

    /// Since 1970.
    package var startedAt: Duration
    /// Since 1970.
    package var endedAt: Duration
    /// In the order of the table; none without a count.
    package var stages: [Stage]

    package init(startedAt: Duration, endedAt: Duration, stages: [Stage]) {
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.stages = stages
    }

    package var length: Duration { max(.zero, endedAt - startedAt) }

    /// Memory that the histograms take.
    package var heldBytes: Int { stages.reduce(0) { $0 + $1.histogram.estimatedFootprintInBytes } }

    /// What was recorded between `earlier` and this one, both since the same start.
    package func since(_ earlier: LatencySnapshot) -> LatencySnapshot {
        let before = Dictionary(earlier.stages.map { ($0.name, $0.histogram) }) { first, _ in first }
        return LatencySnapshot(
            startedAt: earlier.endedAt, endedAt: endedAt,
            stages: stages.compactMap { stage in
                guard let histogram = before[stage.name] else { return stage }
                let difference = stage.histogram.since(histogram)
                return difference.totalCount > 0 ? Stage(name: stage.name, histogram: difference) : nil
            })
    }

    /// Only the stage `name`, and those of its labels: `http` is every `http:…`. With an empty histogram where nothing
    /// was recorded in a stage that exists; nil when there is no such stage.
    package func only(_ name: String) -> LatencySnapshot? {
        var found = self
        found.stages = stages.filter { $0.name == name || $0.name.hasPrefix(name + ":") }
        if found.stages.isEmpty {
            let stage = name.prefix { $0 != ":" }
            guard MetricName.stages.contains(where: { $0.stage == String(stage) }) else { return nil }
            found.stages = [Stage(name: name, histogram: .latencies())]
        }
        return found
    }

    /// In `format`, with a final line ending. An `.hgrm` is of the first stage: choose it by `only`.
    package func text(_ format: LatencyFormat) -> String {
        switch format {
        case .text:
            let span = "since \(LogTime.text(startedAt)), \(FixedPoint.text(length / .seconds(1), decimals: 3)) s\n\n"
            return span + PercentileTable.text(summaries, title: "stage")
        case .json: return json
        case .hgrm: return PercentileDistribution.text(stages.first?.histogram ?? .latencies())
        case .hlog: return HistogramLog.header(startedAt: startedAt) + logLines
        }
    }

    /// One line of HdrHistogram's log a stage.
    package var logLines: String {
        stages.map {
            HistogramLog.line(tag: $0.name, startedAt: startedAt, length: length, $0.histogram)
        }.joined()
    }

    private var summaries: [LatencySummary] { stages.map { LatencySummary($0.name, $0.histogram) } }

    private var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let report = Report(
            startedAt: LogTime.text(startedAt), seconds: (length / .milliseconds(1)).rounded() / 1000,
            stages: summaries)
        // Strings and finite numbers of our own types: that can't fail.
        return ((try? encoder.encode(report)).map { String(decoding: $0, as: UTF8.self) } ?? "{}") + "\n"
    }
}

extension PrometheusRegistry {
    /// Everything recorded since `startedAt`, the daemon's start. Reading blocks no recording.
    package func latencySnapshot(startedAt: Duration) -> LatencySnapshot {
        let stages = latencies().filter { $0.histogram.totalCount > 0 }
        return LatencySnapshot(
            startedAt: startedAt, endedAt: WallClock.sinceEpoch,
            stages: stages.map { LatencySnapshot.Stage(name: $0.stage, histogram: $0.histogram) })
    }
}

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

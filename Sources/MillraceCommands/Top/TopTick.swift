internal import FoundationEssentials

/// A tick of `/v1/live` as `millrace top` reads it. What a daemon does not say is nil, so that another version's is read too.
struct TopTick: Decodable {
    struct Readiness: Decodable {
        struct Item: Decodable {
            var code: String
            var message: String
        }

        var ready: Bool
        var writing: Bool
        var reason: String?
        var since: String?
        var reasons: [Item]
        var notes: [Item]
    }

    struct Counts: Decodable {
        var accepted: Int?
        var refused: Int?
        var committed: Int?
        var duplicates: Int?
        var dead: Int?
    }

    struct Rates: Decodable {
        private enum CodingKeys: String, CodingKey {
            case received, accepted, refused, committed, duplicates, dead, parked, requests, batches
            case sampledOut = "sampled_out"
            case bytesReceived = "bytes_received"
        }

        var received: Double?
        var accepted: Double?
        var sampledOut: Double?
        var refused: Double?
        var committed: Double?
        var duplicates: Double?
        var dead: Double?
        var parked: Double?
        var bytesReceived: Double?
        var requests: Double?
        var batches: Double?
    }

    struct Refusal: Decodable {
        var code: String
        var total: Int
        var rate: Double?
    }

    struct Conservation: Decodable {
        private enum CodingKeys: String, CodingKey {
            case committed, duplicates, dead, refused, difference, holds
            case inAndRecovered = "in_and_recovered"
            case inSpool = "in_spool"
        }

        var inAndRecovered: Int?
        var committed: Int?
        var duplicates: Int?
        var dead: Int?
        var refused: Int?
        var inSpool: Int?
        var difference: Int
        var holds: Bool
    }

    struct Spool: Decodable {
        private enum CodingKeys: String, CodingKey {
            case bytes, segments, refusing
            case capacityBytes = "capacity_bytes"
            case uncommittedLines = "uncommitted_lines"
            case oldestUncommittedSeconds = "oldest_uncommitted_seconds"
        }

        var bytes: Int
        var capacityBytes: Int
        var segments: Int
        var uncommittedLines: Int
        var oldestUncommittedSeconds: Double
        var refusing: String?
    }

    struct Database: Decodable {
        private enum CodingKeys: String, CodingKey {
            case up
            case stuckBatches = "stuck_batches"
            case waitingLines = "waiting_lines"
        }

        var up: Bool
        var stuckBatches: Int
        var waitingLines: Int
    }

    struct Writer: Decodable {
        var index: Int
        var state: String
        var lines: Int
        var seconds: Double
    }

    struct Latency: Decodable {
        struct Summary: Decodable {
            private enum CodingKeys: String, CodingKey {
                case p50 = "p50_us"
                case p90 = "p90_us"
                case p99 = "p99_us"
                case p999 = "p99.9_us"
                case max = "max_us"
                case count
            }

            var count: UInt64
            var p50: UInt64
            var p90: UInt64
            var p99: UInt64
            var p999: UInt64
            var max: UInt64
        }

        var stage: String
        var interval: Summary?
        var total: Summary
    }

    struct Months: Decodable {
        var ahead: Int
    }

    struct Connections: Decodable {
        var transport: String
        var open: Int
        var max: Int
    }

    struct Senders: Decodable {
        struct Item: Decodable {
            var key: String?
            var name: String?
            var tenant: Int?
            var lines: Int
            var rate: Double?
        }

        var by: String
        var items: [Item]
    }

    struct Streams: Decodable {
        var tails: Int
        var watchers: Int
        var dropped: Int
    }

    private enum CodingKeys: String, CodingKey {
        case time, scope, tenant, version, readiness, lines, rates, refusals, conservation, spool, database, writers
        case uptime = "uptime_seconds"
        case latency, months, connections, senders
        case streams = "live"
    }

    var time: String
    var scope: String
    var tenant: Int
    var version: String
    var uptime: Double
    var readiness: Readiness
    var lines: Counts
    var rates: Rates?
    var refusals: [Refusal]?
    var conservation: Conservation
    var spool: Spool
    var database: Database
    var writers: [Writer]
    var latency: [Latency]
    var months: Months
    var connections: [Connections]?
    var senders: Senders
    var streams: Streams

    /// Nil for what is none.
    init?(json: String) {
        guard let tick = try? JSONDecoder().decode(Self.self, from: Data(json.utf8)) else { return nil }
        self = tick
    }
}

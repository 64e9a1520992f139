import Logging
import MillraceAPI
import MillraceTelemetry
import NIOCore
import ServiceLifecycle

/// Keeps the token keys of `jwt.jwks_url` current.
///
/// Enters: what tokens ask for, time, and other settings. Leaves: keys, and a copy of their set beside the spool.
/// Invariants:
/// 1. A set that can't be fetched, or has no key to be used, changes nothing.
/// 2. Keys of an address are gone once the settings name another.
/// 3. One fetch at a time, each bounded in time and bytes; tokens cause one in `jwt.jwks_retry` at most.
///
/// Crash: the copy is read at the next start. Shutdown: a fetch is given up, and nobody waits for one any more.
struct KeySetService: Service {
    let keys: RemoteTokenKeys
    private let settings: Live<JWTConfiguration>
    private let file: KeySetFile
    private let group: any EventLoopGroup
    private let metrics: KeySetMetrics
    private let logger: Logger

    /// Takes the copy of an earlier run.
    init(
        settings: Live<JWTConfiguration>, file: KeySetFile, group: any EventLoopGroup, metrics: KeySetMetrics,
        logger: Logger
    ) async {
        self.settings = settings
        self.file = file
        self.group = group
        self.metrics = metrics
        self.logger = logger
        let configuration = settings.value
        keys = RemoteTokenKeys(retry: configuration.jwksRetry)
        guard !configuration.jwksURL.isEmpty, let set = file.read(from: configuration.jwksURL) else { return }
        try? await keys.take(set)
    }

    /// Until graceful shutdown.
    func run() async {
        let fetcher = KeySetFetcher(on: group)
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { tasks in
                tasks.addTask { await keepTime() }
                for await _ in keys.wanted { await fetch(by: fetcher) }
                tasks.cancelAll()
            }
        }
        keys.close()
        await fetcher.shutdown()
    }

    /// Takes other settings. Keys of another address are gone at once; those of the new one are there when this returns,
    /// where they can be had.
    func set(_ configuration: JWTConfiguration) async {
        let isOther = settings.value.jwksURL != configuration.jwksURL
        if isOther { keys.removeAll() }
        settings.replace(with: configuration)
        keys.setRetry(configuration.jwksRetry)
        if !configuration.jwksURL.isEmpty { await keys.fetch() }
    }

    private func keepTime() async {
        var due = ContinuousClock.now
        while !Task.isCancelled {
            if ContinuousClock.now >= due {
                keys.want()
                due = .now + settings.value.jwksRefresh
            }
            // A reload may have shortened it.
            due = min(due, .now + settings.value.jwksRefresh)
            try? await Task.sleep(until: min(due, .now + .seconds(5)), clock: .continuous)
        }
    }

    private func keep(_ set: [UInt8], from url: String) {
        do {
            try file.write(set, from: url)
        } catch {
            logger.warning(
                "token keys not kept",
                metadata: [
                    .path: "\(file.path)", .error: "\(error)",
                    .hint: "let the daemon's user write there; without, a start needs jwt.jwks_url to be there",
                ])
        }
    }

    private func fetch(by fetcher: KeySetFetcher) async {
        keys.fetchBegan()
        defer { keys.fetchEnded() }
        let configuration = settings.value
        guard !configuration.jwksURL.isEmpty else { return }
        do {
            let set = try await fetcher.fetch(configuration)
            // Another address has been set meanwhile: its own fetch follows.
            guard settings.value.jwksURL == configuration.jwksURL else { return }
            try await keys.take(set)
            metrics.taken.add(1)
            logger.debug("token keys fetched", metadata: [.count: "\(keys.keyCount)"])
            keep(set, from: configuration.jwksURL)
        } catch is CancellationError {
            return
        } catch {
            metrics.failed.add(1)
            logger.warning(
                "token keys not fetched",
                metadata: [
                    .error: "\(error)", .count: "\(keys.keyCount)",
                    .hint: "see jwt.jwks_url; the keys of the last fetch stay in force",
                ])
        }
    }
}

/// Fetches of `jwt.jwks_url`, by what came of them.
final class KeySetMetrics: Sendable {
    let taken = MetricCounter()
    let failed = MetricCounter()
}

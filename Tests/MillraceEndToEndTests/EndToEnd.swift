import MillraceTestSupport
import Testing

/// The tests on the real binary with a real PostgreSQL, beside each other.
@Suite(.onOwnThreads, .withDaemonLogs, .compactMapIssues(DaemonLogs.added)) enum EndToEnd {}

/// Those of them that measure what neighbours would change, such as the time that is left to a daemon, one at a time.
@Suite(.serialized, .onOwnThreads, .withDaemonLogs, .compactMapIssues(DaemonLogs.added)) enum EndToEndAlone {}

import Testing

/// The tests on the real binary with a real PostgreSQL. One at a time: each of them wants the machine for itself.
@Suite(.serialized) enum EndToEnd {}

/// A thread for calls that block (the disk, libpq, a load), so that the cooperative pool never does.
package enum BlockingThread {
    /// Runs `body` to its end on a thread of its own, and returns or throws what it does; cancellation doesn't interrupt it.
    /// `name`: shown by `top -H`; the kernel keeps 15 bytes.
    package static func run<Answer: Sendable, Failure: Error>(
        named name: String, _ body: @Sendable () throws(Failure) -> Answer
    ) async throws(Failure) -> Answer {
        let runner = Runner(ThreadExecutor(name: name))
        defer { runner.executor.stop() }
        return try await runner.run(body)
    }

    private actor Runner {
        nonisolated let executor: ThreadExecutor

        init(_ executor: ThreadExecutor) {
            self.executor = executor
        }

        nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

        func run<Answer: Sendable, Failure: Error>(
            _ body: @Sendable () throws(Failure) -> Answer
        ) throws(Failure) -> Answer {
            try body()
        }
    }
}

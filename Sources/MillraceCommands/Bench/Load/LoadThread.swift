internal import MillraceChannels

/// Runs loads on a thread of their own: they block.
actor LoadThread {
    private let executor = ThreadExecutor(name: "bench")

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    deinit {
        executor.stop()
    }

    /// Throws when there is nothing to tell; else the result says how it went.
    func run(
        endpoint: Endpoint, plan: LoadPlan, templates: EventTemplates, firstNumber: UInt64, board: LoadBoard
    ) throws(CommandError) -> LoadResult {
        do throws(CommandError) {
            var loop = try LoadLoop(
                endpoint: endpoint, plan: plan, templates: templates, firstNumber: firstNumber, board: board)
            let result = loop.run()
            if let failure = result.failure, result.tally.sent == 0 { throw failure }
            return result
        } catch {
            board.finish()
            throw error
        }
    }
}

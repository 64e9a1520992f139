/// A request would take memory beyond the budget. It may be tried again when others have finished.
package struct MemoryShortage: Error {
    /// `error.code` of the 503.
    package static let code = "memory_budget"
    package static let message =
        "what the daemon holds for other clients has used up memory.budget; try later, or ask for less"

    package init() {}
}

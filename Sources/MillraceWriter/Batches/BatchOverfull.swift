/// The rows of a batch make more in the projections than may be in memory at a time: its halves are to be written, each by
/// itself. Nothing was written.
struct BatchOverfull: Error {}

/// What came of a body since its rate was last looked at.
struct HTTPBodyWindow {
    var byteCount = 0
    /// The socket was read no further for a while: then the client is not to blame.
    var isHeld = false

    func isFastEnough(bytesPerSecondMin: Int, over interval: Duration) -> Bool {
        isHeld || Double(byteCount) >= Double(bytesPerSecondMin) * (interval / .seconds(1))
    }
}

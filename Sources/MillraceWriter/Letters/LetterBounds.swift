/// How much `dead_letters` keeps of lines that the intake refused.
package struct LetterBounds: Sendable, Equatable {
    /// How old a letter may become.
    package var retain: Duration
    /// Letters.
    package var rowsMax: Int
    /// Bytes of their lines and messages.
    package var bytesMax: Int

    package init(retain: Duration = .seconds(30 * 86_400), rowsMax: Int = 100_000, bytesMax: Int = 64 << 20) {
        self.retain = retain
        self.rowsMax = rowsMax
        self.bytesMax = bytesMax
    }
}

/// What the daemon says about lines that were sent.
enum LoadAnswer: Equatable {
    /// TCP: its answer to the greeting.
    case greeted
    /// TCP: the first `lines` of the connection are settled.
    case acknowledged(lines: Int)
    /// TCP: line `number` of the connection, from 1, was refused; its ack follows.
    case refused(number: Int, reason: String)
    /// HTTP: one request is settled.
    case settled(accepted: Int, reason: String?)
    /// HTTP: one request failed, and nothing of it is kept.
    case failed(reason: String)
    /// It will say nothing more, or speaks another language.
    case ended(reason: String)
}

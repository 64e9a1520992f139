/// Whether a request offers to go on in another protocol. Millrace takes no offer (RFC 9110, 7.8), but the decoder stops
/// behind a request that makes one.
enum HTTPUpgradeOffer {
    case none
    /// `Upgrade` with `Connection: upgrade`: the decoder stops.
    case made
    /// The decoder may or may not take it for an offer: the connection ends with the answer.
    case unclear
}

internal import ArgumentParser
internal import MillraceEvent

/// From when on `verify` looks: RFC 3339, a day (UTC), or how long ago, `7d`.
struct AuditStart: Equatable, ExpressibleByArgument {
    var time: Timestamp

    init?(argument: String) {
        if let age = Age(argument: argument) {
            time = Timestamp.now.advanced(by: .seconds(-age.seconds))
        } else if let time = RecordTime.text(argument) {
            self.time = time
        } else {
            return nil
        }
    }
}

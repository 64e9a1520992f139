internal import ArgumentParser
internal import MillraceAccess
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceEvent

/// A size on the command line: `5MiB`, or bytes; at least 1.
struct ByteCount: ExpressibleByArgument {
    var bytes: Int

    init?(argument: String) {
        guard let bytes = Int(argument) ?? ByteSize.parse(argument), bytes > 0 else { return nil }
        self.bytes = bytes
    }
}

/// When something ends, on the command line: an RFC 3339 time with offset, or an age from now; never in the past.
struct Expiry: ExpressibleByArgument {
    var at: Timestamp

    init?(argument: String) {
        if let age = Age(argument: argument) {
            // Longer than any key lives, and far from what the clock can't hold.
            guard (1...100 * 366 * 86_400).contains(age.seconds) else { return nil }
            at = Timestamp.now.advanced(by: .seconds(age.seconds))
        } else {
            guard let time = Timestamp(rfc3339: argument), time > .now else { return nil }
            at = time
        }
    }
}

/// A page's origin as browsers write it: `https://app.example.com`, `http://localhost:3000`; or `https://*.example.com`.
struct Origin: ExpressibleByArgument {
    var text: String

    init?(argument: String) {
        guard let text = OriginList.normalized(argument) else { return nil }
        self.text = text
    }
}

internal import Glibc

/// How many files the system lets this process open.
package enum DescriptorLimit {
    /// What may be had without further rights.
    package static var hard: Int { read().map { clamped($0.rlim_max) } ?? .max }

    /// Raises the limit in force to `wanted`, or as far as may be; never lowers it. Returns what is in force then.
    static func raise(to wanted: Int) -> Int {
        guard var limits = read() else { return .max }
        let soft = clamped(limits.rlim_cur)
        guard soft < wanted else { return soft }
        limits.rlim_cur = min(limits.rlim_max, rlim_t(wanted))
        guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 else { return soft }
        return clamped(limits.rlim_cur)
    }

    private static func read() -> rlimit? {
        var limits = rlimit()
        return getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 ? limits : nil
    }

    private static func clamped(_ value: rlim_t) -> Int { Int(clamping: value) }
}

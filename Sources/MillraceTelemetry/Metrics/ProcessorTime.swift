internal import Glibc

/// Processor time of this process.
package enum ProcessorTime {
    /// Seconds since its start, of all threads, in user mode and in the kernel.
    package static func seconds() -> Double {
        var time = timespec()
        guard clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return 0 }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

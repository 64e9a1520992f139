// epoll and timerfd of Linux, which Swift's Glibc module leaves out, and clocks in nanoseconds. Functions return -1 and set errno on failure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

/// What is ready.
typedef struct {
  /// As given to mr_poller_add.
  uint64_t token;
  bool is_readable;
  bool is_writable;
  /// The other side sends nothing more, or the connection is broken.
  bool is_hung_up;
} mr_ready;

/// A new epoll descriptor, closed on exec.
int mr_poller_create(void);

/// Watches a descriptor for reading and writing, edge-triggered.
int mr_poller_add(int poller, int descriptor, uint64_t token);

/// Waits up to `timeout_ms`, and writes at most `count_max` entries. Returns how many; 0 too when a signal came.
int mr_poller_wait(int poller, mr_ready *ready, int count_max, int timeout_ms);

/// A new timer of CLOCK_MONOTONIC, non-blocking, closed on exec.
int mr_timer_create(void);

/// Makes the timer readable at `nanoseconds` (above 0) of CLOCK_MONOTONIC, and not before. A poller reports it once;
/// it need not be read.
int mr_timer_set(int timer, int64_t nanoseconds);

/// Nanoseconds of CLOCK_MONOTONIC.
int64_t mr_monotonic_now(void);

/// Nanoseconds of processor time of the calling thread.
int64_t mr_thread_time(void);

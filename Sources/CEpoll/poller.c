#include "poller.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>

enum { ready_max = 256 };

int mr_poller_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int mr_poller_add(int poller, int descriptor, uint64_t token) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u64 = token};
  return epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event);
}

int mr_poller_wait(int poller, mr_ready *ready, int count_max, int timeout_ms) {
  struct epoll_event events[ready_max];
  int count = epoll_wait(poller, events, count_max < ready_max ? count_max : ready_max, timeout_ms);
  if (count < 0) return errno == EINTR ? 0 : -1;
  for (int i = 0; i < count; i++) {
    uint32_t bits = events[i].events;
    ready[i] = (mr_ready){
        .token = events[i].data.u64,
        .is_readable = (bits & ~(uint32_t)EPOLLOUT) != 0,
        .is_writable = (bits & EPOLLOUT) != 0,
        .is_hung_up = (bits & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0,
    };
  }
  return count;
}

int mr_timer_create(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC); }

int mr_timer_set(int timer, int64_t nanoseconds) {
  struct itimerspec time = {
      .it_value = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000},
  };
  return timerfd_settime(timer, TFD_TIMER_ABSTIME, &time, NULL);
}

static int64_t read_clock(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int64_t mr_monotonic_now(void) { return read_clock(CLOCK_MONOTONIC); }

int64_t mr_thread_time(void) { return read_clock(CLOCK_THREAD_CPUTIME_ID); }

#ifndef MILLRACE_TIMESTAMP_HPP
#define MILLRACE_TIMESTAMP_HPP

#include <cstddef>
#include <cstdint>

namespace millrace {

constexpr int64_t microseconds_per_second = 1000000;
constexpr int64_t microseconds_per_day = 86400 * microseconds_per_second;

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar.
int64_t days_from_civil(int32_t year, uint32_t month, uint32_t day);

struct civil_date {
  int32_t year;
  uint32_t month;
  uint32_t day;
};

/// The UTC date of a time in microseconds since the Unix epoch.
civil_date civil_from_microseconds(int64_t microseconds);

/// Reads an RFC 3339 time with offset: `T`, `t` or a space between date and time, `Z`, `z` or ±hh:mm at the end, any
/// number of fraction digits. As PostgreSQL does, more than six of them round to the nearest microsecond. Second 60, a
/// leap second with any fraction, is the last microsecond of its minute, so that it stays in its day and month. 24:00
/// is refused. False when it is no such time.
bool parse_rfc3339(const uint8_t *bytes, size_t length, int64_t *microseconds);

/// Enough for any int64_t of microseconds.
constexpr size_t formatted_time_bytes = 32;

/// Writes `2026-11-05T12:34:56Z`, fraction cut.
void format_time(int64_t microseconds, char out[formatted_time_bytes]);

}  // namespace millrace

#endif

#ifndef MILLRACE_TIMESTAMP_H
#define MILLRACE_TIMESTAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Reads an RFC 3339 time with offset, as `created_at` of an event is read. False when it is no such time.
bool mr_parse_time(const uint8_t *bytes, size_t length, int64_t *microseconds);

/// Enough for what mr_format_time writes.
#define MR_TIME_BYTES 40

/// Writes `2026-11-05T12:34:56.000000Z`, ended by 0.
void mr_format_time(int64_t microseconds, char out[MR_TIME_BYTES]);

#ifdef __cplusplus
}
#endif

#endif

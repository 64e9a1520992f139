#ifndef MILLRACE_FUZZ_CASE_H
#define MILLRACE_FUZZ_CASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Puts any bytes through all that reads a client's bytes in C++: the line parser, the cut of a body into items, the
/// COPY encoder and the path extractor. NULL when all of them agree with each other and with a plain checker of JSON;
/// else what does not, a text that lives for ever. One thread at a time.
const char *mr_fuzz_case(const uint8_t *bytes, size_t length);

/// The same calls while memory runs out: `fail_after(n)` says that the n-th allocation from now on gets none, and so
/// does each behind it; `fail_after(-1)` that there is memory again. What fails says so, and works again afterwards.
const char *mr_fuzz_starved_case(const uint8_t *bytes, size_t length, void (*fail_after)(int64_t allocations));

#ifdef __cplusplus
}
#endif

#endif

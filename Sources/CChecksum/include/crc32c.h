#ifndef MILLRACE_CRC32C_H
#define MILLRACE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78, RFC 3720 appendix B.4) of `length` bytes, going on
/// from `crc` (0 to start). Uses the SSE4.2 or ARMv8 instruction where the processor has it.
uint32_t crc32c_extend(uint32_t crc, const void *bytes, size_t length);

/// The same without processor instructions; for tests that compare the two.
uint32_t crc32c_extend_portable(uint32_t crc, const void *bytes, size_t length);

#endif

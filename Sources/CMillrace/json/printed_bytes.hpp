#ifndef MILLRACE_PRINTED_BYTES_HPP
#define MILLRACE_PRINTED_BYTES_HPP

#include <cstddef>
#include <cstdint>

#include "json_number.hpp"

namespace millrace {

/// Length of what numeric_out writes for the number that starts at `start`.
int64_t printed_bytes(const json_number &number, const uint8_t *start);

/// Length of an accepted JSON text once numeric_out has written its numbers. Text that is no JSON gives some number.
size_t printed_bytes(const uint8_t *json, size_t length);

/// Whether that is more than `limit`; `printed` is it then. Looks closely only where it may be.
bool prints_as_more(const uint8_t *json, size_t length, size_t limit, size_t &printed);

}  // namespace millrace

#endif

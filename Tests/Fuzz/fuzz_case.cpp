#include "fuzz_case.h"

#include "checks.hpp"

using namespace millrace::fuzz;

const char *mr_fuzz_case(const uint8_t *bytes, size_t length) {
  std::string_view input(reinterpret_cast<const char *>(bytes), length);
  for (auto check :
       {check_line, check_time, check_body, check_encoder, check_extractor, check_finder, check_rules}) {
    if (const char *wrong = check(input)) return wrong;
  }
  return nullptr;
}

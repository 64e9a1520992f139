// What libFuzzer calls; only `make fuzz` builds this file.

#include <cstdio>
#include <cstdlib>
#include <new>

#include "fuzz_case.h"

extern "C" void *__real_malloc(size_t bytes);
extern "C" void *__real_realloc(void *memory, size_t bytes);

namespace {

/// Allocations that still succeed; negative: all of them.
int64_t allocations_left = -1;

bool is_out_of_memory() {
  if (allocations_left < 0) return false;
  if (allocations_left == 0) return true;
  allocations_left--;
  return false;
}

void report(const char *wrong) {
  if (wrong == nullptr) return;
  fprintf(stderr, "finding: %s\n", wrong);
  abort();
}

}  // namespace

// The linker leads the encoder's calls here (--wrap).
extern "C" void *__wrap_malloc(size_t bytes) { return is_out_of_memory() ? nullptr : __real_malloc(bytes); }
extern "C" void *__wrap_realloc(void *memory, size_t bytes) {
  return is_out_of_memory() ? nullptr : __real_realloc(memory, bytes);
}

void *operator new(size_t bytes) {
  if (is_out_of_memory()) throw std::bad_alloc();
  return __real_malloc(bytes);
}
void *operator new[](size_t bytes) { return operator new(bytes); }
void *operator new(size_t bytes, const std::nothrow_t &) noexcept {
  return is_out_of_memory() ? nullptr : __real_malloc(bytes);
}
void *operator new[](size_t bytes, const std::nothrow_t &tag) noexcept { return operator new(bytes, tag); }
void operator delete(void *memory) noexcept { free(memory); }
void operator delete[](void *memory) noexcept { free(memory); }
void operator delete(void *memory, size_t) noexcept { free(memory); }
void operator delete[](void *memory, size_t) noexcept { free(memory); }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
  report(mr_fuzz_case(bytes, length));
  if (length % 4 == 0) report(mr_fuzz_starved_case(bytes, length, [](int64_t left) { allocations_left = left; }));
  return 0;
}

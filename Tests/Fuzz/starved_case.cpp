#include "bytes.hpp"
#include "checks.hpp"
#include "copy_encoder.h"
#include "field_extractor.h"
#include "fuzz_case.h"

using namespace millrace::fuzz;

namespace {

/// What is made while memory runs out, and used again when it is back.
struct starved {
  mr_encoder *encoder = nullptr;
  mr_extractor *extractor = nullptr;

  ~starved() {
    if (encoder) mr_encoder_destroy(encoder);
    if (extractor) mr_extractor_destroy(extractor);
  }

  /// False when something said that there is no memory.
  bool make() {
    if (encoder == nullptr) encoder = mr_encoder_create(derive_id);
    if (extractor != nullptr) mr_extractor_destroy(extractor);
    extractor = mr_extractor_create();
    if (encoder == nullptr || extractor == nullptr) return false;
    const mr_text name = {reinterpret_cast<const uint8_t *>("a name that is not kept in place"), 32};
    return mr_extractor_add(extractor, nullptr, 0, false, 0) && mr_extractor_add(extractor, &name, 1, true, 1);
  }

  bool use(const padded_copy &input, uint32_t lines) {
    mr_text outputs[2];
    // Also false for what is no JSON.
    bool is_extracted = mr_extract(extractor, input.start(), input.length(), outputs);
    mr_encoder_reset(encoder, 1, 2, 3);
    if (mr_encoder_add(encoder, input.start(), input.length(), MR_KIND_EVENT, 0, received_us, 1, lines) != MR_ENCODED) {
      return false;
    }
    if (!mr_encoder_sort(encoder)) return false;
    for (size_t leaf = 0; leaf < mr_encoder_leaf_count(encoder); leaf++) {
      size_t count = mr_encoder_leaf(encoder, leaf).count;
      for (size_t row = 0; row < count;) mr_encoder_next_chunk(encoder, leaf, &row);
    }
    return is_extracted;
  }
};

}  // namespace

const char *mr_fuzz_starved_case(const uint8_t *bytes, size_t length, void (*fail_after)(int64_t)) {
  std::string_view text(reinterpret_cast<const char *>(bytes), length);
  padded_copy input(text, 0, "}");
  uint32_t lines = length > 0 && bytes[length - 1] != '\n';
  for (char c : text) lines += c == '\n';
  choices choose(text);

  starved subject;
  fail_after(static_cast<int64_t>(choose.below(16)));
  bool is_made = subject.make();
  fail_after(-1);
  if (!is_made && !subject.make()) return "nothing is made although there is memory again";
  fail_after(static_cast<int64_t>(choose.below(24)));
  subject.use(input, lines);
  fail_after(-1);
  mr_encoder_reset(subject.encoder, 1, 2, 3);
  if (mr_encoder_add(subject.encoder, input.start(), input.length(), MR_KIND_EVENT, 0, received_us, 1, lines) !=
      MR_ENCODED) {
    return "nothing is encoded although there is memory again";
  }
  return nullptr;
}

#ifndef MILLRACE_QUOTED_TEXT_HPP
#define MILLRACE_QUOTED_TEXT_HPP

#include <cstdint>
#include <cstring>
#include <string_view>

namespace millrace {

/// A short text as JSON writes it, with its quotes: compared by two words, whatever its length.
class quoted_text {
 public:
  /// A text of more than 14 bytes, or with what JSON escapes, is found nowhere.
  explicit quoted_text(std::string_view text) {
    if (text.size() > sizeof words_ - 2) return;
    for (char c : text) {
      if (c == '"' || c == '\\' || static_cast<uint8_t>(c) < ' ') return;
    }
    uint8_t bytes[sizeof words_] = {'"'}, mask[sizeof masks_] = {};
    memcpy(bytes + 1, text.data(), text.size());
    bytes[text.size() + 1] = '"';
    memset(mask, 0xFF, text.size() + 2);
    memcpy(words_, bytes, sizeof words_);
    memcpy(masks_, mask, sizeof masks_);
  }

  /// 16 bytes at `at` are readable.
  bool is_at(const uint8_t *at) const {
    uint64_t found[2];
    memcpy(found, at, sizeof found);
    return (((found[0] & masks_[0]) ^ words_[0]) | ((found[1] & masks_[1]) ^ words_[1])) == 0;
  }

 private:
  /// As it stands, nothing equals it.
  uint64_t words_[2] = {1, 1};
  uint64_t masks_[2] = {0, 0};
};

}  // namespace millrace

#endif

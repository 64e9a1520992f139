#ifndef MILLRACE_TEXT_TABLE_HPP
#define MILLRACE_TEXT_TABLE_HPP

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "quoted_text.hpp"

namespace millrace {

/// Numbers by short texts, which the operator has written: nobody else chooses what collides.
class text_table {
 public:
  static constexpr uint32_t none = UINT32_MAX;

  /// `text` must stay where it is; one that is there already keeps its number.
  void insert(std::string_view text, uint32_t number) {
    if (find(text) != none) return;
    if ((entries_.size() + 1) * 2 > slots_.size()) grow();
    entries_.push_back({quoted_text(text), ends(text), text, number});
    place(static_cast<uint32_t>(entries_.size() - 1));
  }

  /// The one inserted as the `guess`th, if `quoted` is its text as JSON writes it, from quote to quote, without escapes; 16
  /// bytes of it are readable. Else `none`, which says nothing.
  uint32_t find(const uint8_t *quoted, size_t guess) const {
    return guess < entries_.size() && entries_[guess].quoted.is_at(quoted) ? entries_[guess].number : none;
  }

  /// `none` where it is not there.
  uint32_t find(std::string_view text) const {
    if (slots_.empty()) return none;
    const ends wanted(text);
    for (size_t slot = wanted.hash() & (slots_.size() - 1);; slot = (slot + 1) & (slots_.size() - 1)) {
      if (slots_[slot] == none) return none;
      const entry &found = entries_[slots_[slot]];
      if (found.ends == wanted && (wanted.length <= 16 || found.text == text)) return found.number;
    }
  }

 private:
  /// The length, and the first and the last eight bytes: of up to 16 bytes, all there is.
  struct ends {
    uint64_t first = 0;
    uint64_t last = 0;
    size_t length;

    explicit ends(std::string_view text) : length(text.size()) {
      if (length >= 8) {
        memcpy(&first, text.data(), 8);
        memcpy(&last, text.data() + length - 8, 8);
      } else if (length >= 4) {
        memcpy(&first, text.data(), 4);
        memcpy(&last, text.data() + length - 4, 4);
      } else {
        for (char c : text) first = first << 8 | static_cast<uint8_t>(c);
      }
    }

    bool operator==(const ends &other) const {
      return first == other.first && last == other.last && length == other.length;
    }

    uint64_t hash() const {
      uint64_t mixed = (first ^ length) * 0x9E3779B97F4A7C15 ^ last * 0xC2B2AE3D27D4EB4F;
      return mixed ^ mixed >> 29 ^ mixed >> 47;
    }
  };

  struct entry {
    quoted_text quoted;
    struct ends ends;
    std::string_view text;
    uint32_t number;
  };

  std::vector<entry> entries_;
  /// A power of two of them, at least half of them empty.
  std::vector<uint32_t> slots_;

  void grow() {
    slots_.assign(slots_.empty() ? 8 : slots_.size() * 2, none);
    for (uint32_t i = 0; i < entries_.size(); i++) place(i);
  }

  void place(uint32_t index) {
    size_t slot = entries_[index].ends.hash() & (slots_.size() - 1);
    while (slots_[slot] != none) slot = (slot + 1) & (slots_.size() - 1);
    slots_[slot] = index;
  }
};

}  // namespace millrace

#endif

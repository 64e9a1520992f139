#include <vector>

#include "body_splitter.h"
#include "bytes.hpp"
#include "checks.hpp"
#include "plain_json.hpp"

namespace millrace::fuzz {

namespace {

/// What a body falls into when it comes in pieces.
struct split_body {
  std::vector<std::string> items;
  bool is_complete = false;
  bool is_wrong = false;
  size_t wrong_at = 0;

  /// `piece_bytes` says how long the next piece is, at least 1.
  template <typename PieceBytes>
  split_body(std::string_view body, PieceBytes piece_bytes) {
    mr_splitter splitter = {};
    std::string item;
    bool in_item = false;
    for (size_t at = 0; at < body.size() && !is_wrong;) {
      // Alone in memory, so that the sanitizer sees a read beyond it.
      std::vector<char> piece(body.begin() + static_cast<ptrdiff_t>(at),
                              body.begin() + static_cast<ptrdiff_t>(std::min(body.size(), at + piece_bytes())));
      size_t done = 0;
      while (done < piece.size()) {
        auto rest = reinterpret_cast<const uint8_t *>(piece.data()) + done;
        size_t start = SIZE_MAX, consumed = 0;
        int32_t result = mr_split(&splitter, rest, piece.size() - done, &start, &consumed);
        if (start != SIZE_MAX) in_item = true;
        size_t from = start == SIZE_MAX ? 0 : start;
        if (in_item) item.append(reinterpret_cast<const char *>(rest) + from, consumed - from);
        done += consumed;
        if (result == MR_SPLIT_ITEM) {
          items.push_back(item);
          item.clear();
          in_item = false;
        } else if (result == MR_SPLIT_ERROR) {
          is_wrong = true;
          wrong_at = at + done;
          break;
        } else if (done < piece.size()) {
          is_wrong = true;
          wrong_at = SIZE_MAX;
          break;
        }
      }
      at += piece.size();
    }
    is_complete = mr_split_is_complete(&splitter);
  }
};

}  // namespace

const char *check_body(std::string_view body) {
  choices choose(body);
  split_body whole(body, [&] { return body.size(); });
  split_body pieces(body, [&] { return 1 + choose.below(9); });
  if (whole.wrong_at == SIZE_MAX) return "a body's bytes were left over without an error";
  if (whole.is_wrong != pieces.is_wrong || whole.wrong_at != pieces.wrong_at) return "pieces of a body have another fault";
  if (whole.items != pieces.items) return "pieces of a body give other items";
  if (!whole.is_wrong && whole.is_complete != pieces.is_complete) return "pieces of a body end otherwise";

  plain_json json(body);
  if (!json.is_valid || (json.first != '{' && json.first != '[')) return nullptr;
  if (whole.is_wrong || !whole.is_complete) return "a whole body was refused";
  if (whole.items.size() != (json.first == '{' ? 1 : json.elements)) return "a body has lost items";
  for (const std::string &item : whole.items) {
    if (!plain_json(item).is_valid) return "an item of a whole body is none";
  }
  return nullptr;
}

}  // namespace millrace::fuzz

#include "body_splitter.h"

#include "json_text.hpp"

namespace {

/// Where the cut stands; 0 is the start of a zeroed mr_splitter.
enum state : uint8_t {
  /// Nothing came: a byte order mark may.
  start_of_body = 0,
  /// Behind the first byte of a byte order mark.
  in_mark,
  /// Behind the second one.
  at_end_of_mark,
  /// Nothing but white space so far.
  before_body,
  /// Behind `[`: an item or `]`.
  before_first_item,
  /// Behind a comma: an item.
  before_item,
  /// In an object, array or string of an array, or in the one object.
  in_item,
  /// In a number or word of an array, which ends where something else begins.
  in_scalar,
  /// Behind an item of an array: a comma or `]`.
  after_item,
  /// Only white space may follow.
  after_body,
};

bool ends_scalar(uint8_t byte) { return byte == ',' || byte == ']' || byte == '}' || millrace::is_space(byte); }

/// Scans the item's bytes from `at` until it ends; returns the offset behind it, or `length` with the state still
/// `in_item`. One past `length` says that the byte at `*fault` opens one bracket too many.
size_t scan_item(mr_splitter *splitter, const uint8_t *bytes, size_t at, size_t length, size_t *fault) {
  // Copies: the compiler must else take every byte read for a change of the splitter.
  bool in_string = splitter->in_string;
  bool escaped = splitter->escaped;
  uint32_t depth = splitter->depth;
  bool is_over = false;
  while (at < length && !is_over) {
    uint8_t byte = bytes[at++];
    if (in_string) {
      if (escaped) {
        escaped = false;
        continue;
      }
      while (byte != '"' && byte != '\\' && at < length) byte = bytes[at++];
      escaped = byte == '\\';
      in_string = byte != '"';
      is_over = !in_string && depth == 0;
    } else if (byte == '"') {
      in_string = true;
    } else if (byte == '{' || byte == '[') {
      if (depth == MR_SPLIT_DEPTH_MAX) {
        *fault = at - 1;
        return length + 1;
      }
      depth++;
    } else if (byte == '}' || byte == ']') {
      is_over = --depth == 0;
    }
  }
  splitter->in_string = in_string;
  splitter->escaped = escaped;
  splitter->depth = depth;
  if (is_over) splitter->state = splitter->is_array ? after_item : after_body;
  return at;
}

}  // namespace

int32_t mr_split(mr_splitter *splitter, const uint8_t *bytes, size_t length, size_t *start, size_t *consumed) {
  size_t at = 0;
  auto stop = [&](int32_t result) {
    *consumed = at;
    return result;
  };
  while (at < length) {
    uint8_t byte = bytes[at];
    switch (splitter->state) {
      case start_of_body:
        splitter->state = byte == 0xEF ? in_mark : before_body;
        if (byte == 0xEF) at++;
        break;
      case in_mark:
      case at_end_of_mark:
        if (byte != (splitter->state == in_mark ? 0xBB : 0xBF)) return stop(MR_SPLIT_ERROR);
        splitter->state = splitter->state == in_mark ? at_end_of_mark : before_body;
        at++;
        break;
      case in_item: {
        size_t fault = 0;
        size_t end = scan_item(splitter, bytes, at, length, &fault);
        at = end > length ? fault : end;
        if (end > length) return stop(MR_SPLIT_ERROR);
        if (splitter->state != in_item) return stop(MR_SPLIT_ITEM);
        break;
      }
      case in_scalar:
        if (ends_scalar(byte)) {
          splitter->state = after_item;
          return stop(MR_SPLIT_ITEM);
        }
        at++;
        break;
      default:
        if (millrace::is_space(byte)) {
          at++;
        } else if (splitter->state == before_body && byte == '[') {
          splitter->is_array = true;
          splitter->state = before_first_item;
          at++;
        } else if (splitter->state == before_body && byte == '{') {
          *start = at;
          splitter->state = in_item;
        } else if (splitter->state == after_item && byte == ',') {
          splitter->state = before_item;
          at++;
        } else if ((splitter->state == after_item || splitter->state == before_first_item) && byte == ']') {
          splitter->state = after_body;
          at++;
        } else if ((splitter->state == before_first_item || splitter->state == before_item) && !ends_scalar(byte)) {
          *start = at;
          splitter->state = byte == '{' || byte == '[' || byte == '"' ? in_item : in_scalar;
        } else {
          return stop(MR_SPLIT_ERROR);
        }
    }
  }
  return stop(splitter->state == after_body ? MR_SPLIT_DONE : MR_SPLIT_MORE);
}

bool mr_split_is_complete(const mr_splitter *splitter) {
  return splitter->state == after_body || splitter->state == before_body || splitter->state == start_of_body;
}

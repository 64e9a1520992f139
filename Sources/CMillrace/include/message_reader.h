#ifndef MILLRACE_MESSAGE_READER_H
#define MILLRACE_MESSAGE_READER_H

#include "event_parser.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Finds the messages of a whole body and their members: of an object with an array under a given name, or an array, or
/// one object. The grammar of all of it is checked.
typedef struct mr_reader mr_reader;

typedef struct {
  /// Unescaped UTF-8; valid until the reader is destroyed.
  mr_text name;
  /// Offsets of the value in the body, quotes and brackets included.
  uint32_t start;
  uint32_t end;
} mr_member;

typedef struct {
  /// Offsets in the body.
  uint32_t start;
  uint32_t end;
  /// Its members, in their order; none of what is no object.
  uint32_t first_member;
  uint32_t member_count;
  bool is_object;
} mr_message;

typedef struct {
  /// Of the body itself, where it is an object. The first ones of `all`.
  uint32_t own_count;
  const mr_member *all;
  const mr_message *messages;
  size_t message_count;
  /// The messages are an array's: the body's, or that of the member that was asked for.
  bool is_array;
  /// The body is an object with that member, which is an array.
  bool has_list;
} mr_messages;

/// NULL when memory ran out.
mr_reader *mr_reader_create(void);
void mr_reader_destroy(mr_reader *reader);

/// Reads a body, which has MR_PADDING readable bytes behind it and stays where it is as long as `messages` is used. `list`:
/// the member whose array holds the messages, where the body is an object that has it; without it, the body is the one
/// message. Returns MR_ACCEPTED, or the code and fills `refusal`. Never recurses.
int32_t mr_read_messages(mr_reader *reader, const uint8_t *bytes, size_t length, mr_text list, mr_messages *messages,
                         mr_refusal *refusal);

#ifdef __cplusplus
}
#endif

#endif

#ifndef MILLRACE_EVENT_PARSER_H
#define MILLRACE_EVENT_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Bytes that must be readable behind any buffer given to the parser (their values do not matter).
#define MR_PADDING 64

/// Deepest nesting that any limit can allow.
#define MR_DEPTH_MAX 1024

/// The most that payload_text_bytes_max can be wherever rows are to be read again.
#define MR_PAYLOAD_TEXT_BYTES_MAX (64u << 20)

/// Why a line is refused. The numbers are only an agreement with RefusalCode.swift, which has further codes of its own.
enum {
  MR_ACCEPTED = 0,
  MR_INVALID_JSON = 1,
  MR_INVALID_UTF8 = 2,
  MR_NOT_AN_OBJECT = 3,
  MR_NESTING_TOO_DEEP = 4,
  MR_DUPLICATE_FIELD = 5,
  MR_UNKNOWN_FIELD = 6,
  MR_MISSING_FIELD = 7,
  MR_INVALID_EVENT_TYPE = 8,
  MR_INVALID_ID = 9,
  MR_INVALID_USER_ID = 10,
  MR_INVALID_PAYLOAD = 11,
  MR_PAYLOAD_TOO_LARGE = 12,
  MR_INVALID_CREATED_AT = 13,
  MR_CREATED_AT_OUT_OF_RANGE = 14,
  MR_UNSUPPORTED_TEXT = 15,
  MR_NUMBER_OUT_OF_RANGE = 16,
  MR_LINE_TOO_LONG = 17,
  MR_INVALID_CONVERSATION_ID = 18,
  MR_INVALID_QUESTION = 19,
  MR_INVALID_RESPONSE = 20,
  MR_INVALID_TIMESTAMP = 21,
  MR_INVALID_SOURCE = 22,
  MR_INVALID_METADATA = 23,
};

enum { MR_KIND_EVENT = 1, MR_KIND_CONVERSATION = 2, MR_KIND_REFUSED = 3 };

/// Bytes that the callee owns; valid until the next call on the same parser.
typedef struct {
  const uint8_t *bytes;
  size_t length;
} mr_text;

/// What is accepted. Times in microseconds since the Unix epoch.
typedef struct {
  int64_t received_us;
  int64_t oldest_us;
  int64_t newest_us;
  /// Of `payload` and `metadata` as they came, in bytes.
  size_t payload_bytes_max;
  /// Of the same as numeric prints their numbers, in bytes: 1e9 counts as 1000000000.
  size_t payload_text_bytes_max;
  /// Containers inside each other within one top-level field: `"payload":{}` is 1 deep. More than MR_DEPTH_MAX counts
  /// as MR_DEPTH_MAX.
  uint32_t depth_max;
  /// MR_KIND_EVENT or MR_KIND_CONVERSATION when only that is wanted; 0 when the fields shall decide.
  uint8_t kind_wanted;
  /// The line was accepted before: an object that is the last field is taken without a look at what is in it. For
  /// another line, what is given as `payload` or `metadata` may be no JSON, but lies in the line.
  bool was_accepted;
} mr_limits;

/// One event or conversation save. Texts are unescaped UTF-8, except `payload` and `metadata`, which are the JSON text
/// as it came.
typedef struct {
  uint8_t kind;
  /// Events: given. Conversations: never (derived by the caller).
  bool has_id;
  bool has_user_id;
  /// `created_at` (`timestamp`) was given, or the id is a UUIDv7 and gave it. When false, created_us is received_us, or what
  /// `sent_at` made of `created_at`, another one each time that the event comes.
  bool has_created;
  uint8_t id[16];
  uint8_t user_id[16];
  int64_t created_us;
  mr_text event_type;
  mr_text payload;
  mr_text conversation_id;
  mr_text question;
  mr_text response;
  mr_text source;
  mr_text metadata;
} mr_event;

/// What was wrong, and what is wanted. `message` is UTF-8, ended by NUL, and holds at most 60 bytes of the input.
typedef struct {
  int32_t code;
  char message[320];
} mr_refusal;

/// Keeps where the tokens of its last line are, for mr_find.
typedef struct mr_parser mr_parser;

/// NULL when memory ran out.
mr_parser *mr_parser_create(void);
void mr_parser_destroy(mr_parser *parser);

/// Parses and validates one line (trailing `\n`, `\r` and other JSON white space allowed). `bytes` has `length` bytes
/// and MR_PADDING readable ones behind them. Returns MR_ACCEPTED and fills `event`, or the code and fills `refusal`.
/// Allocates only to grow its own buffers. Never recurses.
int32_t mr_parse(mr_parser *parser, const uint8_t *bytes, size_t length, const mr_limits *limits, mr_event *event,
                 mr_refusal *refusal);

#ifdef __cplusplus
}
#endif

#endif

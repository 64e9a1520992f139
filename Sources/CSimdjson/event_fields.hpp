#ifndef MILLRACE_EVENT_FIELDS_HPP
#define MILLRACE_EVENT_FIELDS_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace millrace {

/// The top-level fields, events' first.
enum field : uint8_t {
  field_event_type,
  field_id,
  field_user_id,
  field_payload,
  field_created_at,
  field_conversation_id,
  field_question,
  field_response,
  field_timestamp,
  field_source,
  field_metadata,
  field_count,
};

constexpr const char *field_names[field_count] = {
    "event_type", "id",       "user_id",   "payload", "created_at", "conversation_id",
    "question",   "response", "timestamp", "source",  "metadata",
};

constexpr uint32_t bit(field of) { return 1u << of; }

constexpr uint32_t event_fields =
    bit(field_event_type) | bit(field_id) | bit(field_user_id) | bit(field_payload) | bit(field_created_at);
constexpr uint32_t conversation_fields = bit(field_conversation_id) | bit(field_question) | bit(field_response) |
                                         bit(field_user_id) | bit(field_timestamp) | bit(field_source) |
                                         bit(field_metadata);

/// `field_count` when there is no field of that name. The length leaves at most three candidates.
inline field find_field(const uint8_t *name, size_t length) {
  auto test = [&](field candidate) { return memcmp(name, field_names[candidate], length) == 0; };
  switch (length) {
    case 2: return test(field_id) ? field_id : field_count;
    case 6: return test(field_source) ? field_source : field_count;
    case 7: return test(field_user_id) ? field_user_id : test(field_payload) ? field_payload : field_count;
    case 8:
      return test(field_question)   ? field_question
             : test(field_response) ? field_response
             : test(field_metadata) ? field_metadata
                                    : field_count;
    case 9: return test(field_timestamp) ? field_timestamp : field_count;
    case 10:
      return test(field_event_type) ? field_event_type : test(field_created_at) ? field_created_at : field_count;
    case 15: return test(field_conversation_id) ? field_conversation_id : field_count;
    default: return field_count;
  }
}

}  // namespace millrace

#endif

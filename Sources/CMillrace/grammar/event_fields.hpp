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
  field_sent_at,
  field_conversation_id,
  field_question,
  field_response,
  field_timestamp,
  field_source,
  field_metadata,
  field_count,
};

constexpr const char *field_names[field_count] = {
    "event_type",      "id",       "user_id",  "payload",   "created_at", "sent_at",
    "conversation_id", "question", "response", "timestamp", "source",     "metadata",
};

constexpr uint32_t bit(field of) { return 1u << of; }

constexpr uint32_t event_fields =
    bit(field_event_type) | bit(field_id) | bit(field_user_id) | bit(field_payload) | bit(field_created_at) |
    bit(field_sent_at);
constexpr uint32_t conversation_fields = bit(field_conversation_id) | bit(field_question) | bit(field_response) |
                                         bit(field_user_id) | bit(field_timestamp) | bit(field_source) |
                                         bit(field_metadata);

/// `field_count` when there is no field of that name. The length leaves at most three candidates.
inline field find_field(const uint8_t *name, size_t length) {
  auto is = [name](const auto &candidate) { return memcmp(name, candidate, sizeof candidate - 1) == 0; };
  switch (length) {
    case 2: return is("id") ? field_id : field_count;
    case 6: return is("source") ? field_source : field_count;
    case 7:
      return is("user_id") ? field_user_id : is("payload") ? field_payload : is("sent_at") ? field_sent_at : field_count;
    case 8:
      return is("question")   ? field_question
             : is("response") ? field_response
             : is("metadata") ? field_metadata
                              : field_count;
    case 9: return is("timestamp") ? field_timestamp : field_count;
    case 10: return is("event_type") ? field_event_type : is("created_at") ? field_created_at : field_count;
    case 15: return is("conversation_id") ? field_conversation_id : field_count;
    default: return field_count;
  }
}

}  // namespace millrace

#endif

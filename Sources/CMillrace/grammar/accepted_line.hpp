#ifndef MILLRACE_ACCEPTED_LINE_HPP
#define MILLRACE_ACCEPTED_LINE_HPP

#include "event_parser.h"

namespace millrace {

/// Reads an event out of a line that was accepted before, without the first stage: most of a line is its payload, which
/// nobody needs to look into again when it comes last.
///
/// False when the line is not of the form that most clients send: the payload last, no escapes in front of it, a time in
/// a text, at most blanks between the tokens. Such a line, and one that is refused after all, is for mr_parse.
/// `line` has MR_PADDING readable bytes behind it. Fills in all of `event`; for a line that was never accepted, what is
/// given as `payload` may be no JSON, but lies in the line.
bool read_accepted_event(const uint8_t *line, size_t length, const mr_limits &limits, mr_event &event);

}  // namespace millrace

#endif

#include "event_parser.h"
#include <simdjson.h>

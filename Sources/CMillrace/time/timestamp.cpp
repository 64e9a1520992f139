#include "timestamp.h"

#include "timestamp.hpp"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace millrace {

namespace {

int64_t floor_divide(int64_t value, int64_t by) { return value / by - (value % by < 0); }

/// A cursor over digits at fixed places.
struct cursor {
  const uint8_t *at;
  const uint8_t *end;

  /// The value of the next `count` digits, or -1.
  int32_t digits(int count) {
    if (end - at < count) return -1;
    int32_t value = 0;
    for (int i = 0; i < count; i++) {
      uint8_t digit = static_cast<uint8_t>(at[i] - '0');
      if (digit > 9) return -1;
      value = value * 10 + digit;
    }
    at += count;
    return value;
  }

  bool take(uint8_t byte) {
    if (at == end || *at != byte) return false;
    at++;
    return true;
  }
};

/// Microseconds of the fraction digits at `in`, which has none left afterwards; -1 when there are none.
/// Rounded through a double like ParseFractionalSecond of PostgreSQL, so that both read the same time.
int64_t fraction_microseconds(cursor &in) {
  const uint8_t *start = in.at;
  int64_t value = 0;
  int64_t unit = microseconds_per_second;
  for (; in.at < in.end && static_cast<uint8_t>(*in.at - '0') < 10; in.at++) {
    if (unit == 1) continue;
    unit /= 10;
    value += (*in.at - '0') * unit;
  }
  if (in.at == start) return -1;
  if (in.at - start <= 6) return value;
  double fraction = 0;
  auto point = reinterpret_cast<const char *>(start) - 1;
  std::from_chars(point, reinterpret_cast<const char *>(in.at), fraction);
  return static_cast<int64_t>(std::rint(fraction * 1000000.0));
}

/// Minutes east of UTC; false when it is no offset.
bool parse_offset(cursor &in, int32_t *minutes) {
  if (in.take('Z') || in.take('z')) {
    *minutes = 0;
    return true;
  }
  bool is_west = in.at < in.end && *in.at == '-';
  if (!is_west && !(in.at < in.end && *in.at == '+')) return false;
  in.at++;
  int32_t hour = in.digits(2);
  if (hour < 0 || hour > 23 || !in.take(':')) return false;
  int32_t minute = in.digits(2);
  if (minute < 0 || minute > 59) return false;
  *minutes = (is_west ? -1 : 1) * (hour * 60 + minute);
  return true;
}

int32_t days_in_month(int32_t year, int32_t month) {
  if (month == 2) return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

}  // namespace

// Both conversions count in eras of 400 years that begin on 1 March, so that the leap day is the last of a year.
int64_t days_from_civil(int32_t year, uint32_t month, uint32_t day) {
  int64_t shifted = static_cast<int64_t>(year) - (month <= 2);
  int64_t era = floor_divide(shifted, 400);
  int64_t year_of_era = shifted - era * 400;
  int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

civil_date civil_from_microseconds(int64_t microseconds) {
  int64_t days = floor_divide(microseconds, microseconds_per_day) + 719468;
  int64_t era = floor_divide(days, 146097);
  int64_t day_of_era = days - era * 146097;
  int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t shifted_month = (5 * day_of_year + 2) / 153;
  civil_date date;
  date.day = static_cast<uint32_t>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
  date.month = static_cast<uint32_t>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  date.year = static_cast<int32_t>(year_of_era + era * 400 + (date.month <= 2));
  return date;
}

namespace {

constexpr uint64_t repeated(uint8_t byte) { return uint64_t{0x0101010101010101} * byte; }

/// The two digits at `at`, which have been checked.
int32_t two(const uint8_t *at) { return (at[0] - '0') * 10 + (at[1] - '0'); }

/// Reads `2026-11-05T12:34:56.789Z`, which nearly every client sends; false for any other form, and for what is no
/// time.
bool parse_milliseconds_utc(const uint8_t *bytes, size_t length, int64_t *microseconds) {
  if (length != 24) return false;
  // The marks must stand in their places, and everything else must be a digit.
  uint64_t words[3], marks[3];
  memcpy(words, bytes, 24);
  memcpy(marks, "\0\0\0\0-\0\0-\0\0T\0\0:\0\0:\0\0.\0\0\0Z", 24);
  uint64_t wrong = 0;
  for (int i = 0; i < 3; i++) {
    // 0xFF where a mark stands: every mark's bytes are below 0x80 and above 0.
    uint64_t at_mark = ((marks[i] + repeated(0x7F)) & repeated(0x80)) >> 7;
    uint64_t mask = at_mark * 0xFF;
    wrong |= (words[i] ^ marks[i]) & mask;
    uint64_t digits = (words[i] & ~mask) | (repeated('0') & mask);
    wrong |= (digits & repeated(0xF0)) ^ repeated(0x30);
    wrong |= ((digits & repeated(0x0F)) + repeated(6)) & repeated(0xF0);
  }
  if (wrong) return false;
  int32_t year = two(bytes) * 100 + two(bytes + 2);
  int32_t month = two(bytes + 5);
  int32_t day = two(bytes + 8);
  int32_t hour = two(bytes + 11);
  int32_t minute = two(bytes + 14);
  int32_t second = two(bytes + 17);
  int32_t milliseconds = (bytes[20] - '0') * 100 + two(bytes + 21);
  if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return false;
  if (hour > 23 || minute > 59 || second > 59) return false;
  int64_t days = days_from_civil(year, static_cast<uint32_t>(month), static_cast<uint32_t>(day));
  int64_t seconds = (hour * 60 + minute) * 60 + second;
  *microseconds = days * microseconds_per_day + seconds * microseconds_per_second + milliseconds * 1000;
  return true;
}

}  // namespace

bool parse_rfc3339(const uint8_t *bytes, size_t length, int64_t *microseconds) {
  if (parse_milliseconds_utc(bytes, length, microseconds)) return true;
  cursor in{bytes, bytes + length};
  int32_t year = in.digits(4);
  if (year < 0 || !in.take('-')) return false;
  int32_t month = in.digits(2);
  if (month < 1 || month > 12 || !in.take('-')) return false;
  int32_t day = in.digits(2);
  if (day < 1 || day > days_in_month(year, month)) return false;
  if (!in.take('T') && !in.take('t') && !in.take(' ')) return false;
  int32_t hour = in.digits(2);
  if (hour < 0 || hour > 23 || !in.take(':')) return false;
  int32_t minute = in.digits(2);
  if (minute < 0 || minute > 59 || !in.take(':')) return false;
  int32_t second = in.digits(2);
  if (second < 0 || second > 60) return false;
  int64_t fraction = in.take('.') ? fraction_microseconds(in) : 0;
  int32_t offset_minutes = 0;
  if (fraction < 0 || !parse_offset(in, &offset_minutes) || in.at != in.end) return false;
  if (second == 60) {
    second = 59;
    fraction = microseconds_per_second - 1;
  }

  int64_t time_of_day = ((hour * 60 + minute) * 60 + second) * microseconds_per_second + fraction;
  int64_t days = days_from_civil(year, static_cast<uint32_t>(month), static_cast<uint32_t>(day));
  *microseconds = days * microseconds_per_day + time_of_day - offset_minutes * 60 * microseconds_per_second;
  return true;
}

void format_time(int64_t microseconds, char out[formatted_time_bytes]) {
  civil_date date = civil_from_microseconds(microseconds);
  int64_t day_start = floor_divide(microseconds, microseconds_per_day) * microseconds_per_day;
  int second = static_cast<int>((microseconds - day_start) / microseconds_per_second);
  // ISO 8601's expanded form where four digits are no year.
  bool is_plain = date.year > 0 && date.year <= 9999;
  snprintf(out, formatted_time_bytes, is_plain ? "%04d-%02u-%02uT%02d:%02d:%02dZ" : "%+07d-%02u-%02uT%02d:%02d:%02dZ", date.year, date.month, date.day, second / 3600,
           second / 60 % 60, second % 60);
}

}  // namespace millrace

bool mr_parse_time(const uint8_t *bytes, size_t length, int64_t *microseconds) {
  return millrace::parse_rfc3339(bytes, length, microseconds);
}

void mr_format_time(int64_t microseconds, char out[MR_TIME_BYTES]) {
  // Its last character is the Z that the fraction goes in front of.
  millrace::format_time(microseconds, out);
  size_t end = strlen(out) - 1;
  int64_t fraction = microseconds % millrace::microseconds_per_second;
  if (fraction < 0) fraction += millrace::microseconds_per_second;
  snprintf(out + end, MR_TIME_BYTES - end, ".%06dZ", static_cast<int>(fraction));
}

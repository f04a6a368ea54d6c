#include "troth/http/message.h"

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <utility>

#include "troth/base/encoding.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Takes a text apart from its front; once something is not there, nothing more is.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  Reader& Skip(std::string_view text) {
    if (rest_.starts_with(text)) {
      rest_.remove_prefix(text.size());
    } else {
      good_ = false;
    }
    return *this;
  }
  // A number of exactly `digits` digits.
  Reader& Number(size_t digits, int& out) {
    if (rest_.size() < digits) good_ = false;
    out = 0;
    for (size_t i = 0; good_ && i < digits; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') good_ = false;
      out = out * 10 + (rest_[i] - '0');
    }
    if (good_) rest_.remove_prefix(digits);
    return *this;
  }
  // One of `names`, or of their first `length` letters; `out` is its place, from 0.
  template <size_t kCount>
  Reader& Name(const std::array<std::string_view, kCount>& names, size_t length, int& out) {
    const auto name = std::ranges::find_if(names, [&](std::string_view candidate) {
      return rest_.starts_with(candidate.substr(0, length));
    });
    if (name == names.end()) {
      good_ = false;
    } else {
      out = static_cast<int>(name - names.begin());
      rest_.remove_prefix(std::min(length, name->size()));
    }
    return *this;
  }
  bool starts_with(char c) const { return rest_.starts_with(c); }
  bool done() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

struct Moment {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;

  Reader& ReadClock(Reader& reader) {
    return reader.Number(2, hour).Skip(":").Number(2, minute).Skip(":").Number(2, second);
  }
  std::optional<Time> ToTime() const {
    const std::chrono::year_month_day date{std::chrono::year(year),
                                           std::chrono::month(static_cast<unsigned>(month) + 1),
                                           std::chrono::day(static_cast<unsigned>(day))};
    // 60: a leap second, which sys_seconds does not count.
    if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
    return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
           Seconds(std::min(second, 59));
  }
};

constexpr size_t kShort = 3;
constexpr size_t kWhole = 20;

std::optional<Moment> ReadFixed(std::string_view text) {  // Sun, 06 Nov 1994 08:49:37 GMT
  Moment out;
  int ignored = 0;
  Reader reader(text);
  reader.Name(kDays, kShort, ignored).Skip(", ").Number(2, out.day).Skip(" ");
  reader.Name(kMonths, kShort, out.month).Skip(" ").Number(4, out.year).Skip(" ");
  if (!out.ReadClock(reader).Skip(" GMT").done()) return std::nullopt;
  return out;
}

std::optional<Moment> ReadRfc850(std::string_view text) {  // Sunday, 06-Nov-94 08:49:37 GMT
  Moment out;
  int ignored = 0;
  Reader reader(text);
  reader.Name(kDays, kWhole, ignored).Skip(", ").Number(2, out.day).Skip("-");
  reader.Name(kMonths, kShort, out.month).Skip("-").Number(2, out.year).Skip(" ");
  if (!out.ReadClock(reader).Skip(" GMT").done()) return std::nullopt;
  out.year += out.year < 70 ? 2000 : 1900;
  return out;
}

std::optional<Moment> ReadAsctime(std::string_view text) {  // Sun Nov  6 08:49:37 1994
  Moment out;
  int ignored = 0;
  Reader reader(text);
  reader.Name(kDays, kShort, ignored).Skip(" ").Name(kMonths, kShort, out.month).Skip(" ");
  if (reader.starts_with(' ')) {
    reader.Skip(" ").Number(1, out.day).Skip(" ");
  } else {
    reader.Number(2, out.day).Skip(" ");
  }
  if (!out.ReadClock(reader).Skip(" ").Number(4, out.year).done()) return std::nullopt;
  return out;
}

}  // namespace

std::optional<std::string_view> HttpRequest::Field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (EqualsIgnoreCaseAscii(key, name)) return value;
  }
  return std::nullopt;
}

std::string FormatHttpTime(Time time) {
  const std::chrono::sys_days day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  const std::string_view weekday = kDays[std::chrono::weekday(day).c_encoding()];
  const std::string_view month = kMonths[static_cast<unsigned>(date.month()) - 1];
  std::array<char, 64> text{};
  const int length = std::snprintf(
      text.data(), text.size(), "%.3s, %02u %.3s %04d %02d:%02d:%02d GMT", weekday.data(),
      static_cast<unsigned>(date.day()), month.data(), static_cast<int>(date.year()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()));
  return {text.data(), static_cast<size_t>(length)};
}

std::optional<Time> ParseHttpTime(std::string_view text) {
  for (const auto read : {ReadFixed, ReadRfc850, ReadAsctime}) {
    if (const std::optional<Moment> moment = read(text)) return moment->ToTime();
  }
  return std::nullopt;
}

HttpResponse ProblemResponse(const absl::Status& status) {
  const ReasonInfo& info = InfoOf(ReasonOf(status).value_or(Reason::kInternal));
  const auto text = [](std::string_view view) {
    return boost::json::string(boost::json::string_view(view.data(), view.size()));
  };
  boost::json::object problem;
  problem["type"] = text(DocAnchorOf(info.reason));
  problem["title"] = text(info.text);
  problem["status"] = info.http_status;
  problem["detail"] = text(ToStd(status.message()));
  problem["code"] = text(info.code);
  return {.status = info.http_status,
          .fields = {{"Content-Type", "application/problem+json"}},
          .body = boost::json::serialize(problem) + "\n"};
}

std::optional<std::string> PercentDecode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    // FromHex takes nothing but digits from two characters.
    const std::optional<std::string> byte =
        i + 2 < text.size() ? FromHex(text.substr(i + 1, 2)) : std::nullopt;
    if (!byte.has_value() || byte->size() != 1) return std::nullopt;
    out += *byte;
    i += 2;
  }
  return out;
}

std::optional<std::vector<std::string>> QueryValues(std::string_view query, std::string_view name) {
  std::vector<std::string> values;
  if (query.empty()) return values;
  for (const std::string_view pair : Split(query, '&')) {
    const size_t equals = pair.find('=');
    const std::optional<std::string> key = PercentDecode(pair.substr(0, equals));
    std::optional<std::string> value = PercentDecode(
        equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1));
    if (!key.has_value() || !value.has_value()) return std::nullopt;
    if (*key == name) values.push_back(*std::move(value));
  }
  return values;
}

}  // namespace troth

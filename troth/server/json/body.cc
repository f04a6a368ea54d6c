#include "troth/server/json/body.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <exception>
#include <span>
#include <utility>

#include "troth/base/nearest_word.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth::json {
namespace {

using boost::json::error_code;
using boost::json::string_view;

constexpr int kMaxDepth = 3;

std::string Quoted(std::string_view name) { return "\"" + Printable(name, 64) + "\""; }

absl::Status Invalid(std::string_view message) {
  return MakeError(Reason::kParameterInvalid, message);
}

std::string_view ExpectedType(const Member::Target& target) {
  constexpr std::string_view kNames[] = {"a text", "a whole number", "true or false",
                                         "a whole number of seconds", "a list of texts"};
  return kNames[target.index()];
}

bool IsOneLine(std::string_view text) {
  return std::ranges::none_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// What the parser calls. After the first function that says false nothing else is called, and
// `status` says why.
class Handler {
 public:
  static constexpr size_t max_object_size = 64;
  static constexpr size_t max_array_size = kMaxListLength;
  static constexpr size_t max_key_size = 256;
  static constexpr size_t max_string_size = kMaxBodyBytes;

  explicit Handler(std::span<const Member> members) : members_(members) {}
  const absl::Status& status() const { return status_; }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }

  bool on_object_begin(error_code& error) {
    if (in_object_) return Refuse(error, WrongType("an object"));
    in_object_ = true;
    return true;
  }
  bool on_object_end(size_t, error_code& error) {
    for (size_t i = 0; i < members_.size(); ++i) {
      if (members_[i].required && !Seen(i)) {
        return Refuse(error,
                      Invalid("the member " + Quoted(members_[i].name) + " is missing: expected " +
                              std::string(ExpectedType(members_[i].target))));
      }
    }
    return true;
  }
  bool on_array_begin(error_code& error) {
    if (!in_object_ || in_list_ ||
        !std::holds_alternative<std::vector<std::string>*>(current_->target)) {
      return Refuse(error, WrongType("a list"));
    }
    in_list_ = true;
    return true;
  }
  bool on_array_end(size_t, error_code&) {
    in_list_ = false;
    return true;
  }

  bool on_key_part(string_view part, size_t, error_code&) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool on_key(string_view part, size_t, error_code& error) {
    text_.append(part.data(), part.size());
    const std::string name = std::exchange(text_, {});
    const auto found = std::ranges::find(members_, name, &Member::name);
    if (found == members_.end()) return Refuse(error, Unknown(name));
    const auto index = static_cast<size_t>(found - members_.begin());
    if (Seen(index)) {
      return Refuse(error, MakeError(Reason::kJsonMalformed,
                                     "the member " + Quoted(name) + " is there twice"));
    }
    seen_ |= std::uint64_t{1} << index;
    current_ = &*found;
    return true;
  }

  bool on_string_part(string_view part, size_t, error_code&) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool on_string(string_view part, size_t, error_code& error) {
    text_.append(part.data(), part.size());
    std::string text = std::exchange(text_, {});
    if (!in_object_) return Refuse(error, WrongType("a text"));
    auto* const list = std::get_if<std::vector<std::string>*>(&current_->target);
    auto* const one = std::get_if<std::string*>(&current_->target);
    if (one == nullptr && !in_list_) return Refuse(error, WrongType("a text"));
    if (text.empty()) return Refuse(error, Wrong("at least one character, got an empty text"));
    if (!current_->lines && !IsOneLine(text)) {
      return Refuse(error, Wrong("one line without control characters"));
    }
    if (in_list_) {
      (*list)->push_back(std::move(text));
    } else {
      **one = std::move(text);
    }
    return true;
  }

  bool on_number_part(string_view, error_code&) { return true; }
  bool on_int64(std::int64_t number, string_view, error_code& error) {
    if (!in_object_) return Refuse(error, WrongType("a number"));
    if (number < 0 && TakesNumber()) return Refuse(error, Wrong("a number that is not negative"));
    return on_uint64(static_cast<std::uint64_t>(number), {}, error);
  }
  bool on_uint64(std::uint64_t number, string_view, error_code& error) {
    if (!TakesNumber()) return Refuse(error, WrongType("a number"));
    if (auto* const out = std::get_if<std::uint64_t*>(&current_->target)) {
      **out = number;
      return true;
    }
    if (number == 0 || number > static_cast<std::uint64_t>(kMaxLifetime.count())) {
      return Refuse(error, Wrong("1 to " + std::to_string(kMaxLifetime.count()) + " seconds"));
    }
    *std::get<std::optional<Seconds>*>(current_->target) = Seconds(number);
    return true;
  }
  bool on_double(double, string_view, error_code& error) {
    return Refuse(error, WrongType("a number with a fraction or an exponent"));
  }
  bool on_bool(bool value, error_code& error) {
    auto* const out = in_object_ ? std::get_if<bool*>(&current_->target) : nullptr;
    if (out == nullptr) return Refuse(error, WrongType("true or false"));
    **out = value;
    return true;
  }
  bool on_null(error_code& error) { return Refuse(error, WrongType("null")); }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }

 private:
  bool Seen(size_t index) const { return (seen_ >> index & 1) != 0; }

  bool TakesNumber() const {
    return in_object_ && (std::holds_alternative<std::uint64_t*>(current_->target) ||
                          std::holds_alternative<std::optional<Seconds>*>(current_->target));
  }

  bool Refuse(error_code& error, absl::Status status) {
    status_ = std::move(status);
    error = boost::json::error::exception;  // any: what counts is `status_`
    return false;
  }
  absl::Status Wrong(std::string_view expected) const {
    return Invalid(Quoted(current_->name) + ": expected " + std::string(expected));
  }
  absl::Status WrongType(std::string_view got) const {
    if (!in_object_) {
      return MakeError(Reason::kJsonMalformed, "expected a JSON object, got " + std::string(got));
    }
    return Wrong(std::string(in_list_ ? "texts in the list" : ExpectedType(current_->target)) +
                 ", got " + std::string(got));
  }
  absl::Status Unknown(std::string_view name) const {
    std::vector<std::string_view> known;
    for (const Member& member : members_) known.push_back(member.name);
    std::string message = "there is no member " + Quoted(name) + " here";
    const std::string meant = DidYouMean(name, known);
    if (!meant.empty()) return Invalid(message + meant);
    message += known.empty() ? "; the body has none" : "; expected";
    for (size_t i = 0; i < known.size(); ++i) message += (i == 0 ? " " : ", ") + Quoted(known[i]);
    return Invalid(message);
  }

  const std::span<const Member> members_;
  std::uint64_t seen_ = 0;           // a bit for each of `members_`
  const Member* current_ = nullptr;  // set while the object's values are read
  bool in_object_ = false;
  bool in_list_ = false;
  std::string text_;  // what has come of a key or text
  absl::Status status_;
};

}  // namespace

absl::Status ReadObject(std::string_view body, std::initializer_list<Member> members) {
  if (body.size() > kMaxBodyBytes) {
    return MakeError(Reason::kBodyTooLarge, "the body has " + std::to_string(body.size()) +
                                                " bytes, expected at most " +
                                                std::to_string(kMaxBodyBytes));
  }
  if (body.empty()) body = "{}";
  try {
    boost::json::parse_options options;
    options.max_depth = kMaxDepth;
    boost::json::basic_parser<Handler> parser(options, std::span(members.begin(), members.size()));
    error_code error;
    const size_t read = parser.write_some(false, body.data(), body.size(), error);
    if (!parser.handler().status().ok()) return parser.handler().status();
    if (!error && read < body.size()) error = boost::json::error::extra_data;
    if (error) {
      return MakeError(Reason::kJsonMalformed, "not JSON at byte " + std::to_string(read) + ": " +
                                                   Printable(error.message()));
    }
  } catch (const std::exception& error) {
    return MakeError(Reason::kInternal, std::string("cannot read JSON: ") + error.what());
  }
  return absl::OkStatus();
}

}  // namespace troth::json

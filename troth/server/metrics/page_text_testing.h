// For tests: a strict reader of Prometheus' text format, version 0.0.4, with what `promtool check
// metrics` asks for besides.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troth::metrics_testing {

using Labels = std::map<std::string, std::string>;

struct Family {
  std::string help = {}, type = {};
  std::map<std::pair<std::string, Labels>, double> samples = {};  // by name and labels
};

class PageText {
 public:
  explicit PageText(std::string_view text) { Read(text); }

  // One line for each thing that is wrong; empty: the page is well-formed.
  const std::vector<std::string>& errors() const { return errors_; }
  const std::map<std::string, Family>& families() const { return families_; }
  // The value of a series; nothing when there is none.
  std::optional<double> Value(const std::string& name, const Labels& labels = {}) const {
    for (const auto& [ignored, family] : families_) {
      const auto found = family.samples.find({name, labels});
      if (found != family.samples.end()) return found->second;
    }
    return std::nullopt;
  }

 private:
  static bool IsNameChar(char c, bool first, bool colon) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':') ||
           (!first && c >= '0' && c <= '9');
  }
  // Takes a name from the front of `rest`; empty when there is none.
  static std::string TakeName(std::string_view& rest, bool colon) {
    size_t length = 0;
    while (length < rest.size() && IsNameChar(rest[length], length == 0, colon)) ++length;
    std::string name(rest.substr(0, length));
    rest.remove_prefix(length);
    return name;
  }
  static bool Take(std::string_view& rest, std::string_view text) {
    if (!rest.starts_with(text)) return false;
    rest.remove_prefix(text.size());
    return true;
  }

  void Error(const std::string& what, std::string_view line) {
    errors_.push_back(what + ": " + std::string(line));
  }

  void Read(std::string_view text) {
    if (!text.ends_with('\n')) Error("the last line does not end", "");
    while (!text.empty()) {
      const size_t end = std::min(text.find('\n'), text.size());
      ReadLine(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    for (const auto& [name, family] : families_) CheckFamily(name, family);
  }

  void ReadLine(std::string_view line) {
    std::string_view rest = line;
    if (rest.empty()) return;
    if (Take(rest, "# HELP ")) {
      const std::string name = TakeName(rest, true);
      if (name.empty() || !Take(rest, " ") || rest.empty()) return Error("malformed HELP", line);
      if (!families_.emplace(name, Family{.help = std::string(rest)}).second) {
        return Error("a second HELP, or a family in two places", line);
      }
      current_ = name;
      return;
    }
    if (Take(rest, "# TYPE ")) {
      const std::string name = TakeName(rest, true);
      if (name != current_ || !Take(rest, " ")) return Error("TYPE without its HELP", line);
      Family& family = families_[name];
      if (!family.type.empty() || !family.samples.empty()) return Error("TYPE too late", line);
      family.type = rest;
      if (rest != "counter" && rest != "gauge" && rest != "histogram") Error("unknown type", line);
      return;
    }
    if (rest.starts_with('#')) return;
    ReadSample(line);
  }

  void ReadSample(std::string_view line) {
    std::string_view rest = line;
    const std::string name = TakeName(rest, true);
    if (name.empty()) return Error("no name", line);
    Labels labels;
    if (Take(rest, "{") && !ReadLabels(rest, labels)) return Error("malformed labels", line);
    if (!Take(rest, " ")) return Error("no value", line);
    const std::optional<double> value = ReadValue(rest);
    if (!value.has_value()) return Error("malformed value", line);
    const auto family = families_.find(current_);
    if (family == families_.end() || !BelongsTo(name, family->first, family->second.type)) {
      return Error("a sample outside its family", line);
    }
    if (!family->second.samples.emplace(std::pair(name, labels), *value).second) {
      Error("a series twice", line);
    }
  }

  static bool BelongsTo(const std::string& name, const std::string& family,
                        const std::string& type) {
    if (type != "histogram") return name == family;
    return name == family + "_bucket" || name == family + "_sum" || name == family + "_count";
  }

  // After '{', up to and with '}'.
  static bool ReadLabels(std::string_view& rest, Labels& labels) {
    while (!Take(rest, "}")) {
      if (!labels.empty() && !Take(rest, ",")) return false;
      const std::string name = TakeName(rest, false);
      std::string value;
      if (name.empty() || !Take(rest, "=\"") || !ReadLabelValue(rest, value)) return false;
      if (!labels.emplace(name, value).second) return false;
    }
    return true;
  }

  static bool ReadLabelValue(std::string_view& rest, std::string& value) {
    while (!rest.empty()) {
      const char c = rest.front();
      rest.remove_prefix(1);
      if (c == '"') return true;
      if (c != '\\') {
        value += c;
        continue;
      }
      if (rest.empty()) return false;
      const char escaped = rest.front();
      rest.remove_prefix(1);
      if (escaped != '\\' && escaped != '"' && escaped != 'n') return false;
      value += escaped == 'n' ? '\n' : escaped;
    }
    return false;
  }

  static std::optional<double> ReadValue(std::string_view text) {
    if (text == "+Inf") return std::numeric_limits<double>::infinity();
    if (text == "-Inf") return -std::numeric_limits<double>::infinity();
    if (text == "NaN" || text == "Nan") return std::nan("");  // Go's ParseFloat takes both
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
  }

  void CheckFamily(const std::string& name, const Family& family) {
    if (family.type.empty()) Error("no TYPE", name);
    // What promtool's linter says.
    if ((family.type == "counter") != name.ends_with("_total")) {
      Error("a counter ends with _total, and nothing else does", name);
    }
    if (!family.help.ends_with('.')) Error("a help that is no sentence", name);
    if (family.type == "histogram") CheckHistogram(name, family);
  }

  void CheckHistogram(const std::string& name, const Family& family) {
    std::map<double, double> buckets;  // count by bound
    for (const auto& [series, value] : family.samples) {
      if (series.first != name + "_bucket") continue;
      const auto bound = series.second.find("le");
      const std::optional<double> le =
          bound == series.second.end() ? std::nullopt : ReadValue(bound->second);
      if (!le.has_value()) return Error("a bucket without its bound", name);
      buckets[*le] = value;
    }
    const std::optional<double> count = Value(name + "_count");
    if (!Value(name + "_sum").has_value() || !count.has_value()) {
      return Error("no _sum, or no _count", name);
    }
    if (buckets.empty() || !std::isinf(buckets.rbegin()->first) ||
        buckets.rbegin()->second != *count) {
      return Error("the bucket +Inf is not the count", name);
    }
    double before = 0;
    for (const auto& [bound, value] : buckets) {
      if (value < before) return Error("buckets that fall", name);
      before = value;
    }
  }

  std::vector<std::string> errors_;
  std::map<std::string, Family> families_;
  std::string current_;  // the family that HELP named last
};

}  // namespace troth::metrics_testing

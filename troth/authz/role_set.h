// Sets of roles as bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace troth {

// A set of role numbers. Up to 64 roles are one word; more cost an allocation when they are added,
// never when sets are compared.
class RoleSet {
 public:
  void Add(size_t role) {
    if (role < 64) {
      first_ |= std::uint64_t{1} << role;
      return;
    }
    const size_t word = role / 64 - 1;
    if (rest_.size() <= word) rest_.resize(word + 1);
    rest_[word] |= std::uint64_t{1} << (role % 64);
  }
  void AddAll(const RoleSet& other) {
    first_ |= other.first_;
    if (rest_.size() < other.rest_.size()) rest_.resize(other.rest_.size());
    for (size_t i = 0; i < other.rest_.size(); ++i) rest_[i] |= other.rest_[i];
  }
  bool Has(size_t role) const {
    if (role < 64) return (first_ >> role & 1) != 0;
    const size_t word = role / 64 - 1;
    return word < rest_.size() && (rest_[word] >> (role % 64) & 1) != 0;
  }
  bool Intersects(const RoleSet& other) const {
    if ((first_ & other.first_) != 0) return true;
    const size_t words = rest_.size() < other.rest_.size() ? rest_.size() : other.rest_.size();
    for (size_t i = 0; i < words; ++i) {
      if ((rest_[i] & other.rest_[i]) != 0) return true;
    }
    return false;
  }
  // Has a role beside `role`.
  bool HasOther(size_t role) const {
    RoleSet only;
    only.Add(role);
    return !empty() && *this != only;
  }
  // The first 64 roles, a bit each.
  std::uint64_t first_word() const { return first_; }
  bool empty() const {
    if (first_ != 0) return false;
    for (const std::uint64_t word : rest_) {
      if (word != 0) return false;
    }
    return true;
  }
  bool operator==(const RoleSet& other) const {
    if (first_ != other.first_) return false;
    const size_t words = rest_.size() > other.rest_.size() ? rest_.size() : other.rest_.size();
    for (size_t i = 0; i < words; ++i) {
      const std::uint64_t a = i < rest_.size() ? rest_[i] : 0;
      const std::uint64_t b = i < other.rest_.size() ? other.rest_[i] : 0;
      if (a != b) return false;
    }
    return true;
  }

 private:
  std::uint64_t first_ = 0;
  std::vector<std::uint64_t> rest_;
};

}  // namespace troth

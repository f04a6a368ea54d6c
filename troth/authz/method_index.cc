#include "troth/authz/method_index.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <deque>

namespace troth {
namespace {

size_t CommonPrefix(std::string_view a, std::string_view b) {
  return static_cast<size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

// Eight bytes at a step. Not for keys that an attacker chooses: the table holds a server's own
// methods.
std::uint32_t HashOf(std::string_view text) {
  constexpr std::uint64_t kMultiplier = 0x9e3779b97f4a7c15;
  std::uint64_t hash = text.size() * kMultiplier;
  const auto mix = [&](std::uint64_t word) {
    hash = (hash ^ word) * kMultiplier;
    hash ^= hash >> 32;
  };
  while (text.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), 8);
    mix(word);
    text.remove_prefix(8);
  }
  std::uint64_t word = 0;
  if (!text.empty()) std::memcpy(&word, text.data(), text.size());
  mix(word);
  return static_cast<std::uint32_t>(hash ^ hash >> 32);
}

}  // namespace

MethodIndex::MethodIndex(std::vector<Entry> entries) {
  if (entries.empty()) return;
  std::ranges::sort(entries, {}, &Entry::literal);

  struct Work {
    size_t node;
    size_t begin, end;  // of entries
    size_t depth;       // bytes of the literals that lie above the node
  };
  nodes_.emplace_back();
  first_bytes_.push_back('\0');
  std::deque<Work> queue = {{.node = 0, .begin = 0, .end = entries.size(), .depth = 0}};
  while (!queue.empty()) {
    Work work = queue.front();
    queue.pop_front();
    const std::string_view first = entries[work.begin].literal;
    const size_t depth = CommonPrefix(first, entries[work.end - 1].literal);
    Node node;
    node.label = static_cast<std::uint32_t>(labels_.size());
    node.label_size = static_cast<std::uint16_t>(depth - work.depth);
    labels_ += first.substr(work.depth, depth - work.depth);
    if (first.size() == depth) {
      node.exact = entries[work.begin].exact;
      node.prefix = entries[work.begin].prefix;
      ++work.begin;
    }
    node.first_child = static_cast<std::uint32_t>(nodes_.size());
    while (work.begin < work.end) {
      const char branch = entries[work.begin].literal[depth];
      size_t end = work.begin + 1;
      while (end < work.end && entries[end].literal[depth] == branch) ++end;
      queue.push_back({.node = nodes_.size(), .begin = work.begin, .end = end, .depth = depth});
      nodes_.emplace_back();
      first_bytes_.push_back(branch);
      ++node.child_count;
      work.begin = end;
    }
    nodes_[work.node] = node;
  }
}

std::int32_t MethodIndex::Find(std::string_view method) const {
  std::int32_t found = kNone;
  if (nodes_.empty()) return found;
  const Node* node = nodes_.data();
  while (true) {
    if (method.size() < node->label_size ||
        std::memcmp(method.data(), labels_.data() + node->label, node->label_size) != 0) {
      return found;
    }
    method.remove_prefix(node->label_size);
    if (node->prefix != kNone) found = node->prefix;
    if (method.empty()) return node->exact != kNone ? node->exact : found;
    const char* const children = first_bytes_.data() + node->first_child;
    const void* const child = std::memchr(children, method.front(), node->child_count);
    if (child == nullptr) return found;
    node = nodes_.data() + (static_cast<const char*>(child) - first_bytes_.data());
  }
}

MethodTable::MethodTable(const std::vector<Entry>& entries) {
  if (entries.empty()) return;
  slots_.resize(std::bit_ceil(entries.size() * 2));
  for (const Entry& entry : entries) {
    if (entry.method.empty() || entry.method.size() > UINT16_MAX || Find(entry.method) != nullptr) {
      continue;
    }
    const std::uint32_t hash = HashOf(entry.method);
    size_t at = hash & (slots_.size() - 1);
    while (slots_[at].size != 0) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = {.hash = hash,
                  .offset = static_cast<std::uint32_t>(names_.size()),
                  .value = entry.value,
                  .size = static_cast<std::uint16_t>(entry.method.size())};
    names_ += entry.method;
  }
}

const std::int32_t* MethodTable::Find(std::string_view method) const {
  if (slots_.empty() || method.empty()) return nullptr;
  const std::uint32_t hash = HashOf(method);
  for (size_t at = hash & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
    const Slot& slot = slots_[at];
    if (slot.size == 0) return nullptr;
    if (slot.hash == hash && slot.size == method.size() &&
        std::memcmp(names_.data() + slot.offset, method.data(), method.size()) == 0) {
      return &slot.value;
    }
  }
}

}  // namespace troth

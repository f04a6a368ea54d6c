#include "troth/authz/method_index.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace troth {
namespace {

std::int32_t FindSlowly(const std::vector<MethodIndex::Entry>& entries, std::string_view method) {
  std::int32_t found = MethodIndex::kNone;
  size_t longest = 0;
  for (const MethodIndex::Entry& entry : entries) {
    if (entry.exact != MethodIndex::kNone && entry.literal == method) return entry.exact;
    if (entry.prefix == MethodIndex::kNone || !method.starts_with(entry.literal)) continue;
    if (found == MethodIndex::kNone || entry.literal.size() > longest) {
      found = entry.prefix;
      longest = entry.literal.size();
    }
  }
  return found;
}

TEST(MethodIndex, EmptyKnowsNothing) {
  EXPECT_EQ(MethodIndex().Find("/a.B/C"), MethodIndex::kNone);
  EXPECT_EQ(MethodIndex(std::vector<MethodIndex::Entry>{}).Find(""), MethodIndex::kNone);
}

TEST(MethodIndex, PrefersTheExactMethodThenTheLongestPrefix) {
  const MethodIndex index({{.literal = "", .prefix = 0},
                           {.literal = "/a.B/", .prefix = 1},
                           {.literal = "/a.B/Internal", .exact = 3, .prefix = 2},
                           {.literal = "/a.B/InternalX", .exact = 4}});
  EXPECT_EQ(index.Find("/x"), 0);
  EXPECT_EQ(index.Find(""), 0);
  EXPECT_EQ(index.Find("/a.B/C"), 1);
  EXPECT_EQ(index.Find("/a.B/"), 1);
  EXPECT_EQ(index.Find("/a.B"), 0);
  EXPECT_EQ(index.Find("/a.B/InternalY"), 2);
  EXPECT_EQ(index.Find("/a.B/Internal"), 3);
  EXPECT_EQ(index.Find("/a.B/InternalX"), 4);
  EXPECT_EQ(index.Find("/a.B/InternalXY"), 2);
}

// A small alphabet makes prefixes of each other, and every branch of the walk.
TEST(MethodIndex, AgreesWithASearchThroughAll) {
  std::mt19937 random(7);
  const auto text = [&](size_t longest) {
    std::string out;
    for (size_t size = random() % (longest + 1); out.size() < size;) out += "ab/\xff"[random() % 4];
    return out;
  };
  for (int round = 0; round < 300; ++round) {
    std::set<std::string> literals;
    for (size_t count = random() % 40; literals.size() < count;) literals.insert(text(7));
    std::vector<MethodIndex::Entry> entries;
    std::int32_t next = 0;
    for (const std::string& literal : literals) {
      MethodIndex::Entry entry{.literal = literal};
      const unsigned kind = random() % 3;
      if (kind != 0) entry.exact = next++;
      if (kind != 1) entry.prefix = next++;
      entries.push_back(entry);
    }
    const MethodIndex index(entries);
    for (int i = 0; i < 200; ++i) {
      const std::string method = text(9);
      ASSERT_EQ(index.Find(method), FindSlowly(entries, method)) << method;
    }
  }
}

TEST(MethodTable, FindsWhatItHoldsAndNothingElse) {
  std::vector<MethodTable::Entry> entries;
  for (int i = 0; i < 5000; ++i) {
    entries.push_back(
        {"/package.Service" + std::to_string(i % 71) + "/Method" + std::to_string(i), i});
  }
  const MethodTable table(entries);
  for (const MethodTable::Entry& entry : entries) {
    const std::int32_t* const value = table.Find(entry.method);
    ASSERT_NE(value, nullptr) << entry.method;
    EXPECT_EQ(*value, entry.value);
    EXPECT_EQ(table.Find(entry.method + "x"), nullptr);
    EXPECT_EQ(table.Find(entry.method.substr(1)), nullptr);
  }
  EXPECT_EQ(table.Find(""), nullptr);
  EXPECT_EQ(MethodTable().Find("/a.B/C"), nullptr);
}

TEST(MethodTable, KeepsTheFirstOfTwoAlike) {
  const MethodTable table({{"/a.B/C", 1}, {"/a.B/C", 2}});
  EXPECT_EQ(*table.Find("/a.B/C"), 1);
}

}  // namespace
}  // namespace troth

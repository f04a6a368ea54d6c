#include "troth/server/caramel/python_text.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace troth::caramel {
namespace {

struct Row {
  std::string_view text, repr, json;
};

// Each text and what Python 3.11 prints of it.
constexpr Row kRows[] = {
    {"", "''", R"("")"},
    {"Example AB", "'Example AB'", R"("Example AB")"},
    {"it's", R"("it's")", R"("it's")"},
    {R"(say "hi")", R"('say "hi"')", R"("say \"hi\"")"},
    {R"(a"b'c)", R"('a"b\'c')", R"("a\"b'c")"},
    {R"(back\slash)", R"('back\\slash')", R"("back\\slash")"},
    {"tab\tnew\nret\r", R"('tab\tnew\nret\r')", R"("tab\tnew\nret\r")"},
    {"\b\f\x1b", R"('\x08\x0c\x1b')", R"("\b\f\u001b")"},
    {"\x7f", R"('\x7f')", "\"\x7f\""},
    {"Östergötland", "'Östergötland'", R"("\u00d6sterg\u00f6tland")"},
    {"日本", "'日本'", R"("\u65e5\u672c")"},
    {"😀", "'😀'", R"("\ud83d\ude00")"},
    {"\u0085\u00a0\u00ad", R"('\x85\xa0\xad')", R"("\u0085\u00a0\u00ad")"},
    {"\u200b\u2028\u3000\ufeff", R"('\u200b\u2028\u3000\ufeff')", R"("\u200b\u2028\u3000\ufeff")"},
    {"\U000e0001\U0010ffff", R"('\U000e0001\U0010ffff')", R"("\udb40\udc01\udbff\udfff")"},
    // Not UTF-8: a lone byte, a cut sequence, an overlong '/', a surrogate.
    {"\xff", "'\ufffd'", R"("\ufffd")"},
    {"\xc3", "'\ufffd'", R"("\ufffd")"},
    {"\xc0\xaf", "'\ufffd\ufffd'", R"("\ufffd\ufffd")"},
    {"\xed\xa0\x80", "'\ufffd\ufffd\ufffd'", R"("\ufffd\ufffd\ufffd")"},
};

TEST(PythonTextTest, IsWrittenAsPythonWritesIt) {
  for (const Row& row : kRows) {
    EXPECT_EQ(PythonRepr(row.text), row.repr);
    EXPECT_EQ(PythonJson(row.text), row.json);
  }
}

TEST(PythonTextTest, JsonIsAlwaysAscii) {
  std::string every;
  for (int byte = 0; byte < 256; ++byte) every += static_cast<char>(byte);
  for (const char c : PythonJson(every)) EXPECT_TRUE(c >= ' ' && c <= 0x7F) << static_cast<int>(c);
}

}  // namespace
}  // namespace troth::caramel

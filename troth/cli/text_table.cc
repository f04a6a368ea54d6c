#include "troth/cli/text_table.h"

#include <algorithm>

namespace troth {
namespace {

std::string Styled(const std::string& text, CellStyle style, const Session& session) {
  switch (style) {
    case CellStyle::kGood:
      return session.Green(text);
    case CellStyle::kBad:
      return session.Red(text);
    case CellStyle::kFaint:
      return session.Dim(text);
    case CellStyle::kPlain:
      break;
  }
  return text;
}

}  // namespace

void TextTable::Print(const Session& session) const {
  std::vector<size_t> widths;
  for (const std::string& name : header_) widths.push_back(name.size());
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].text.size());
  }
  // The last cell of a row is not padded: lines end where their text does.
  const auto padded = [&](const std::string& text, size_t column, size_t columns) {
    if (column + 1 == columns) return text;
    return text + std::string(widths[column] - text.size() + 2, ' ');
  };
  std::string line;
  for (size_t i = 0; i < header_.size(); ++i) line += padded(header_[i], i, header_.size());
  session.out << session.Bold(line) << "\n";
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      session.out << Styled(padded(row[i].text, i, row.size()), row[i].style, session);
    }
    session.out << "\n";
  }
}

}  // namespace troth

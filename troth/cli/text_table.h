// Lists for people: columns as wide as what is in them.
#pragma once

#include <string>
#include <vector>

#include "troth/cli/command.h"

namespace troth {

enum class CellStyle { kPlain, kGood, kBad, kFaint };

struct TableCell {
  TableCell(std::string content, CellStyle how = CellStyle::kPlain)
      : text(std::move(content)), style(how) {}
  std::string text;
  CellStyle style;
};

// Cells are printed as they are: what others wrote goes through Printable first.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header) : header_(std::move(header)) {}
  // As many cells as the header has, or fewer.
  void Add(std::vector<TableCell> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }
  void Print(const Session& session) const;

 private:
  const std::vector<std::string> header_;
  std::vector<std::vector<TableCell>> rows_;
};

}  // namespace troth

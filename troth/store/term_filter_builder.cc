#include "troth/store/term_filter_builder_internal.h"

#include <algorithm>
#include <utility>

#include "troth/store/schema_internal.h"

namespace troth {
namespace {

constexpr std::uint64_t kLeast = std::uint64_t{1} << 16;
constexpr size_t kCacheBytes = size_t{256} << 10;

// Room to grow by a quarter before the next one is filled.
std::uint64_t CapacityFor(std::uint64_t terms) { return std::max(kLeast, terms + terms / 4); }

}  // namespace

TermFilterBuilder::~TermFilterBuilder() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void TermFilterBuilder::Provide(std::uint64_t terms) {
  if (filling_ != nullptr) {
    if (!filled_ && !failed_) return;
    thread_.join();
    if (filled_) used_ = filling_;
    filling_.reset();
  }
  if (used_ != nullptr && used_->added() <= used_->capacity()) return;
  auto filter = std::make_shared<TermFilter>(CapacityFor(terms));
  if (terms == 0) {
    used_ = filter;
    shared_.set_filter(std::move(filter));
    return;
  }
  filling_ = std::move(filter);
  filled_ = false;
  failed_ = false;
  // From now on Add fills it too, and what was committed before is in the thread's snapshot.
  thread_ = std::thread([this, filter = filling_] { Fill(filter); });
}

void TermFilterBuilder::Forget() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  stop_ = false;
  used_.reset();
  filling_.reset();
  shared_.set_filter(nullptr);
}

void TermFilterBuilder::Add(std::uint64_t term) {
  if (used_ != nullptr) used_->Add(term);
  if (filling_ != nullptr) filling_->Add(term);
}

void TermFilterBuilder::Fill(const std::shared_ptr<TermFilter>& filter) {
  const auto fill = [&]() -> absl::Status {
    auto connection = OpenForReading(path_, vfs_, kCacheBytes);
    if (!connection.ok()) return connection.status();
    if (absl::Status begun = (*connection)->Execute("BEGIN"); !begun.ok()) return begun;
    IndexSegments segments(**connection);
    const absl::StatusOr<IndexDirectory> directory = segments.Load();
    if (!directory.ok()) return directory.status();
    for (const auto& segment : directory->Of(IndexKind::kTerms)) {
      absl::Status read = segments.VisitAll(*segment, [&](const IndexEntry& entry) {
        filter->Add(entry.key);
        return !stop_.load(std::memory_order_relaxed);
      });
      if (!read.ok()) return read;
    }
    return absl::OkStatus();
  };
  // Without a filter look-ups read the segments: slower, and as right.
  if (!fill().ok() || stop_) {
    failed_ = true;
    return;
  }
  shared_.set_filter(filter);
  filled_ = true;
}

}  // namespace troth

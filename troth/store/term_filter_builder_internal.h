// Fills a TermFilter from the segments, beside the writer's work.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "troth/store/index_view_internal.h"
#include "troth/store/term_filter_internal.h"

namespace troth {

// Used by the writer's thread only.
class TermFilterBuilder {
 public:
  TermFilterBuilder(std::string path, std::string vfs, SharedIndex& shared)
      : path_(std::move(path)), vfs_(std::move(vfs)), shared_(shared) {}
  TermFilterBuilder(const TermFilterBuilder&) = delete;
  TermFilterBuilder& operator=(const TermFilterBuilder&) = delete;
  ~TermFilterBuilder();

  // Makes the filter that is in use large enough for `terms` that are committed: at once when there
  // are none, else by a thread that reads the segments and then shares the filter. Does nothing
  // while one is being filled. Between calls every new term must be given to Add.
  void Provide(std::uint64_t terms);
  // Begins anew: somebody else has written segments.
  void Forget();
  // Before the segment with this term is committed.
  void Add(std::uint64_t term);

 private:
  void Fill(const std::shared_ptr<TermFilter>& filter);

  const std::string path_, vfs_;
  SharedIndex& shared_;
  std::shared_ptr<TermFilter> used_, filling_;
  std::atomic<bool> filled_ = false, failed_ = false, stop_ = false;
  std::thread thread_;
};

}  // namespace troth

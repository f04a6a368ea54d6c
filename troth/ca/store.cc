#include "troth/ca/store.h"

#include <future>
#include <utility>

namespace troth {

absl::Status Store::WriteAndWait(Work work) {
  std::promise<absl::Status> promise;
  std::future<absl::Status> result = promise.get_future();
  Write(std::move(work), [&promise](absl::Status status) { promise.set_value(std::move(status)); });
  return result.get();
}

}  // namespace troth

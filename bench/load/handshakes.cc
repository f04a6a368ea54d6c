#include <grpcpp/create_channel.h>

#include <atomic>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "bench/load/measurement.h"
#include "bench/load/window.h"
#include "echo/echo.grpc.pb.h"

namespace bench {
namespace {

// Returns how long it took from nothing to an answered call. Closing is not part of it.
Nanoseconds ConnectAndCall(const Load& load, const std::string& sender) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // no connection of another channel
  echo::Ping ping;
  ping.set_sender(sender);
  ping.set_sseq(1);
  echo::Pong pong;
  const auto start = std::chrono::steady_clock::now();
  const auto channel = grpc::CreateCustomChannel(load.target, load.credentials, arguments);
  grpc::ClientContext context;
  const grpc::Status status = echo::SecurePing::NewStub(channel)->Echo(&context, ping, &pong);
  const auto took = std::chrono::steady_clock::now() - start;
  if (!status.ok()) throw std::runtime_error("a call failed: " + status.error_message());
  if (!pong.success()) throw std::runtime_error("a wrong pong: " + pong.ShortDebugString());
  return took;
}

}  // namespace

Measurement MeasureHandshakes(const Load& load) {
  Measurement result;
  std::mutex mutex;  // guards result and failure
  std::exception_ptr failure;
  std::atomic<bool> open = false, stop = false;
  std::vector<std::thread> workers;
  workers.reserve(static_cast<size_t>(load.at_once));
  for (int i = 0; i < load.at_once; ++i) {
    workers.emplace_back([&, sender = "load-" + std::to_string(i)] {
      try {
        while (!stop) {
          const Nanoseconds took = ConnectAndCall(load, sender);
          if (!open) continue;
          const std::lock_guard lock(mutex);
          result.latencies.push_back(took);
        }
      } catch (const std::exception&) {
        const std::lock_guard lock(mutex);
        failure = std::current_exception();
        stop = true;
      }
    });
  }

  Window window({load.server});
  std::this_thread::sleep_for(load.warm_up);
  window.Open();
  open = true;
  std::this_thread::sleep_for(load.window);
  {
    const std::lock_guard lock(mutex);
    open = false;
    window.Close(result);
  }
  stop = true;
  for (std::thread& worker : workers) worker.join();
  if (failure) std::rethrow_exception(failure);
  return result;
}

}  // namespace bench

// What the store spends on one durable certificate: a row, its index, a ledger entry.
//
//   build/release/bench/store_bench [--stored=N] [--folder=DIR] [--benchmark_...]
//
// `cpu_us` is the CPU of the whole process per certificate, `wall_us` the time, which is the
// disk's. A group is what waits at the same time and shares one sync. --stored: how many
// certificates are there before (10,000; 5000000 takes some minutes and 5 GB); --folder: where the
// store is made, which should be on a real disk (the temporary folder).
//
// Look-ups are of names and serials that are spread over all that is stored.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <future>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/store_filling.h"
#include "troth/base/time.h"
#include "troth/ca/records.h"
#include "troth/store/sqlite_store.h"

namespace troth {
namespace {

using bench::MakeNote;
using bench::MakeRecord;
using bench::NameOf;

std::uint64_t stored = 10'000;
std::string folder = std::filesystem::temp_directory_path().string();

double ProcessCpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

void Require(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << "store_bench: " << status << "\n";
  std::exit(EXIT_FAILURE);
}

// Writes records in groups of one size: what follows is queued while the engine answers, so that
// all of it waits when the engine looks again.
class Pump {
 public:
  Pump(Store& store, const std::vector<CertificateRecord>& records, size_t group)
      : store_(store), records_(records), group_(group) {}

  void Run() {
    Queue();
    all_.get_future().wait();
  }

 private:
  void Queue() {
    // All that the engine's thread looks at is set before the first piece can be done.
    const size_t first = next_;
    next_ = std::min(first + group_, records_.size());
    left_ = next_ - first;
    for (size_t i = first, end = next_; i < end; ++i) {
      store_.Write(
          [record = &records_[i]](StoreTransaction& transaction) {
            if (absl::Status added = transaction.AddCertificate(*record); !added.ok()) {
              return added;
            }
            return transaction.AppendLedger(MakeNote(*record));
          },
          [this](const absl::Status& status) {
            Require(status);
            if (--left_ > 0) return;
            if (next_ < records_.size()) {
              Queue();
            } else {
              all_.set_value();
            }
          });
    }
  }

  Store& store_;
  const std::vector<CertificateRecord>& records_;
  const size_t group_;
  size_t next_ = 0, left_ = 0;
  std::promise<void> all_;
};

// A store with `stored` certificates, made once and used by all benchmarks.
class Fixture {
 public:
  static Fixture& Get() {
    static Fixture fixture;
    return fixture;
  }
  ~Fixture() {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  Store& store() { return *store_; }
  std::vector<CertificateRecord> Make(size_t count) {
    next_ += count;
    return bench::MakeRecords(next_ - count, count, Clock::System().Now());
  }
  std::uint64_t count() const { return next_; }
  std::string path() const { return folder_ + "/store.db"; }

 private:
  Fixture() {
    std::string pattern = folder + "/troth-store-bench-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    auto opened = OpenSqliteStore({.path = path()});
    Require(opened.status());
    store_ = *std::move(opened);
    Require(bench::FillStore(*store_, next_, stored));
    next_ += stored;
  }

  std::string folder_;
  std::unique_ptr<Store> store_;
  std::uint64_t next_ = 0;
};

void DurableCertificate(benchmark::State& state) {
  Fixture& fixture = Fixture::Get();
  const auto group = static_cast<size_t>(state.range(0));
  // Enough for a batch of the index to be written now and then, as it is in life.
  const size_t each = group == 1 ? 512 : 10'240;
  double cpu = 0, wall = 0;
  std::uint64_t count = 0;
  for (auto _ : state) {
    const std::vector<CertificateRecord> records = fixture.Make(each);
    const double cpu_before = ProcessCpuSeconds();
    const auto wall_before = std::chrono::steady_clock::now();
    Pump(fixture.store(), records, group).Run();
    const double spent = ProcessCpuSeconds() - cpu_before;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - wall_before;
    state.SetIterationTime(took.count());
    cpu += spent;
    wall += took.count();
    count += each;
  }
  state.counters["cpu_us"] = cpu * 1e6 / static_cast<double>(count);
  state.counters["wall_us"] = wall * 1e6 / static_cast<double>(count);
  state.counters["stored"] = static_cast<double>(fixture.count());
}
BENCHMARK(DurableCertificate)->Arg(1)->Arg(32)->Arg(256)->UseManualTime()->MinTime(2);

// What a note costs by itself, which DurableCertificate includes.
void MakeLedgerNote(benchmark::State& state) {
  const CertificateRecord record = MakeRecord(1, Clock::System().Now());
  for (auto _ : state) benchmark::DoNotOptimize(MakeNote(record));
}
BENCHMARK(MakeLedgerNote);

template <typename Ask>
void Read(benchmark::State& state, Ask ask) {
  Fixture& fixture = Fixture::Get();
  std::uint64_t number = 0;
  for (auto _ : state) {
    number = (number + 7'919'317) % fixture.count();
    Require(fixture.store().Read([&](StoreReader& reader) { return ask(reader, number); }));
  }
  state.counters["stored"] = static_cast<double>(fixture.count());
}

void UnknownName(benchmark::State& state) {
  Read(state, [](StoreReader& reader, std::uint64_t number) {
    const absl::StatusOr<bool> known = reader.IsNameKnown("new-" + NameOf(number));
    if (known.ok() && *known) Require(absl::InternalError("known"));
    return known.status();
  });
}
BENCHMARK(UnknownName);

void KnownName(benchmark::State& state) {
  Read(state, [](StoreReader& reader, std::uint64_t number) {
    const absl::StatusOr<bool> known = reader.IsNameKnown(NameOf(number));
    if (known.ok() && !*known) Require(absl::InternalError("not known"));
    return known.status();
  });
}
BENCHMARK(KnownName);

void CertificateBySerial(benchmark::State& state) {
  std::vector<SerialNumber> serials;
  Fixture& fixture = Fixture::Get();
  const std::uint64_t step = std::max<std::uint64_t>(1, fixture.count() / 10'000);
  Require(fixture.store().Read([&](StoreReader& reader) {
    std::uint64_t number = 0;
    return reader.VisitCertificates(std::nullopt, [&](const CertificateRecord& record) {
      if (number++ % step == 0) serials.push_back(record.serial);
      return number < 100'000 * step;
    });
  }));
  Read(state, [&](StoreReader& reader, std::uint64_t number) {
    const auto found = reader.FindCertificate(serials[number % serials.size()]);
    if (found.ok() && !found->has_value()) Require(absl::InternalError("not found"));
    return found.status();
  });
}
BENCHMARK(CertificateBySerial);

// Opening and closing a store of which nothing is in memory.
void Open(benchmark::State& state) {
  Fixture& fixture = Fixture::Get();
  for (auto _ : state) Require(OpenSqliteStore({.path = fixture.path()}).status());
  state.counters["stored"] = static_cast<double>(fixture.count());
}
BENCHMARK(Open)->Unit(benchmark::kMillisecond)->UseRealTime();

// Takes --NAME=VALUE out of the arguments.
std::string_view TakeFlag(int& argc, char** argv, std::string_view name) {
  const std::string start = "--" + std::string(name) + "=";
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (!argument.starts_with(start)) continue;
    std::copy(argv + i + 1, argv + argc, argv + i);
    --argc;
    return argument.substr(start.size());
  }
  return {};
}

}  // namespace
}  // namespace troth

int main(int argc, char** argv) {
  if (const std::string_view text = troth::TakeFlag(argc, argv, "stored"); !text.empty()) {
    std::from_chars(text.data(), text.data() + text.size(), troth::stored);
  }
  if (const std::string_view text = troth::TakeFlag(argc, argv, "folder"); !text.empty()) {
    troth::folder = text;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return EXIT_FAILURE;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return EXIT_SUCCESS;
}

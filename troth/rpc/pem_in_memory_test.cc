#include "troth/rpc/pem_in_memory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <thread>

namespace troth {
namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

struct stat StatOf(const std::string& path) {
  struct stat info = {};
  EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
  return info;
}

TEST(PemInMemory, IsReadByItsPathAndHasNoOtherName) {
  auto file = PemInMemory::Create("secret");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(ReadAll((*file)->path()), "secret");
  const struct stat info = StatOf((*file)->path());
  EXPECT_EQ(info.st_nlink, 0U);
  EXPECT_EQ(info.st_mode & 0777U, 0400U);
}

TEST(PemInMemory, ReplacesUnderTheSamePath) {
  auto file = PemInMemory::Create("a longer text than the next");
  ASSERT_TRUE(file.ok());
  const std::string path = (*file)->path();
  ASSERT_TRUE((*file)->Replace("short").ok());
  EXPECT_EQ((*file)->path(), path);
  EXPECT_EQ(ReadAll(path), "short");
}

TEST(PemInMemory, GivesEachTextItsOwnModificationTimeInSeconds) {
  auto file = PemInMemory::Create("0");
  ASSERT_TRUE(file.ok());
  std::set<time_t> times = {StatOf((*file)->path()).st_mtime};
  for (int i = 1; i < 50; ++i) {
    ASSERT_TRUE((*file)->Replace(std::to_string(i)).ok());
    times.insert(StatOf((*file)->path()).st_mtime);
  }
  EXPECT_EQ(times.size(), 50U);
  EXPECT_FALSE(times.contains(0)) << "gRPC takes 0 for a file that is not there";
}

TEST(PemInMemory, NeverShowsAMixtureOrNothing) {
  const std::string a(100'000, 'a');
  const std::string b(50'000, 'b');
  auto file = PemInMemory::Create(a);
  ASSERT_TRUE(file.ok());
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; i < 300; ++i) EXPECT_TRUE((*file)->Replace(i % 2 == 0 ? b : a).ok());
    done = true;
  });
  int reads = 0;
  while (!done || reads == 0) {
    const std::string text = ReadAll((*file)->path());
    ASSERT_TRUE(text == a || text == b) << text.size();
    ++reads;
  }
  writer.join();
}

TEST(PemInMemory, GivesItsPathBackWhenItGoes) {
  auto file = PemInMemory::Create("secret");
  ASSERT_TRUE(file.ok());
  const std::string path = (*file)->path();
  file->reset();
  EXPECT_EQ(ReadAll(path), "");
}

}  // namespace
}  // namespace troth

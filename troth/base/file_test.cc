#include "troth/base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

class FileTest : public ::testing::Test {
 protected:
  FileTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "troth-file-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~FileTest() override { std::filesystem::remove_all(folder_); }

  std::string PathOf(std::string_view name) const { return JoinPath(folder_, name); }
  std::string Put(std::string_view name, std::string_view content) const {
    std::ofstream(PathOf(name), std::ios::binary) << content;
    return PathOf(name);
  }
  static mode_t ModeOf(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(stat(path.c_str(), &info), 0);
    return info.st_mode & 07777;
  }
  size_t CountEntries() const {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_)) ++count;
    return count;
  }

  std::string folder_;
};

std::optional<Reason> ReasonOfReading(const std::string& path, size_t max_bytes = kMaxFileBytes) {
  return ReasonOf(ReadFile(path, max_bytes).status());
}

TEST_F(FileTest, ReadsAFileWhole) {
  const std::string content("a\0b\n\xff", 5);
  const auto read = ReadFile(Put("file", content));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, content);
  const std::string large(1'000'003, 'x');
  EXPECT_EQ(*ReadFile(Put("large", large)), large);
}

TEST_F(FileTest, ReadsWithinItsBound) {
  const std::string path = Put("file", "12345");
  EXPECT_TRUE(ReadFile(path, 5).ok());
  EXPECT_EQ(ReasonOfReading(path, 4), Reason::kFileTooLarge);
  // A sparse file of 100 MB is refused by its size, not read.
  const std::string sparse = Put("sparse", "x");
  std::filesystem::resize_file(sparse, 100 << 20);
  EXPECT_EQ(ReasonOfReading(sparse), Reason::kFileTooLarge);
}

TEST_F(FileTest, AFileWhoseSizeIsNotKnownBeforeIsBoundedToo) {
  // Files of the process file system say that they have no bytes.
  const auto read = ReadFile("/proc/self/status");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->starts_with("Name:"));
  EXPECT_EQ(ReasonOfReading("/proc/self/status", 10), Reason::kFileTooLarge);
}

TEST_F(FileTest, SaysWhyAFileCannotBeRead) {
  EXPECT_EQ(ReasonOfReading(PathOf("missing")), Reason::kFileNotFound);
  EXPECT_EQ(ReasonOfReading(PathOf("missing/file")), Reason::kFileNotFound);
  EXPECT_EQ(ReasonOfReading(Put("file", "x") + "/below"), Reason::kFileNotFound);
  EXPECT_EQ(ReasonOfReading(""), Reason::kFileNotFound);
  EXPECT_EQ(ReasonOfReading(Put("empty", "")), Reason::kFileEmpty);
  EXPECT_EQ(ReasonOfReading(folder_), Reason::kFileNotRegular);
  EXPECT_EQ(ReasonOfReading("/dev/zero"), Reason::kFileNotRegular);
  EXPECT_EQ(ReasonOfReading("/dev/null"), Reason::kFileNotRegular);
  std::filesystem::create_symlink("loop", PathOf("loop"));
  EXPECT_EQ(ReasonOfReading(PathOf("loop")), Reason::kFileUnreadable);
}

TEST_F(FileTest, NeverBlocksOnAPipeOrSocket) {
  const std::string fifo = PathOf("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(ReasonOfReading(fifo), Reason::kFileNotRegular);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  PathOf("socket").copy(address.sun_path, sizeof(address.sun_path) - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(ReasonOfReading(PathOf("socket")), Reason::kFileNotRegular);
  close(fd);
}

TEST_F(FileTest, AFileWithoutPermissionIsUnreadable) {
  const std::string path = Put("file", "x");
  chmod(path.c_str(), 0);
  chmod(FolderOf(path).c_str(), 0755);
  // In a child that is not root, who may read everything.
  const pid_t child = fork();
  if (child == 0) {
    const bool is_root_still = geteuid() == 0 && setuid(65534) != 0;
    _exit(!is_root_still && ReasonOfReading(path) == Reason::kFileUnreadable ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(FileTest, ErrorsNameThePathSafely) {
  const absl::Status status = ReadFile(PathOf("a\nb")).status();
  EXPECT_NE(ToStd(status.message()).find("a\\x0ab"), std::string_view::npos) << status;
}

TEST_F(FileTest, WritesWithTheExactModeWhateverTheUmask) {
  const mode_t before = umask(0077);
  EXPECT_TRUE(WriteFile(PathOf("public"), "x", {.mode = 0644}).ok());
  umask(0);
  EXPECT_TRUE(WriteFile(PathOf("private"), "x", {.mode = 0600}).ok());
  umask(before);
  EXPECT_EQ(ModeOf(PathOf("public")), 0644U);
  EXPECT_EQ(ModeOf(PathOf("private")), 0600U);
  EXPECT_EQ(CountEntries(), 2U) << "no temporary file is left";
}

TEST_F(FileTest, DoesNotOverwriteUnlessTold) {
  const std::string path = PathOf("file");
  ASSERT_TRUE(WriteFile(path, "old", {}).ok());
  EXPECT_EQ(ReasonOf(WriteFile(path, "new", {})), Reason::kFileExists);
  EXPECT_EQ(*ReadFile(path), "old");
  ASSERT_TRUE(WriteFile(path, "new", {.overwrite = Overwrite::kReplace}).ok());
  EXPECT_EQ(*ReadFile(path), "new");
  EXPECT_EQ(CountEntries(), 1U);
}

TEST_F(FileTest, ALinkThatLeadsNowhereIsNotOverwrittenEither) {
  std::filesystem::create_symlink(PathOf("target"), PathOf("link"));
  EXPECT_EQ(ReasonOf(WriteFile(PathOf("link"), "x", {})), Reason::kFileExists);
  EXPECT_FALSE(FileExists(PathOf("target")));
}

TEST_F(FileTest, OfManyWhoWriteAtOnceWithoutOverwritingOneWins) {
  for (int round = 0; round < 20; ++round) {
    const std::string path = PathOf("file" + std::to_string(round));
    std::atomic<int> written{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        const absl::Status status = WriteFile(path, std::to_string(i), {});
        if (status.ok()) {
          ++written;
        } else {
          EXPECT_EQ(ReasonOf(status), Reason::kFileExists);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(written, 1);
  }
  EXPECT_EQ(CountEntries(), 20U);
}

TEST_F(FileTest, AReaderSeesTheOldFileOrTheNewOneWhole) {
  const std::string path = PathOf("file");
  const std::string a(200'000, 'a');
  const std::string b(100'000, 'b');
  ASSERT_TRUE(WriteFile(path, a, {}).ok());
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (int i = 0; i < 50; ++i) {
      EXPECT_TRUE(WriteFile(path, i % 2 == 0 ? b : a, {.overwrite = Overwrite::kReplace}).ok());
    }
    done = true;
  });
  int reads = 0;
  while (!done || reads == 0) {
    const auto read = ReadFile(path);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_TRUE(*read == a || *read == b) << read->size();
    ++reads;
  }
  writer.join();
}

TEST_F(FileTest, WhatIsPreparedHoldsFromTheFirstMomentOn) {
  const std::string path = Put("file", "old");
  const auto prepare = [&](int descriptor) {
    EXPECT_EQ(*ReadFile(path), "old");  // not yet in place
    const timespec times[2] = {{.tv_sec = 5, .tv_nsec = 0},
                               {.tv_sec = 1'000'000'000, .tv_nsec = 0}};
    return futimens(descriptor, times) == 0 ? 0 : errno;
  };
  ASSERT_TRUE(WriteFile(path, "new", {.overwrite = Overwrite::kReplace, .prepare = prepare}).ok());
  EXPECT_EQ(*ReadFile(path), "new");
  EXPECT_EQ(VersionOf(path)->modified_ns, 1'000'000'000'000'000'000);
}

TEST_F(FileTest, WhatCannotBePreparedIsNotWritten) {
  const std::string path = Put("file", "old");
  const auto refuse = [](int /*descriptor*/) { return EPERM; };
  EXPECT_EQ(ReasonOf(WriteFile(path, "new", {.overwrite = Overwrite::kReplace, .prepare = refuse})),
            Reason::kFileWriteFailed);
  EXPECT_EQ(*ReadFile(path), "old");
  EXPECT_EQ(CountEntries(), 1u);
}

TEST_F(FileTest, SaysWhyAFileCannotBeWritten) {
  EXPECT_EQ(ReasonOf(WriteFile(PathOf("missing/file"), "x", {})), Reason::kFileWriteFailed);
  std::filesystem::create_directory(PathOf("folder"));
  EXPECT_EQ(ReasonOf(WriteFile(PathOf("folder"), "x", {.overwrite = Overwrite::kReplace})),
            Reason::kFileWriteFailed);
  EXPECT_EQ(ReasonOf(WriteFile(PathOf("folder"), "x", {})), Reason::kFileExists);
  EXPECT_EQ(CountEntries(), 1U) << "no temporary file is left";
}

TEST_F(FileTest, MakesAFolderAndItsParents) {
  const std::string path = PathOf("a/b/c");
  EXPECT_TRUE(MakeFolder(path, 0700).ok());
  EXPECT_EQ(ModeOf(path), 0700U);
  EXPECT_TRUE(MakeFolder(path).ok()) << "one that is there is fine";
  EXPECT_TRUE(MakeFolder(path + "/").ok());
  EXPECT_TRUE(MakeFolder(PathOf("d/")).ok());
  EXPECT_TRUE(std::filesystem::is_directory(PathOf("d")));
  EXPECT_EQ(ReasonOf(MakeFolder(Put("file", "x"))), Reason::kFileWriteFailed);
  EXPECT_EQ(ReasonOf(MakeFolder(PathOf("file/below"))), Reason::kFileWriteFailed);
}

TEST(PathTest, FolderOfAPath) {
  EXPECT_EQ(FolderOf("a/b/c.pem"), "a/b");
  EXPECT_EQ(FolderOf("c.pem"), ".");
  EXPECT_EQ(FolderOf("/c.pem"), "/");
  EXPECT_EQ(FolderOf("/a/c.pem"), "/a");
}

TEST(PathTest, JoinsPaths) {
  EXPECT_EQ(JoinPath("a", "b"), "a/b");
  EXPECT_EQ(JoinPath("a/", "b"), "a/b");
  EXPECT_EQ(JoinPath("", "b"), "b");
  EXPECT_EQ(JoinPath("a", "/b"), "/b");
}

TEST_F(FileTest, ItsVersionDiffersAfterEveryChange) {
  EXPECT_EQ(VersionOf(PathOf("file")), std::nullopt);
  const std::string path = Put("file", "x");
  auto last = VersionOf(path);
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(VersionOf(path), last);
  const auto changed = [&](const char* how) {
    const auto now = VersionOf(path);
    EXPECT_NE(now, last) << how;
    last = now;
  };
  ASSERT_TRUE(WriteFile(path, "x", {.overwrite = Overwrite::kReplace}).ok());
  changed("rewritten with the same content");
  Put("file", "yy");
  changed("rewritten in place");
  chmod(path.c_str(), 0600);
  changed("mode");
  const timespec times[2] = {{.tv_sec = 1, .tv_nsec = 0}, {.tv_sec = 1, .tv_nsec = 0}};
  utimensat(AT_FDCWD, path.c_str(), times, 0);
  changed("touched");
  // A link that is switched to another file, as Kubernetes does it.
  Put("other", "yy");
  std::filesystem::remove(path);
  std::filesystem::create_symlink(PathOf("other"), path);
  changed("switched");
}

TEST(ModeTest, OpenToOthersIsWhatGroupOrOthersMayReadOrWrite) {
  for (const mode_t mode : {0600U, 0400U, 0700U, 0100600U}) EXPECT_FALSE(IsOpenToOthers(mode));
  for (const mode_t mode : {0640U, 0604U, 0644U, 0620U, 0602U}) EXPECT_TRUE(IsOpenToOthers(mode));
}

}  // namespace
}  // namespace troth

#include "examples/sping/sequence_counter.h"

#include <gtest/gtest.h>

namespace troth::sping {
namespace {

TEST(SequenceCounter, CountsEachSenderByItself) {
  SequenceCounter counter;
  EXPECT_EQ(counter.Count("a", 1), 1);
  EXPECT_EQ(counter.Count("a", 2), 2);
  EXPECT_EQ(counter.Count("b", 1), 1);
  EXPECT_EQ(counter.Count("a", 3), 3);
  EXPECT_EQ(counter.Count("b", 2), 2);
}

TEST(SequenceCounter, TheFirstOfARunBeginsAnew) {
  SequenceCounter counter;
  counter.Count("a", 1);
  counter.Count("a", 2);
  EXPECT_EQ(counter.Count("a", 1), 1);
}

TEST(SequenceCounter, CountsWhatArrivesNotWhatTheSenderSays) {
  SequenceCounter counter;
  counter.Count("a", 1);
  EXPECT_EQ(counter.Count("a", 7), 2);
  EXPECT_EQ(counter.Count("a", 0), 3);
  EXPECT_EQ(counter.Count("a", -1), 4);
  EXPECT_EQ(counter.Count("never heard of", 5), 1);
}

TEST(SequenceCounter, ForgetsTheSenderThatWasSilentLongest) {
  SequenceCounter counter;
  counter.Count("kept", 1);
  counter.Count("forgotten", 1);
  for (size_t i = 0; i < SequenceCounter::kMostSenders - 2; ++i) {
    counter.Count("sender " + std::to_string(i), 1);
  }
  counter.Count("kept", 2);
  EXPECT_EQ(counter.senders(), SequenceCounter::kMostSenders);
  counter.Count("one more", 1);
  EXPECT_EQ(counter.senders(), SequenceCounter::kMostSenders);
  EXPECT_EQ(counter.Count("kept", 3), 3);
  EXPECT_EQ(counter.Count("forgotten", 2), 1);
}

}  // namespace
}  // namespace troth::sping

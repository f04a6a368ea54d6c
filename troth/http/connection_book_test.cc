#include <gtest/gtest.h>

#include "troth/http/connection_book_internal.h"

namespace troth {
namespace {

using Room = ConnectionBook::Room;

TEST(ConnectionBookTest, ConnectionsGoToTheThreadWithTheFewest) {
  ConnectionBook book(3, 100, 100);
  for (const size_t expected : {0U, 1U, 2U, 0U, 1U}) {
    const auto admission = book.Admit("a");
    EXPECT_EQ(admission.thread, expected);
    EXPECT_EQ(admission.room, Room::kThere);
  }
  book.Leave(1, "a");
  book.Leave(1, "a");
  EXPECT_EQ(book.Admit("b").thread, 1U);
  EXPECT_EQ(book.open(), 4U);
}

TEST(ConnectionBookTest, AFullServerMakesRoomWhereOneHasWaitedLongest) {
  ConnectionBook book(2, 2, 100);
  book.Admit("a");
  book.Admit("b");
  EXPECT_EQ(book.ThreadOfOldest(), std::nullopt);
  EXPECT_EQ(book.Admit("c").room, Room::kCloseOldest);
  book.Leave(0, "c");
  book.SetOldestWaiting(0, 20);
  book.SetOldestWaiting(1, 10);
  const auto admission = book.Admit("c");
  EXPECT_EQ(admission.thread, 1U);
  EXPECT_EQ(admission.room, Room::kCloseOldest);
  book.SetOldestWaiting(1, ConnectionBook::kNobody);
  EXPECT_EQ(book.ThreadOfOldest(), 0U);
}

TEST(ConnectionBookTest, AFullAddressMakesRoomAmongItsOwn) {
  ConnectionBook book(2, 100, 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(book.Admit("a").room, Room::kThere);
  const auto admission = book.Admit("a");
  EXPECT_EQ(admission.room, Room::kCloseOldestOfGroup);
  EXPECT_EQ(admission.thread, 0U);  // it has two of the three
  EXPECT_EQ(book.Admit("b").room, Room::kThere);
  book.Leave(0, "a");
  book.Leave(0, "a");
  EXPECT_EQ(book.Admit("a").room, Room::kThere);
}

TEST(ConnectionBookTest, UnixSocketsHaveNoAddressToCount) {
  ConnectionBook book(1, 100, 1);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(book.Admit("").room, Room::kThere);
  for (int i = 0; i < 5; ++i) book.Leave(0, "");
  EXPECT_EQ(book.open(), 0U);
}

}  // namespace
}  // namespace troth

#include "troth/base/reason.h"
#include "troth/http/server_core_internal.h"

namespace troth {
namespace {

class Token {
 public:
  Token(std::shared_ptr<Mailbox> mailbox, std::shared_ptr<Exchange> exchange)
      : mailbox_(std::move(mailbox)), exchange_(std::move(exchange)) {}
  Token(const Token&) = delete;
  Token& operator=(const Token&) = delete;
  ~Token() {
    if (answered_.load()) return;
    Give(ProblemResponse(MakeError(Reason::kInternal, "the request was dropped unanswered")));
  }

  void Give(HttpResponse response) {
    if (answered_.exchange(true)) return;
    if (Mailbox::OfThisThread() == mailbox_.get() && exchange_->in_handler) {
      exchange_->answer = std::move(response);
    } else {
      mailbox_->Push(Answer{.exchange = exchange_, .response = std::move(response)});
    }
  }

 private:
  const std::shared_ptr<Mailbox> mailbox_;
  const std::shared_ptr<Exchange> exchange_;
  std::atomic<bool> answered_{false};
};

}  // namespace

bool Mailbox::Push(Message message) {
  const std::lock_guard lock(mutex_);
  if (!wake_) return false;
  messages_.push_back(std::move(message));
  // Under the lock: what it wakes must not go before it is woken.
  if (messages_.size() == 1) wake_();
  return true;
}

std::vector<Message> Mailbox::TakeAll() {
  const std::lock_guard lock(mutex_);
  return std::exchange(messages_, {});
}

void Mailbox::Close() {
  std::vector<Message> lost;  // may answer, and so push, when they go
  const std::lock_guard lock(mutex_);
  wake_ = nullptr;
  lost.swap(messages_);
}

const Mailbox*& Mailbox::OfThisThread() {
  thread_local const Mailbox* mailbox = nullptr;
  return mailbox;
}

HttpRespond MakeRespond(std::shared_ptr<Mailbox> mailbox, std::shared_ptr<Exchange> exchange) {
  auto token = std::make_shared<Token>(std::move(mailbox), std::move(exchange));
  return [token](HttpResponse response) { token->Give(std::move(response)); };
}

}  // namespace troth

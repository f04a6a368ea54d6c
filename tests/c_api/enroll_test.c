/* The C interface, as a program in C uses it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_authority.h"
#include "troth/enroll/enroll.h"

static int failures = 0;

#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition)) {                                                        \
      fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition); \
      ++failures;                                                              \
    }                                                                          \
  } while (0)

static int contains(const char* text, const char* part) { return strstr(text, part) != NULL; }

/* From nothing to a certificate, and on with what was kept. */
static void enrols_and_resumes(void) {
  troth_enroll_error error;
  troth_enroller* enroller = fake_enroller(&error);
  CHECK(enroller != NULL);
  CHECK(strcmp(error.reason, "") == 0);
  char digest[65];
  CHECK(troth_enroller_request_digest(enroller, digest) == -1);
  CHECK(strcmp(digest, "") == 0);

  CHECK(troth_enroller_step(enroller, &error) == TROTH_ENROLL_SERVER_LEARNED);
  CHECK(troth_enroller_pause_ms(enroller) == 0);
  CHECK(troth_enroller_step(enroller, &error) == TROTH_ENROLL_REQUEST_MADE);
  CHECK(troth_enroller_pause_ms(enroller) == 0);
  CHECK(troth_enroller_request_digest(enroller, digest) == 0);
  CHECK(strlen(digest) == 64);
  CHECK(troth_enroller_step(enroller, NULL) == TROTH_ENROLL_WAITING);
  const uint32_t first = troth_enroller_pause_ms(enroller);
  CHECK(first >= 739 && first <= 1001);
  CHECK(troth_enroller_step(enroller, &error) == TROTH_ENROLL_WAITING);
  CHECK(troth_enroller_pause_ms(enroller) > first);

  troth_enroll_kept* kept = troth_enroller_keep(enroller);
  CHECK(contains(troth_enroll_kept_private_key(kept), "-----BEGIN PRIVATE KEY-----"));
  CHECK(contains(troth_enroll_kept_request(kept), "-----BEGIN CERTIFICATE REQUEST-----"));
  CHECK(strcmp(troth_enroll_kept_chain(kept), "") == 0);
  CHECK(troth_enroll_kept_not_after(kept) == 0);
  troth_enroller_free(enroller);

  enroller = fake_enroller_again(&error);
  CHECK(troth_enroller_resume(enroller, troth_enroll_kept_private_key(kept),
                              troth_enroll_kept_request(kept), NULL, &error) == 0);
  troth_enroll_kept_free(kept);
  char same[65];
  CHECK(troth_enroller_request_digest(enroller, same) == 0);
  CHECK(strcmp(same, digest) == 0);
  fake_authority_approves();
  CHECK(troth_enroller_step(enroller, &error) == TROTH_ENROLL_SERVER_LEARNED);
  CHECK(troth_enroller_step(enroller, &error) == TROTH_ENROLL_ISSUED);

  kept = troth_enroller_keep(enroller);
  CHECK(contains(troth_enroll_kept_chain(kept), "-----BEGIN CERTIFICATE-----"));
  CHECK(contains(troth_enroll_kept_trust_bundle(kept), "-----BEGIN CERTIFICATE-----"));
  CHECK(troth_enroll_kept_not_after(kept) > troth_enroll_kept_due(kept));
  CHECK(troth_enroll_kept_due(kept) > 0);
  CHECK(troth_enroller_step(enroller, &error) == TROTH_ENROLL_UNCHANGED);
  /* The key of a valid certificate is not given up. */
  CHECK(troth_enroller_start_over(enroller, &error) == -1);
  CHECK(strcmp(error.reason, "request_state") == 0);
  troth_enroll_kept_free(kept);
  troth_enroller_free(enroller);
}

static void starts_over_after_a_rejection(void) {
  troth_enroll_error error;
  troth_enroller* enroller = fake_enroller(&error);
  while (troth_enroller_step(enroller, &error) != TROTH_ENROLL_WAITING) {
  }
  char before[65];
  char after[65];
  CHECK(troth_enroller_request_digest(enroller, before) == 0);
  fake_authority_rejects();
  CHECK(troth_enroller_step(enroller, &error) == TROTH_ENROLL_REJECTED);
  CHECK(strcmp(troth_enroller_rejection(enroller), "not one of ours") == 0);
  CHECK(troth_enroller_start_over(enroller, &error) == 0);
  CHECK(troth_enroller_request_digest(enroller, after) == -1);
  CHECK(troth_enroller_step(enroller, &error) == TROTH_ENROLL_REQUEST_MADE);
  CHECK(troth_enroller_request_digest(enroller, after) == 0);
  CHECK(strcmp(before, after) != 0);
  troth_enroller_free(enroller);
}

static void tells_errors(void) {
  troth_enroll_error error;
  troth_enroller* enroller = fake_enroller(&error);
  fake_authority_hides(1);
  CHECK(troth_enroller_step(enroller, &error) == TROTH_ENROLL_FAILED);
  CHECK(strcmp(error.reason, "connection_failed") == 0);
  CHECK(contains(error.message, "refused"));
  CHECK(troth_enroll_error_is_passing(&error));
  CHECK(troth_enroller_pause_ms(enroller) > 0);
  fake_authority_hides(0);
  CHECK(troth_enroller_step(enroller, &error) == TROTH_ENROLL_SERVER_LEARNED);
  CHECK(strcmp(error.reason, "") == 0 && strcmp(error.message, "") == 0);
  CHECK(troth_enroller_resume(enroller, "garbage", NULL, NULL, &error) == -1);
  CHECK(strcmp(error.reason, "key_malformed") == 0);
  CHECK(!troth_enroll_error_is_passing(&error));
  troth_enroller_free(enroller);
  troth_enroller_free(NULL);
  troth_enroll_kept_free(NULL);
}

/* What is wrong with options is said before anything is sent. */
static void checks_options(void) {
  static const char* const bad_names[] = {"a b"};
  static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
  troth_enroll_error error;
  troth_enroll_options good;
  troth_enroll_options_init(&good);
  good.server = "ca.example.com";
  good.client_id = "phone-7";
  good.root_fingerprint = zeros;
  troth_enroller* enroller = troth_enroller_new(&good, &error);
  CHECK(enroller != NULL);
  troth_enroller_free(enroller);

  for (int i = 0; i < 10; ++i) {
    troth_enroll_options bad = good;
    const char* reason = "usage_error";
    switch (i) {
      case 0:
        bad.size = 0;
        break;
      case 1:
        bad.server = NULL;
        break;
      case 2:
        bad.server = "http://ca.example.com";
        break;
      case 3:
        bad.client_id = "";
        break;
      case 4:
        bad.root_fingerprint = NULL;
        break; /* nobody to believe */
      case 5:
        bad.root_fingerprint = "12";
        break;
      case 6:
        bad.system_trust = 1;
        break; /* two ways to believe */
      case 7:
        bad.key_type = "rsa1024";
        break;
      case 8:
        bad.token = "nonsense";
        reason = "token_invalid";
        break;
      case 9:
        bad.more_names = bad_names;
        bad.more_names_count = 1;
        reason = "request_malformed";
        break;
    }
    CHECK(troth_enroller_new(&bad, &error) == NULL);
    if (strcmp(error.reason, reason) != 0) {
      fprintf(stderr, "case %d: expected %s, got %s: %s\n", i, reason, error.reason, error.message);
      ++failures;
    }
    CHECK(troth_enroller_new(&bad, NULL) == NULL);
  }
}

/* What must not be null and is, is a mistake that is told, and no crash. */
static void takes_null(void) {
  troth_enroll_error error;
  troth_enroll_options options;
  char digest[65];
  troth_enroll_options_init(NULL);
  CHECK(troth_enroller_new(NULL, &error) == NULL);
  CHECK(strcmp(error.reason, "usage_error") == 0);
  CHECK(troth_enroller_new(NULL, NULL) == NULL);
  troth_enroll_options_init(&options);
  options.server = "ca.example.com";
  options.client_id = "phone-7";
  options.system_trust = 1;
  options.more_names_count = 2;
  CHECK(troth_enroller_new(&options, &error) == NULL);
  CHECK(strcmp(error.reason, "usage_error") == 0);

  CHECK(troth_enroller_step(NULL, &error) == TROTH_ENROLL_FAILED);
  CHECK(strcmp(error.reason, "usage_error") == 0);
  CHECK(troth_enroller_resume(NULL, NULL, NULL, NULL, &error) == -1);
  CHECK(strcmp(error.reason, "usage_error") == 0);
  error.reason[0] = '\0';
  CHECK(troth_enroller_start_over(NULL, &error) == -1);
  CHECK(strcmp(error.reason, "usage_error") == 0);
  CHECK(troth_enroller_pause_ms(NULL) == 0);
  CHECK(troth_enroll_error_is_passing(NULL) == 0);
  CHECK(troth_enroller_request_digest(NULL, digest) == -1);
  CHECK(strcmp(digest, "") == 0);
  CHECK(strcmp(troth_enroller_rejection(NULL), "") == 0);
  CHECK(troth_enroller_keep(NULL) == NULL);
  CHECK(strcmp(troth_enroll_kept_private_key(NULL), "") == 0);
  CHECK(strcmp(troth_enroll_kept_request(NULL), "") == 0);
  CHECK(strcmp(troth_enroll_kept_chain(NULL), "") == 0);
  CHECK(strcmp(troth_enroll_kept_trust_bundle(NULL), "") == 0);
  CHECK(troth_enroll_kept_not_after(NULL) == 0);
  CHECK(troth_enroll_kept_due(NULL) == 0);

  troth_enroller* enroller = fake_enroller(&error);
  CHECK(troth_enroller_request_digest(enroller, NULL) == -1);
  troth_enroller_free(enroller);
}

int main(void) {
  enrols_and_resumes();
  starts_over_after_a_rejection();
  tells_errors();
  checks_options();
  takes_null();
  if (failures == 0) puts("ok");
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

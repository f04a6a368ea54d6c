/* Enrolment for C: obtains a certificate from an authority and renews it, in memory only. Key,
 * certificate and trust bundle are the caller's to keep, in a key chain or a database.
 *
 * The same as troth/enroll/enroller.h, where every word is explained. No function throws, logs or
 * writes a file. A handle is for one thread at a time. Texts are UTF-8 and end with a zero byte;
 * those that functions return belong to the handle that they were asked of.
 */
#ifndef TROTH_ENROLL_ENROLL_H_
#define TROTH_ENROLL_ENROLL_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What went wrong. Both texts are empty after a success. */
typedef struct troth_enroll_error {
  char reason[48];    /* stable code, such as "connection_failed": docs/troubleshooting.md */
  char message[1024]; /* for people; cut when it is longer */
} troth_enroll_error;

/* What is not set is zero. `size` is set by troth_enroll_options_init. */
typedef struct troth_enroll_options {
  size_t size;
  const char* server;    /* "ca.example.com:8443" */
  const char* client_id; /* the name to be certified */
  const char* const* more_names;
  size_t more_names_count;
  const char* key_type; /* "p256" (default), "p384", "ed25519", "rsa2048", "rsa3072", "rsa4096" */
  /* Whom to believe. One of these three, or a token; there is no trust on first use. */
  const char* trust_bundle_pem; /* the CA's certificate */
  const char* root_fingerprint; /* its SHA-256: 64 hexadecimal digits */
  int system_trust;             /* not 0: the CAs of the system */
  const char* token;            /* enrolment token */
  int caramel;                  /* not 0: a Caramel server; 0: found out */
  const char* profile;
  const char* user_agent;
  const char* server_name; /* expected in place of the server's host */
  uint32_t timeout_ms;     /* of a step; 0: 30 s */
  uint32_t renew_before_s; /* before the end; 0: a third of the lifetime */
} troth_enroll_options;

/* Zero everywhere but in `size`. */
void troth_enroll_options_init(troth_enroll_options* options);

/* What a step did, and what to do then. */
typedef enum troth_enroll_step {
  TROTH_ENROLL_FAILED = -1,        /* see the error; the state is what it was */
  TROTH_ENROLL_SERVER_LEARNED = 0, /* step again at once */
  TROTH_ENROLL_REQUEST_MADE = 1,   /* keep key and request, then step again: it is sent */
  TROTH_ENROLL_FORGOTTEN = 2,      /* step again at once: the request is sent again */
  TROTH_ENROLL_WAITING = 3,        /* the authority has to decide: pause, then step again */
  TROTH_ENROLL_ISSUED = 4,         /* there is a new certificate: keep it */
  TROTH_ENROLL_UNCHANGED = 5,      /* there is a certificate, and nothing newer */
  TROTH_ENROLL_REJECTED = 6        /* the authority said no; start over, after a while */
} troth_enroll_step;

typedef struct troth_enroller troth_enroller;

/* A new enroller, to be freed with troth_enroller_free; null and an error when it cannot be. The
 * options are copied. `error` may be null, here and everywhere; where anything else is null that
 * must not be, the answer is a failure (usage_error), null, "" or 0. */
troth_enroller* troth_enroller_new(const troth_enroll_options* options, troth_enroll_error* error);
/* Null is fine. Wipes the key. */
void troth_enroller_free(troth_enroller* enroller);

/* Takes up what was kept of an earlier enroller, before the first step; any of the texts may be
 * null or empty. 0, or -1 and an error. */
int troth_enroller_resume(troth_enroller* enroller, const char* private_key_pem,
                          const char* request_pem, const char* chain_pem,
                          troth_enroll_error* error);

/* Does the next thing: at most one exchange with the server, within the timeout. */
troth_enroll_step troth_enroller_step(troth_enroller* enroller, troth_enroll_error* error);
/* How long to wait before the next step: 0 when the last one says "at once", else growing with
 * every attempt, with jitter, and as long as the server asks. Each call is for one step. */
uint32_t troth_enroller_pause_ms(troth_enroller* enroller);
/* Not 0 when the same step may go well later without anyone doing something about it. */
int troth_enroll_error_is_passing(const troth_enroll_error* error);

/* SHA-256 of the request in 64 hexadecimal digits, for an operator to compare: 0, or -1 when there
 * is no request yet. */
int troth_enroller_request_digest(const troth_enroller* enroller, char digest[65]);
/* Why the request was rejected; "" when nobody said. */
const char* troth_enroller_rejection(const troth_enroller* enroller);
/* Gives up key and request: 0, or -1 and an error (a certificate for them is still valid). */
int troth_enroller_start_over(troth_enroller* enroller, troth_enroll_error* error);

/* What there is to keep now, a copy. */
typedef struct troth_enroll_kept troth_enroll_kept;

/* To be freed with troth_enroll_kept_free; null when memory is short. */
troth_enroll_kept* troth_enroller_keep(const troth_enroller* enroller);
/* Null is fine. Wipes the key. */
void troth_enroll_kept_free(troth_enroll_kept* kept);

/* PEM; "" as long as there is none. */
const char* troth_enroll_kept_private_key(const troth_enroll_kept* kept);
const char* troth_enroll_kept_request(const troth_enroll_kept* kept);
const char* troth_enroll_kept_chain(const troth_enroll_kept* kept); /* leaf first */
const char* troth_enroll_kept_trust_bundle(const troth_enroll_kept* kept);
/* Seconds since 1970; 0 as long as there is no certificate. */
int64_t troth_enroll_kept_not_after(const troth_enroll_kept* kept);
int64_t troth_enroll_kept_due(const troth_enroll_kept* kept); /* when to ask for the next one */

#ifdef __cplusplus
}
#endif

#endif /* TROTH_ENROLL_ENROLL_H_ */

/* An authority in the same process, for programs in C. */
#ifndef TROTH_TESTS_C_API_FAKE_AUTHORITY_H_
#define TROTH_TESTS_C_API_FAKE_AUTHORITY_H_

#include "troth/enroll/enroll.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A new enroller for the client "phone-7" at a new authority, which has not decided anything yet.
 */
troth_enroller* fake_enroller(troth_enroll_error* error);
/* Another one at the same authority. */
troth_enroller* fake_enroller_again(troth_enroll_error* error);
void fake_authority_approves(void);
void fake_authority_rejects(void);
/* From now on, or no longer, it cannot be reached. */
void fake_authority_hides(int hides);

#ifdef __cplusplus
}
#endif

#endif /* TROTH_TESTS_C_API_FAKE_AUTHORITY_H_ */

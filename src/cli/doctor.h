/* cli: what doctor concludes: which sources of attribution work here, why not, what helps. */
#ifndef WW_DOCTOR_H
#define WW_DOCTOR_H

#include "touch.h"

#include <whichworker/buf.h>
#include <whichworker/examine.h>

#define DOCTOR_REMEDIES_MAX 4
#define DOCTOR_USER         64

enum doctor_works { DOCTOR_YES, DOCTOR_PARTLY, DOCTOR_NO, DOCTOR_NOT_KNOWN };

/* Either may be empty. Owns both. */
struct doctor_remedy {
    struct ww_buf text;
    struct ww_buf command; /* for a shell, quoted where it must be */
};

struct doctor_source {
    const char *name;
    enum doctor_works works;
    struct ww_buf why; /* one sentence */
    struct doctor_remedy remedy[DOCTOR_REMEDIES_MAX];
    size_t remedies;
};

enum { DOCTOR_KERNEL, DOCTOR_PRELOAD, DOCTOR_HEADER, DOCTOR_SOURCES };

struct doctor_input {
    const struct ww_exam *exam;
    const struct touch *touch;
    ww_str upstream; /* as the user wrote it */
    bool has_run;    /* this program has the command `run`… */
    bool has_header; /* … and the option --worker-header */
};

/* Release with doctor_release. */
struct doctor {
    int status; /* the exit status: 0, 1 or 2 */
    struct doctor_source source[DOCTOR_SOURCES];
    size_t serving;  /* processes that take connections, as far as they are seen */
    size_t readable; /* of them */
};

void doctor_judge(const struct doctor_input *in, struct doctor *out);
void doctor_release(struct doctor *d);

/* "works", "partly", "fails", "unknown". */
const char *doctor_verdict(const struct doctor *d);

/* The name of a user, or the number. */
void doctor_user(uint32_t uid, char out[DOCTOR_USER]);

/* As text, or as JSON; width 0: not a terminal. */
void doctor_text(const struct doctor_input *in, const struct doctor *d, bool colour,
                 unsigned width, struct ww_buf *out);
void doctor_json(const struct doctor_input *in, const struct doctor *d, struct ww_buf *out);

#endif

/* cli: thresholds that a run must meet beside its findings: "coverage>=0.99". */
#ifndef WW_REQUIRE_H
#define WW_REQUIRE_H

#include <whichworker/buf.h>
#include <whichworker/judge.h>

#define REQUIREMENTS_MAX 32

enum relation { AT_LEAST, MORE_THAN, AT_MOST, LESS_THAN, EXACTLY };

struct requirement {
    ww_str text; /* as the user wrote it; borrowed */
    size_t metric;
    enum relation relation;
    double bound;
};

/* Zeroed: none. */
struct requirements {
    struct requirement one[REQUIREMENTS_MAX];
    size_t n;
};

/* Adds those of a list, "coverage>=0.99,sessions>=5". Borrows the list. */
int requirements_add(struct requirements *r, ww_str list, struct ww_err *err);

/*
 * A bound from below that is not reached means that too little was seen: nothing can be
 * concluded. One from above that is passed means that there was too much of something: that is
 * a failure. "==" is both.
 */
enum requirement_result { REQUIREMENT_MET, REQUIREMENT_SHORT, REQUIREMENT_PASSED };

/* The value that it was held against goes into out_actual: "0.97", "3", "unknown". */
enum requirement_result requirement_judge(const struct requirement *r,
                                          const struct ww_verdict *v, char out_actual[24]);

/* "coverage, exchanges, …": all names, for a manual. */
void requirement_names(struct ww_buf *out);

#endif

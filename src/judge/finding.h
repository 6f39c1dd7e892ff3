/* judge: how a rule says what it found: claims, that become findings. */
#ifndef WW_JUDGE_FINDING_H
#define WW_JUDGE_FINDING_H

#include "model.h"

#define WW_WITNESS_MAX 4

/*
 * One fault, as a rule hands it in. Claims of the same guarantee, cause, method and route are
 * one finding; the strongest of them is its witness. Slices are in the model's arena.
 */
struct claim {
    enum ww_guarantee guarantee;
    enum ww_grade grade;
    enum ww_cause cause;
    size_t step; /* that showed the fault */
    ww_str message;
    ww_str place; /* as in struct ww_finding */
    struct ww_table table;
    struct ww_evidence evidence[WW_WITNESS_MAX];
    size_t evidences;
    uint64_t occurrences;
    bool whoever; /* it holds whoever asked: a weak key of the session takes nothing from it */
    unsigned telling; /* of two equally strong claims the more telling one is the witness */
};

void ww_claim(struct model *m, const struct claim *c);

/* Adds a step to the witness, in order of time; a step that is there already is not repeated.
 */
void ww_claim_witness(struct claim *c, const struct model *m, size_t step, const char *role,
                      ww_str value);

/* "POST /cars/add on worker 51463", in the arena. */
ww_str ww_step_words(struct model *m, size_t step);

/* A word as a message may quote it: not too long. */
ww_str ww_quotable(struct model *m, uint32_t word);

/* Whether `later` began after everything before `step` had ended and its predecessor is gone.
 */
bool ww_restarted_since(const struct model *m, size_t before, size_t step);

/* Whether a finding of this cause and strength, or a stronger one, is about this step's route.
 */
bool ww_already_found(const struct model *m, size_t step, enum ww_cause cause,
                      enum ww_grade grade);

/* Orders the findings, numbers them, and writes their ids. */
void ww_findings_settle(struct model *m);

#endif

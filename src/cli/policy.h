/* cli: what a run is held against beyond the judge: thresholds, and what is known already. */
#ifndef WW_POLICY_H
#define WW_POLICY_H

#include "baseline.h"
#include "config.h"

/* What it takes; all borrowed while the policy lives. */
struct policy_input {
    const struct config *config;
    const struct baseline *baseline; /* NULL: none */
    ww_str trouble;                  /* why the run is not whole; absent: it is */
    size_t ready;                    /* workers that were there to serve; 0: not known */
    int64_t now_us;
};

/* Owns its arrays and texts. */
struct policy {
    struct ww_verdict verdict; /* the judge's, with the value, reasons and marks of the policy;
                                  the rest is borrowed from it */
    struct ww_report_policy report;
    struct ww_report_standing *standing;
    struct ww_report_requirement *requirement;
    char (*actual)[24];
    struct ww_buf notes; /* lines: entries of the baseline that want to be looked at */
    struct ww_buf why;
};

void policy_apply(const struct policy_input *in, const struct ww_verdict *v,
                  struct policy *out);
void policy_release(struct policy *p);

#endif

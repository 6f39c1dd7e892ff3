/* report: what a trace has put to the test: for each guarantee the routes that sessions went
 * over.
 */
#ifndef WW_REPORT_TRIALS_H
#define WW_REPORT_TRIALS_H

#include <whichworker/judge.h>

#define WW_NO_FINDING SIZE_MAX
#define WW_NO_ROUTE   SIZE_MAX

/*
 * One pair of routes under one guarantee: of read-your-writes, a write and a later read of the
 * same session; of the others one route, which a session used again (`from` is WW_NO_ROUTE).
 * Counted are exchanges that came one after the other, both on a known worker.
 */
struct ww_trial {
    enum ww_guarantee guarantee;
    size_t from;
    size_t to;
    uint64_t changed; /* the worker had changed in between */
    uint64_t same;
    size_t finding; /* the worst one that says so; WW_NO_FINDING: none does */
};

/* Owns v: by guarantee, then by the routes' texts. Every finding is in one of them. */
struct ww_trials {
    struct ww_trial *v;
    size_t n;
};

void ww_trials_init(struct ww_trials *t, const struct ww_verdict *v);
void ww_trials_release(struct ww_trials *t);

/* The trial that a finding belongs to: guarantee, from and to. */
struct ww_trial ww_trial_of(const struct ww_verdict *v, const struct ww_finding *f);

#endif

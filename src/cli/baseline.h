/* cli: the baseline: findings that are known, why they may stay, and until when. */
#ifndef WW_BASELINE_H
#define WW_BASELINE_H

#include <whichworker/judge.h>

/* How long a new entry is good for, and one that --update-baseline renews. */
#define BASELINE_DAYS 90

/* A finding by what is the same in every run: never a PID, a cookie or a time. */
struct baseline_entry {
    enum ww_guarantee guarantee;
    char *method;
    char *route;
    char *place; /* NULL: nothing in particular */
    char *reason;
    char *expires; /* "2027-02-28", the last day on which it holds (UTC); or "never" */
};

struct baseline;

/* NULL and err (WW_EUSAGE) if there is none, or if it is not what it should be. may_begin: a
 * file that is not there yet is an empty one. */
struct baseline *baseline_load(ww_str path, bool may_begin, struct ww_err *err);
void baseline_free(struct baseline *b); /* NULL is fine */

size_t baseline_count(const struct baseline *b);
const struct baseline_entry *baseline_at(const struct baseline *b, size_t i); /* borrowed */

/* The place of the finding's entry, or SIZE_MAX. */
size_t baseline_find(const struct baseline *b, const struct ww_finding *f);

bool baseline_holds(const struct baseline_entry *e, int64_t now_us);

/*
 * Writes the file anew, whole or not at all: the entries that were seen or could not have been,
 * with their reasons, and one for each finding that fails. What had expired and is still there
 * is renewed.
 */
int baseline_update(const struct baseline *b, ww_str path, const struct ww_verdict *v,
                    int64_t now_us, struct ww_err *err);

/* Whether the trace of the verdict asks for what the entry is about at all. */
bool baseline_was_tried(const struct baseline_entry *e, const struct ww_verdict *v);

#endif

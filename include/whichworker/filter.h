/* filter: a small language that selects exchanges: "~u /cars & (~c 5xx | ~split)"; pure. */
#ifndef WHICHWORKER_FILTER_H
#define WHICHWORKER_FILTER_H

#include <whichworker/judge.h>

/*
 * The operators are mitmproxy's where the meaning is the same; docs/filters.md explains all of
 * them. Patterns are PCRE2, without regard to case, with the limits of ww_re_match.
 */
struct ww_filter;

/* NULL and err if the text is wrong: a sentence, the text on a second line, and a caret on a
 * third under the place that is meant; lines behind the first begin with four blanks. Copies
 * text. */
struct ww_filter *ww_filter_new(ww_str text, struct ww_err *err);
void ww_filter_free(struct ww_filter *f); /* NULL is fine */

/* The text that it was made from; borrowed. */
ww_str ww_filter_text(const struct ww_filter *f);

/* An exchange, and what is known of it beside. All of it is borrowed. */
struct ww_subject {
    const struct ww_exchange *exchange;
    const struct ww_worker *worker; /* NULL: not known, or not among those recorded */
    uint64_t session;               /* the number of "s1", "s2", …; 0: not known */
    bool split;                     /* served by another worker than the one before */
    const struct ww_verdict
        *verdict; /* NULL: nobody has judged it yet, and ~v matches nothing */
    size_t step;  /* its place there */
};

/* Whether it is selected. May be called from several threads. */
WW_MUST bool ww_filter_match(const struct ww_filter *f, const struct ww_subject *s);

/* How much comes along with the steps that are wanted. */
enum ww_selecting {
    WW_SELECT_ALONE, /* nothing: a finding keeps what is wanted of its witness, and a split is
                        there if both its steps are; ww_step.split says so all the same */
    WW_SELECT_PROOFS /* the whole witness of a finding, and the step before of a split */
};

/*
 * A verdict that shows less: only the steps that are wanted, what belongs to them, and nothing
 * else; what was judged stays what it was (value, why, coverage, workers, counts by source). A
 * finding is shown if a step of its witness is wanted, a split if the step that it leads to is.
 */
struct ww_selection {
    struct ww_verdict verdict; /* points into of, and into arena */
    size_t *step;              /* of each step that is left: its index in the whole verdict */
    size_t *finding;           /* and of each finding */
    struct ww_arena arena;
};

/* `of` is borrowed for as long as the selection lives. wanted: one for each step. */
void ww_selection_init(struct ww_selection *s, const struct ww_verdict *of, const bool *wanted,
                       enum ww_selecting how);
void ww_selection_release(struct ww_selection *s); /* also of a zeroed one */

#endif

/* judge: which exchanges of a session know of which: the tree of its cookie's values. */
#ifndef WW_LINEAGE_H
#define WW_LINEAGE_H

#include <whichworker/judge.h>

struct model;

/*
 * A client that keeps an old value (a second tab, two requests at once) forks the lineage: both
 * branches are one session, but where the state is in the cookie the one does not have what was
 * written on the other, on whatever worker. By step; UINT32_MAX: none.
 */
struct lineage {
    uint32_t *base; /* the step whose response set the value that this step's request has */
    uint32_t
        *tip; /* this step if its response set a value that says something new; else base */
    uint32_t *in,
        *out; /* a step comes from those whose [in, out) has its in: a tree's intervals */
};

void ww_lineage_release(struct lineage *l);

/* When all steps are known, and their sessions. */
void ww_lineage_settle(struct model *m);

/* Whether b's client had what a's answer gave it, as far as the session's cookie tells: true if
 * it tells nothing, and of steps of different sessions. */
bool ww_lineage_follows(const struct model *m, size_t a, size_t b);

#endif

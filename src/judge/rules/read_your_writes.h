/* judge: what read-your-writes learns and counts, for the half that weighs it. */
#ifndef WW_JUDGE_READ_YOUR_WRITES_H
#define WW_JUDGE_READ_YOUR_WRITES_H

#include "rule.h"

/* A loss, and what speaks for the worker being the reason. */
struct loss {
    size_t write, kept, lost; /* kept: the write itself, or a read that showed it */
    bool again;               /* the writer's worker shows it afterwards */
    bool before;              /* a read by the writer's worker had shown it */
    bool payload;             /* the session's readable cookie carried it */
    bool mirrored;            /* the read shows what that cookie holds, and threw it away */
    bool caught_up;           /* the losing worker shows it later, with no change between */
    bool as_before;           /* the losing read shows what stood there before the write */
    bool doubtful;            /* other clients wrote what is not known to be harmless */
};

/* A message that is shown once ("added figo") is kept from the write to the first read and lost
 * by the second on any worker: so the two kinds of step are each other's no control. */
enum leg { FROM_WRITE, FROM_READ };

struct tally {
    struct ww_table table;
    struct loss best;
    bool has_best;
};

/* What a write of this kind does to that field of a read of that kind, learned from all
 * sessions. */
struct relation {
    struct carried example;
    uint64_t learned; /* how often the writer's own worker showed the value */
    uint64_t grew;    /* how often a read was the one before the write, and the value more */
    uint32_t first;   /* the value that was learned first */
    bool several;     /* others were learned, too: the place does not stand for one thing */
    bool listed;      /* it was seen in a list */
    struct tally tally[2]; /* from the write to a read; from a read to the next */
};

/* Hands in what the counts of this relation amount to, if anything. */
void ww_relation_claim(struct model *m, const struct relation *r);

#endif

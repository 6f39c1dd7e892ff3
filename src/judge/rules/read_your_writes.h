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
    bool late;                /* it shows it only then: it may have taken its time */
    bool named;               /* the read has the member in which that cookie holds it */
    bool caught_up;           /* the losing worker shows it later, with no change between */
    bool as_before;           /* the losing read shows what stood there before the write */
    bool choice;              /* of many: it stands among others now (ww_is_choice) */
    bool doubtful;            /* other clients wrote what is not known to be harmless */
};

/* A message that is shown once ("added figo") is kept from the write to the first read and lost
 * by the second on any worker: so the two kinds of step are each other's no control. */
enum leg { FROM_WRITE, FROM_READ };

#define SIGHTINGS_MAX 8 /* workers that are looked at for one value */

/* Which workers showed a value after it was written, whatever was written meanwhile. */
struct sightings {
    size_t worker[SIGHTINGS_MAX];
    bool shown[SIGHTINGS_MAX], missing[SIGHTINGS_MAX];
    size_t n;
    uint32_t home, away; /* how often the writer's worker showed it, how often others did not */
    bool last_shown;
    uint32_t flips;    /* from shown to missing and back, in order of time */
    size_t lost, back; /* another worker did not show it, then the writer's worker did */
    enum { SEEN_NOT, SEEN_LOST, SEEN_BACK } went;
};

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
    bool scalar;      /* it was seen to be a scalar of its own */
    struct tally tally[2]; /* from the write to a read; from a read to the next */
    double home_odds;      /* that by chance only the writers' workers show the values */
    uint64_t homebound; /* values that came and went, and that only the writer's worker shows */
    bool abroad;        /* another worker showed a value, or the writer's did not */
    bool caught_up;     /* a losing worker showed it later by itself */
    struct loss home;   /* an example of it */
};

enum ww_sight { SIGHT_NOTHING, SIGHT_SHOWN, SIGHT_MISSING };

/* What a read says of a value that the write carried or gave out. */
enum ww_sight ww_see(struct model *m, size_t write, const struct carried *what, size_t step);

/* A read of one thing of many says nothing about writes to another: /items/17 need not show
 * what went to /items. */
bool ww_is_of_another_thing(const struct model *m, size_t write, const struct carried *what,
                            size_t read);

/* The read has the member, by its name, in which the write's cookie holds the value: there it
 * would be, had the cookie been read. */
bool ww_names_member(struct model *m, size_t write, const struct carried *what, size_t read);

/* Notes that a read shows the value or lacks it. */
void ww_sightings_add(struct sightings *s, const struct model *m, size_t write, size_t read,
                      bool shown);

/* What the sightings of one value say of its relation. */
void ww_sightings_settle(const struct sightings *s, const struct model *m, size_t write,
                         struct relation *r);

/* The write put what it carried into the session's readable cookie, and the losing request sent
 * it. */
bool ww_in_payload(struct model *m, size_t write, size_t lost);

/* The read shows all that the cookie holds which it set instead: so it would have shown the
 * value. */
bool ww_mirrors(struct model *m, size_t read);

/* Hands in what the counts of this relation amount to, if anything. */
void ww_relation_claim(struct model *m, const struct relation *r);

#endif

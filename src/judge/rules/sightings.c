/* judge: read-your-writes, what only the writer's worker ever shows: a matter of where, not of
 * when. */
#include "read_your_writes.h"

#define FLIPS_MIN 2 /* shown, missing, shown: neither late nor expired */

void ww_sightings_add(struct sightings *s, const struct model *m, size_t write, size_t read,
                      bool shown)
{
    size_t worker = m->v.step[read].worker, k = 0;
    bool home = worker == m->v.step[write].worker;

    while (k < s->n && s->worker[k] != worker) {
        k++;
    }
    if (k == SIGHTINGS_MAX)
        return;
    if (k == s->n)
        s->worker[s->n++] = worker;
    s->shown[k] = s->shown[k] || shown;
    s->missing[k] = s->missing[k] || !shown;
    if (home == shown) {
        bool first = s->home + s->away == 0;
        s->flips += !first && s->last_shown != shown;
        s->last_shown = shown;
        s->home += home;
        s->away += !home;
    }
    if (!home && !shown && s->went == SEEN_NOT) {
        s->lost = read;
        s->went = SEEN_LOST;
    } else if (home && shown && s->went == SEEN_LOST) {
        s->back = read;
        s->went = SEEN_BACK;
    }
}

/* The chance that so many showings all fall on the one worker and so many absences on others.
 */
static double odds_of(const struct sightings *s)
{
    struct ww_table t = { .changed_lost = s->away, .same_kept = s->home };

    return ww_table_odds(&t);
}

/*
 * A value that appears late was being written, one that disappears has expired or was pushed
 * out, one that shows once was a notice. Lost, back and lost again, or there, gone and there
 * again, is none of these.
 */
void ww_sightings_settle(const struct sightings *s, const struct model *m, size_t write,
                         struct relation *r)
{
    for (size_t k = 0; k < s->n; k++) {
        bool home = s->worker[k] == m->v.step[write].worker;
        if (home ? s->missing[k] : s->shown[k])
            r->abroad = true;
    }
    if (s->flips < FLIPS_MIN || s->went != SEEN_BACK)
        return;
    r->home_odds *= odds_of(s);
    if (r->homebound++ == 0)
        r->home =
            (struct loss){ .write = write, .kept = s->back, .lost = s->lost, .again = true };
}

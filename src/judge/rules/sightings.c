/* judge: read-your-writes, what only the writer's worker ever shows: a matter of where, not of
 * when. */
#include "read_your_writes.h"

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
    if (!home && !shown) {
        if (s->went == SEEN_NOT)
            s->lost = read;
        s->went = s->went < SEEN_BACK ? SEEN_LOST : SEEN_LOST_AGAIN;
    } else if (home && shown && s->went == SEEN_LOST) {
        s->back = read;
        s->went = SEEN_BACK;
    }
}

/*
 * A value that appears late was being written, one that disappears has expired or was pushed
 * out, one that shows once was a notice. Lost, back and lost again is none of these. That it is
 * the writer's worker that has it, and of the others none, has a chance of one in as many as
 * were asked.
 */
void ww_sightings_settle(const struct sightings *s, const struct model *m, size_t write,
                         struct relation *r)
{
    for (size_t k = 0; k < s->n; k++) {
        bool home = s->worker[k] == m->v.step[write].worker;
        if (home ? s->missing[k] : s->shown[k])
            r->abroad = true;
    }
    if (s->went != SEEN_LOST_AGAIN)
        return;
    r->home_odds /= (double)s->n;
    if (r->homebound++ == 0)
        r->home =
            (struct loss){ .write = write, .kept = s->back, .lost = s->lost, .again = true };
}

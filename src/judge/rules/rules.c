/* judge: the list of rules, and what they share: crossings and odds. */
#include "rule.h"

#include <math.h>
#include <stdlib.h>

const struct rule *const ww_rules[] = {
    &ww_rule_session_reset, &ww_rule_read_your_writes, &ww_rule_came_back, &ww_rule_status_flip,
    &ww_rule_handles,       &ww_rule_monotonic_reads,  &ww_rule_tally,     &ww_rule_elsewhere,
};

const size_t ww_rules_count = sizeof ww_rules / sizeof ww_rules[0];

void ww_crossings_of(struct crossings *c, const struct model *m,
                     const struct ww_verdict_session *s)
{
    if (s->steps > c->cap) {
        c->cap = s->steps * 2;
        c->run = ww_xrealloc(c->run, c->cap * sizeof *c->run);
        c->overlaps = ww_xrealloc(c->overlaps, c->cap * sizeof *c->overlaps);
    }
    for (size_t i = 0, before = SIZE_MAX; i < s->steps; i++) {
        const struct look *l = &m->look[s->step[i]];
        size_t w = m->v.step[s->step[i]].worker;
        bool goes_on =
            before != SIZE_MAX && w != WW_NO_WORKER && w == m->v.step[s->step[before]].worker;
        c->run[i] = goes_on ? c->run[before] : (uint32_t)i;
        c->overlaps[i] = (i > 0 ? c->overlaps[i - 1] : 0) + (l->overlaps && l->changes);
        if (!l->stream)
            before = i;
    }
}

void ww_crossings_release(struct crossings *c)
{
    free(c->run);
    free(c->overlaps);
}

enum ww_crossing ww_crossing(const struct crossings *c, const struct model *m, size_t a,
                             size_t b)
{
    size_t at_a = m->look[a].at, at_b = m->look[b].at;

    if (c->overlaps[at_b] != c->overlaps[at_a] || m->look[a].overlaps || m->look[b].overlaps ||
        !ww_before(m, a, b) || m->v.step[a].worker == WW_NO_WORKER ||
        m->v.step[b].worker == WW_NO_WORKER)
        return CROSS_NEITHER;
    if (m->v.step[a].worker != m->v.step[b].worker)
        return CROSS_CHANGED;
    return at_a >= c->run[at_b] ? CROSS_SAME : CROSS_NEITHER;
}

bool ww_is_choice(const struct model *m, uint32_t value, size_t before, size_t now)
{
    const struct normal *n = &m->normal;
    const struct look *x = &m->look[before], *y = &m->look[now];
    uint32_t place = y->view == WW_NONE ? WW_NONE : ww_view_place(n, y->view, value);

    if (place == WW_NONE || x->view == WW_NONE || x->view == y->view ||
        n->view[y->view].kind != VIEW_JSON ||
        m->v.step[before].worker != m->v.step[now].worker ||
        ww_any_change(m, m->v.step[before].started_us, m->v.step[now].ended_us))
        return false;
    const struct view *a = &n->view[x->view], *b = &n->view[y->view];
    uint32_t i = ww_view_first(n, x->view, place), k = ww_view_first(n, y->view, place);
    for (; i < a->leaves && k < b->leaves && a->leaf[i].path == place; i++, k++) {
        if (a->leaf[i].value != b->leaf[k].value)
            return true; /* or another place's */
    }
    return (k < b->leaves && b->leaf[k].path == place) ||
           (i < a->leaves && a->leaf[i].path == place);
}

static double log_choose(double n, double k)
{
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

double ww_table_odds(const struct ww_table *t)
{
    double changed = (double)(t->changed_kept + t->changed_lost);
    double same = (double)(t->same_kept + t->same_lost);
    double lost = (double)(t->changed_lost + t->same_lost), p = 0;

    /* Margins fixed: the changed ones hold this many of the losses, or more. */
    for (double k = (double)t->changed_lost; k <= lost && k <= changed; k++) {
        if (lost - k <= same) {
            p += exp(log_choose(changed, k) + log_choose(same, lost - k) -
                     log_choose(changed + same, lost));
        }
    }
    return p > 1 ? 1 : p;
}

/* judge: status-flip, for what a worker gave out: an id, a token, a state that only it knows.
 */
#include "rule.h"

#include <stdlib.h>

#define NOWHERE      SIZE_MAX
#define ODDS_CERTAIN 0.01
#define ODDS_LIKELY  0.1001 /* one in ten, and what rounding adds */
#define COUNTS_CERTAIN                                                                         \
    3 /* kept at home and lost elsewhere, each, for chance alone to convince */

struct flip {
    size_t issued, granted, refused; /* granted: at home, or NOWHERE */
    size_t again;                    /* granted at home once more, or refused elsewhere */
    bool calm;                       /* nobody else took anything away meanwhile */
};

/* Of one field of one route; or of a credential on all routes. Changed: another worker than the
 * one that gave the value out. */
struct relation {
    uint32_t route; /* WW_NONE: all */
    uint32_t field;
    struct ww_table table;
    uint64_t sandwiches;
    int64_t survived_us; /* the age at which some value was still accepted at home */
    bool cookie;
    struct flip best;
    bool has_best;
};

/* Of one value on one route (or on all). */
struct state {
    size_t granted; /* last at home, or NOWHERE */
    size_t early;   /* refused elsewhere before any grant, or NOWHERE */
    size_t refused; /* elsewhere, behind a grant and waiting for the next; or NOWHERE */
    bool known;     /* some worker granted it */
    bool seen;
};

struct handles {
    struct model *m;
    uint32_t path; /* the field of what stands in the path */
    struct ww_map relation_at, state_at;
    struct relation *relation;
    size_t relations, relation_cap;
    struct state *state;
    size_t states, state_cap;
    size_t *reset;  /* by session: 1 + the step of its last log-in or log-out */
    size_t *closed; /* by word: 1 + the step that removed the thing */
    bool judging;   /* the first walk learns how old values become */
};

enum outcome { OUTCOME_NONE, OUTCOME_GRANTED, OUTCOME_REFUSED };

static enum outcome outcome_of(const struct model *m, size_t step)
{
    const struct look *l = &m->look[step];

    if (!ww_speaks(m, step) || l->untimely || l->kind == LOOK_OTHER)
        return OUTCOME_NONE;
    if (l->to_login)
        return OUTCOME_REFUSED;
    switch (m->v.step[step].status) {
    case 400:
    case 401:
    case 403:
    case 404:
    case 410:
    case 419:
    case 422:
        return OUTCOME_REFUSED;
    case 304:
        return OUTCOME_NONE;
    default:
        return m->v.step[step].status / 100 == 2 || m->v.step[step].status / 100 == 3
                   ? OUTCOME_GRANTED
                   : OUTCOME_NONE;
    }
}

static size_t index_of(struct handles *h, struct ww_map *map, uint32_t a, uint32_t b,
                       size_t fresh)
{
    uint32_t key[2] = { a, b };
    ww_str text = ww_str_n((const char *)key, sizeof key);
    size_t *known = ww_map_find(map, text);

    return known != NULL ? *known
                         : *ww_map_put(map, ww_arena_dup(&h->m->arena, text), fresh, NULL);
}

static struct relation *relation_of(struct handles *h, uint32_t route, uint32_t field)
{
    size_t i = index_of(h, &h->relation_at, route, field, h->relations);

    if (i == h->relations) {
        if (h->relations == h->relation_cap)
            h->relation =
                ww_grow(h->relation, h->relations + 1, &h->relation_cap, sizeof *h->relation);
        h->relation[h->relations++] = (struct relation){ .route = route, .field = field };
    }
    return &h->relation[i];
}

static struct state *state_of(struct handles *h, uint32_t word, uint32_t route)
{
    size_t i = index_of(h, &h->state_at, word, route, h->states);

    if (i == h->states) {
        if (h->states == h->state_cap)
            h->state = ww_grow(h->state, h->states + 1, &h->state_cap, sizeof *h->state);
        h->state[h->states++] =
            (struct state){ .granted = NOWHERE, .early = NOWHERE, .refused = NOWHERE };
    }
    return &h->state[i];
}

static bool takes_away(const struct model *m, size_t step, void *ctx)
{
    const struct look *l = &m->look[step];

    return m->v.step[step].session != *(const size_t *)ctx &&
           (l->removal || l->logout || ww_str_eq(m->v.step[step].method, WW_STR("PUT")));
}

static bool is_calm(const struct model *m, size_t from, size_t to)
{
    size_t session = m->v.step[from].session;

    return !ww_changed_between(m, m->v.step[from].started_us, m->v.step[to].ended_us,
                               takes_away, &session);
}

static unsigned strength(const struct flip *f)
{
    return (f->again != NOWHERE ? 4u : 0u) + (f->calm ? 2u : 0u) +
           (f->granted != NOWHERE ? 1u : 0u);
}

static void note_lost(struct relation *r, struct flip flip)
{
    r->table.changed_lost++;
    if (!r->has_best || strength(&flip) > strength(&r->best))
        r->best = flip;
    r->has_best = true;
}

static void note_sandwich(struct handles *h, struct relation *r, struct flip flip)
{
    size_t first = flip.granted < flip.refused ? flip.granted : flip.refused;

    flip.calm = is_calm(h->m, first, flip.again);
    r->sandwiches++;
    if (!r->has_best || strength(&flip) > strength(&r->best))
        r->best = flip;
    r->has_best = true;
}

static void on_granted(struct handles *h, struct relation *r, struct state *s,
                       const struct handle_use *u, bool home)
{
    /* What is granted only after it was refused may not have been ready. */
    bool waited = s->early != NOWHERE && !s->known && !u->credential;

    if (!waited) {
        r->table.same_kept += home;
        r->table.changed_kept += !home;
    }
    if (home && s->refused != NOWHERE && s->granted != NOWHERE) {
        r->table.changed_lost += !u->credential;
        note_sandwich(h, r, (struct flip){ u->issued, s->granted, s->refused, u->step, false });
    }
    s->refused = NOWHERE;
    s->known = true;
    if (home)
        s->granted = u->step;
}

static void on_refused(struct handles *h, struct relation *r, struct state *s,
                       const struct handle_use *u, bool home)
{
    const struct ww_step *v = h->m->v.step;

    if (home) {
        /* Used up, or never right: it says nothing of workers. */
        r->table.same_lost += !s->known || u->credential;
        s->early = s->refused = s->granted = NOWHERE;
        return;
    }
    if (u->credential || !s->seen)
        note_lost(r, (struct flip){ u->issued, s->granted, u->step, NOWHERE, false });
    if (s->granted != NOWHERE && s->early != NOWHERE && v[s->early].worker == v[u->step].worker)
        note_sandwich(h, r, (struct flip){ u->issued, s->granted, s->early, u->step, false });
    if (s->known) {
        s->refused = u->step;
    } else if (s->early == NOWHERE) {
        s->early = u->step;
    }
}

static int64_t age_us(const struct model *m, const struct handle_use *u)
{
    return m->v.step[u->step].started_us - m->v.step[u->issued].ended_us;
}

/* A token that is refused when it is older than any that was accepted may have expired. */
static bool may_have_expired(const struct model *m, const struct relation *r,
                             const struct handle_use *u)
{
    return m->look[u->step].bearer && u->credential && age_us(m, u) > r->survived_us;
}

static void settle_use(struct handles *h, const struct handle_use *u, uint32_t route)
{
    struct model *m = h->m;
    enum outcome how = outcome_of(m, u->step);
    bool home = m->v.step[u->issued].worker == m->v.step[u->step].worker;
    struct relation *r = relation_of(h, route, u->field);
    struct state *s = state_of(h, u->word, route);

    /* On a path, all methods ask the same: is it there? */
    if (u->field == h->path && how == OUTCOME_REFUSED && m->v.step[u->step].status != 404 &&
        m->v.step[u->step].status != 410)
        return;
    /* Who logs in is asked for his password, whatever his cookie. */
    if (u->cookie && (m->look[u->step].login || m->look[u->step].logout))
        return;
    if (u->cookie && how == OUTCOME_REFUSED && m->v.step[u->step].status != 401 &&
        !m->look[u->step].to_login)
        return;
    r->cookie = u->cookie;
    if (!h->judging) {
        if (how == OUTCOME_GRANTED && home && age_us(m, u) > r->survived_us)
            r->survived_us = age_us(m, u);
        return;
    }
    if (how == OUTCOME_REFUSED && !home && may_have_expired(m, r, u))
        return;
    if (how == OUTCOME_GRANTED) {
        on_granted(h, r, s, u, home);
    } else if (how == OUTCOME_REFUSED) {
        on_refused(h, r, s, u, home);
    }
    s->seen = s->seen || how != OUTCOME_NONE;
}

/* Whether this use can be laid at the door of the answer that gave the value out. */
static bool is_fair(const struct handles *h, const struct handle_use *u)
{
    const struct ww_step *v = h->m->v.step;

    return ww_speaks(h->m, u->issued) && ww_before(h->m, u->issued, u->step) &&
           (u->secret || v[u->issued].session == v[u->step].session) &&
           h->reset[v[u->step].session] <= u->issued + 1 && h->closed[u->word] == 0 &&
           !ww_restarted_since(h->m, u->issued, u->step);
}

/* "PATCH /files/{id}" to "/files/{id}" */
static uint32_t template_of(struct model *m, uint32_t route)
{
    ww_str text = ww_word_text(&m->normal, route), method;

    ww_str_cut(&text, ' ', &method);
    return ww_word(&m->normal, text);
}

static void walk(struct handles *h)
{
    struct model *m = h->m;
    size_t next = 0;

    for (size_t i = 0; i < m->v.steps; i++) {
        const struct look *l = &m->look[i];
        for (; next < m->uses && m->use[next].step == i; next++) {
            const struct handle_use *u = &m->use[next];
            if (m->v.step[i].worker == WW_NO_WORKER || m->blamed[i] || !is_fair(h, u))
                continue;
            settle_use(h, u, u->field == h->path ? template_of(m, l->route) : l->route);
            if (u->credential && !u->cookie)
                settle_use(h, u, WW_NONE);
            bool ends =
                u->credential ? l->removal : ww_str_eq(m->v.step[i].method, WW_STR("DELETE"));
            if (ends && l->acknowledged)
                h->closed[u->word] = i + 1;
        }
        if (l->acknowledged && (l->logout || (l->login && l->sets > 0)))
            h->reset[m->v.step[i].session] = i + 1;
    }
}

/* ---- claims */

static bool says_csrf(struct model *m, size_t step)
{
    uint32_t view = m->look[step].view;

    return view != WW_NONE &&
           (ww_view_shows(&m->normal, view, ww_word(&m->normal, WW_STR("CSRF"))) ||
            ww_view_shows(&m->normal, view, ww_word(&m->normal, WW_STR("csrf"))));
}

/* It is not known, rather than: something is wrong with the rest of the request. */
static bool is_unknown_there(struct model *m, size_t step)
{
    unsigned status = m->v.step[step].status;

    return (status != 400 && status != 422) || m->look[step].sid || says_csrf(m, step);
}

static enum ww_grade grade_of(struct model *m, const struct relation *r)
{
    const struct ww_table *t = &r->table;
    const struct flip *b = &r->best;
    double odds = ww_table_odds(t);
    bool enough = t->same_kept >= COUNTS_CERTAIN && t->changed_lost >= COUNTS_CERTAIN;
    bool around = b->again != NOWHERE && b->granted < b->refused;

    if (t->changed_kept > 0)
        return WW_POSSIBLE;
    if (r->route != WW_NONE && b->again != NOWHERE && is_unknown_there(m, b->refused)) {
        if (b->calm && (around || r->sandwiches > 1))
            return WW_CONFIRMED;
        return WW_LIKELY;
    }
    if (odds <= ODDS_CERTAIN && enough && r->route != WW_NONE)
        return WW_CONFIRMED;
    return t->same_kept > 0 && t->changed_lost > 1 && odds <= ODDS_LIKELY ? WW_LIKELY
                                                                          : WW_POSSIBLE;
}

static enum ww_cause cause_of(const struct model *m, size_t refused)
{
    const struct look *l = &m->look[refused];
    unsigned status = m->v.step[refused].status;
    bool denied = status != 404 && status != 410 && !l->sid;

    for (size_t i = 0; i < l->sents && denied; i++) {
        if (m->cookie[l->sent + i].payload != WW_NONE)
            return WW_CAUSE_PER_WORKER_SECRET;
    }
    return denied && l->token ? WW_CAUSE_PER_WORKER_SECRET : WW_CAUSE_WORKER_MEMORY;
}

static void claim_relation(struct model *m, const struct relation *r)
{
    const struct flip *b = &r->best;
    ww_str field = ww_arena_dup(&m->arena, ww_word_text(&m->normal, r->field));
    unsigned status = m->v.step[b->refused].status;
    struct claim c = { .guarantee = WW_STATUS_FLIP,
                       .grade = grade_of(m, r),
                       .cause = cause_of(m, b->refused),
                       .step = b->refused,
                       .place = WW_STR("status"),
                       .table = r->table,
                       .occurrences = r->table.changed_lost };

    if (ww_already_found(m, c.step, c.cause, c.grade) || (r->cookie && c.grade < WW_LIKELY))
        return;
    c.message = ww_arena_printf(&m->arena,
                                WW_STRF " answered %u to what worker %d had given out (" WW_STRF
                                        "); worker %d itself accepts it",
                                WW_STRV(ww_step_words(m, b->refused)), status,
                                (int)ww_step_pid(m, b->issued), WW_STRV(field),
                                (int)ww_step_pid(m, b->issued));
    ww_claim_witness(&c, m, b->issued, "issued", field);
    if (b->granted != NOWHERE)
        ww_claim_witness(&c, m, b->granted, "accepted", field);
    ww_claim_witness(&c, m, b->refused, "refused", field);
    if (b->again != NOWHERE) {
        bool granted = outcome_of(m, b->again) == OUTCOME_GRANTED;
        ww_claim_witness(&c, m, b->again, granted ? "accepted" : "refused", field);
    }
    ww_claim(m, &c);
    if (c.grade >= WW_LIKELY)
        m->blamed[b->refused] = true;
}

static void check(struct model *m)
{
    struct handles h = { .m = m, .path = ww_word(&m->normal, WW_STR("path")) };
    size_t words = m->normal.words + 1; /* walking makes more, which nobody gave out */

    ww_map_init(&h.relation_at);
    ww_map_init(&h.state_at);
    h.reset = ww_xcalloc(m->v.sessions + 1, sizeof *h.reset);
    h.closed = ww_xcalloc(words, sizeof *h.closed);
    walk(&h);
    memset(h.reset, 0, (m->v.sessions + 1) * sizeof *h.reset);
    memset(h.closed, 0, words * sizeof *h.closed);
    h.judging = true;
    walk(&h);
    /* What is true of one route says more than what is true of all. */
    for (int all = 0; all < 2; all++) {
        for (size_t i = 0; i < h.relations; i++) {
            const struct relation *r = &h.relation[i];
            if (r->has_best && r->table.same_lost == 0 && (r->route == WW_NONE) == (all == 1))
                claim_relation(m, r);
        }
    }
    ww_map_release(&h.relation_at);
    ww_map_release(&h.state_at);
    free(h.relation);
    free(h.state);
    free(h.reset);
    free(h.closed);
}

const struct rule ww_rule_handles = {
    .guarantee = WW_STATUS_FLIP,
    .help = "what one worker gave out is not known to another",
    .check = check,
};

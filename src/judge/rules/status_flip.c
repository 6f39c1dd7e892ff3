/* judge: status-flip: what one worker grants, another refuses to the same session. */
#include "rule.h"

#include <stdlib.h>

#define SINGLES_LIKELY  2 /* sessions that were refused once and never let in again */
#define SINGLES_CERTAIN 3
#define ODDS_CERTAIN    0.01
#define ODDS_LIKELY     0.1001 /* one in ten, and what rounding adds */

#define NOWHERE       SIZE_MAX
#define AGAIN_CERTAIN 3 /* sandwiches, when others wrote what could explain one */

/* Granted by one worker, refused by another; what came first and what again makes it a
 * sandwich: granted, refused, granted; or refused, granted, refused. */
struct flip {
    size_t granted, refused;
    size_t again;  /* granted once more, or refused once more; or NOWHERE */
    size_t logout; /* of the session, at the refusing worker, which the granting one ignores */
    bool calm;     /* nobody else changed what could explain it */
};

/* Of one route, over all sessions. */
struct relation {
    struct ww_table table;
    struct flip best;
    bool has_best;
    uint64_t sandwiches;
    bool doubtful; /* the refusing worker granted it, too, with nothing between */
    int64_t rest;  /* the longest that a session rested before it was granted again */
};

/* Granted, refused elsewhere, and nothing behind it. */
struct single {
    size_t relation;
    struct flip flip;
};

/* Of one resource, in one session. */
struct state {
    size_t granted;                  /* the last time, or NOWHERE */
    size_t refused;                  /* since then; or before it, if that is all there is */
    size_t refused_before;           /* before `granted`, with nothing between; or NOWHERE */
    size_t logouts, logins, changes; /* of the session, when `granted` or `refused` was noted */
    size_t relation;                 /* of a flip that waits for what comes next, or NOWHERE */
    uint64_t granters; /* workers that granted it, as bits, since the last log-in */
};

/* Allowed again behind a much longer rest than that in which it was refused: a quota ends. */
#define REST_TIMES    2
#define REST_SLACK_US 1000000

#define NO_STATE ((struct state){ NOWHERE, NOWHERE, NOWHERE, 0, 0, 0, NOWHERE, 0 })

struct flips {
    struct model *m;
    struct crossings cross;
    struct ww_map at; /* by route word, and whether the request names its session */
    struct relation *relation;
    size_t relations, cap;
    uint32_t *state_at; /* by resource word: in state, valid if stamp is the session's */
    size_t *stamp;
    struct state *state;
    size_t states, state_cap;
    struct single *single;
    size_t singles, single_cap;
    size_t logouts, logins, changes; /* of the session so far */
    size_t logout;                   /* the session's last, acknowledged; or NOWHERE */
};

enum outcome { OUTCOME_NONE, OUTCOME_GRANTED, OUTCOME_DENIED, OUTCOME_ABSENT };

static enum outcome outcome_of(const struct model *m, size_t step)
{
    const struct look *l = &m->look[step];
    unsigned status = m->v.step[step].status;

    if (!ww_speaks(m, step) || l->untimely || l->overlaps || l->kind == LOOK_OTHER ||
        l->login || l->logout)
        return OUTCOME_NONE;
    if (l->limited && status / 100 == 4)
        return OUTCOME_NONE;
    if (status == 401 || status == 403 || l->to_login)
        return OUTCOME_DENIED;
    /* MCP, Socket.IO: a session that a worker does not know. */
    if (l->sid && (status == 400 || status == 404 || status == 410))
        return OUTCOME_DENIED;
    if (l->kind == LOOK_READ &&
        (status == 400 || status == 404 || status == 409 || status == 410))
        return OUTCOME_ABSENT;
    return status / 100 == 2 ? OUTCOME_GRANTED : OUTCOME_NONE;
}

/* Borrowed until the next one is made. */
static struct relation *relation_of(struct flips *f, size_t step)
{
    /* A request that begins a session is another than one that names it. */
    uint32_t key[2] = { f->m->look[step].route, f->m->look[step].sid };
    ww_str text = ww_str_n((const char *)key, sizeof key);
    size_t *known = ww_map_find(&f->at, text);

    if (known != NULL)
        return &f->relation[*known];
    if (f->relations == f->cap)
        f->relation = ww_grow(f->relation, f->relations + 1, &f->cap, sizeof *f->relation);
    f->relation[f->relations] = (struct relation){ 0 };
    ww_map_put(&f->at, ww_arena_dup(&f->m->arena, text), f->relations, NULL);
    return &f->relation[f->relations++];
}

static struct state *state_of(struct flips *f, size_t session, uint32_t resource)
{
    if (f->stamp[resource] != session + 1) {
        if (f->states == f->state_cap)
            f->state = ww_grow(f->state, f->states + 1, &f->state_cap, sizeof *f->state);
        f->state[f->states] = NO_STATE;
        f->stamp[resource] = session + 1;
        f->state_at[resource] = (uint32_t)f->states++;
    }
    return &f->state[f->state_at[resource]];
}

/* Something of the session's own doing explains why the answer is another now. */
static bool explained(const struct flips *f, const struct state *s, enum outcome how,
                      unsigned status)
{
    if (f->logouts != s->logouts || f->logins != s->logins)
        return true;
    return (how == OUTCOME_ABSENT || status == 403) && f->changes != s->changes;
}

static void remember(struct flips *f, struct state *s)
{
    s->logouts = f->logouts;
    s->logins = f->logins;
    s->changes = f->changes;
}

/* Both requests came with the same cookie, or the same token or session id. */
static bool same_credential(const struct model *m, size_t a, size_t b)
{
    const struct look *x = &m->look[a], *y = &m->look[b];

    if (x->sents > 0 || y->sents > 0) {
        return x->sents > 0 && y->sents > 0 &&
               m->cookie[x->sent].pair == m->cookie[y->sent].pair;
    }
    return x->credential != WW_NONE && x->credential == y->credential;
}

static bool by_another(const struct model *m, size_t step, void *ctx)
{
    return m->v.step[step].session != *(const size_t *)ctx;
}

/* Nobody else changed anything: nobody locked the account and opened it again. */
static bool is_calm(const struct model *m, size_t from, size_t to, bool absent)
{
    size_t session = m->v.step[from].session;
    int64_t from_us = m->v.step[from].started_us, to_us = m->v.step[to].ended_us;

    return absent ? !ww_any_change(m, from_us, to_us)
                  : !ww_changed_between(m, from_us, to_us, by_another, &session);
}

static unsigned strength(const struct flip *f)
{
    return (f->again != NOWHERE ? 2u : 0u) + (f->calm ? 1u : 0u);
}

static void keep_best(struct relation *r, struct flip flip)
{
    r->sandwiches += flip.again != NOWHERE;
    if (!r->has_best || strength(&flip) > strength(&r->best))
        r->best = flip;
    r->has_best = true;
}

/* Nothing of the session's own doing since explains another answer than the refusal. */
static bool is_quiet(const struct flips *f, const struct state *s)
{
    return !explained(f, s, outcome_of(f->m, s->refused), f->m->v.step[s->refused].status);
}

/* The session logged out at the worker that refuses it now. */
static size_t logout_at(const struct flips *f, size_t refused)
{
    return f->logout != NOWHERE &&
                   f->m->v.step[f->logout].worker == f->m->v.step[refused].worker
               ? f->logout
               : NOWHERE;
}

static uint64_t bit_of(const struct flips *f, size_t step)
{
    size_t worker = f->m->v.step[step].worker;

    return worker < 64 ? (uint64_t)1 << worker : 0;
}

/* What was refused stays refused, as far as this session goes on: time may explain that. */
static void flush(struct flips *f, struct state *s)
{
    if (s->relation == NOWHERE)
        return;
    if (f->singles == f->single_cap)
        f->single = ww_grow(f->single, f->singles + 1, &f->single_cap, sizeof *f->single);
    f->single[f->singles++] =
        (struct single){ s->relation, { s->granted, s->refused, NOWHERE, NOWHERE, false } };
    s->relation = NOWHERE;
}

static bool may_be_renewed(const struct model *m, const struct state *s, size_t step)
{
    const struct ww_step *v = m->v.step;
    int64_t until = v[s->refused].started_us - v[s->granted].ended_us;

    return v[s->refused].status == 403 &&
           v[step].started_us - v[s->refused].ended_us > REST_TIMES * until + REST_SLACK_US;
}

/* A refusal lies behind: does the grant contradict it? */
static void granted_after(struct flips *f, struct state *s, size_t step)
{
    struct model *m = f->m;
    bool absent = outcome_of(m, s->refused) == OUTCOME_ABSENT;

    if (s->relation != NOWHERE) {
        struct relation *pending = &f->relation[s->relation];
        s->relation = NOWHERE;
        if (m->v.step[step].worker == m->v.step[s->refused].worker) {
            pending->doubtful = true;
            return;
        }
        if (may_be_renewed(m, s, step))
            return;
        bool calm = is_calm(m, s->granted, step, absent);
        pending->table.changed_lost++;
        keep_best(pending, (struct flip){ s->granted, s->refused, step,
                                          logout_at(f, s->refused), calm });
    } else if (s->granted == NOWHERE && !absent &&
               ww_crossing(&f->cross, m, s->refused, step) == CROSS_CHANGED &&
               same_credential(m, s->refused, step)) {
        /* Refused first, granted with the same credentials by another worker: it may have come
         * too early. */
        struct relation *r = relation_of(f, step);
        r->table.changed_lost++;
        keep_best(r,
                  (struct flip){ step, s->refused, NOWHERE, logout_at(f, s->refused), false });
        s->refused_before = s->refused;
    }
}

static void granted_again(struct flips *f, struct state *s, size_t step)
{
    const struct ww_step *v = f->m->v.step;
    struct relation *r = relation_of(f, step);
    enum ww_crossing how = ww_crossing(&f->cross, f->m, s->granted, step);

    r->table.same_kept += how == CROSS_SAME;
    r->table.changed_kept += how == CROSS_CHANGED;
    if (v[step].started_us - v[s->granted].ended_us > r->rest)
        r->rest = v[step].started_us - v[s->granted].ended_us;
    if (how != CROSS_SAME)
        s->refused_before = NOWHERE;
}

static void on_granted(struct flips *f, struct state *s, size_t step)
{
    bool quiet = s->refused == NOWHERE ? f->logouts == s->logouts && f->logins == s->logins
                                       : is_quiet(f, s);

    if (s->granted != NOWHERE && s->refused == NOWHERE) {
        granted_again(f, s, step);
    } else if (s->refused != NOWHERE) {
        s->refused_before = NOWHERE;
        if (quiet) {
            granted_after(f, s, step);
        } else {
            flush(f, s);
        }
    }
    s->granters = (quiet ? s->granters : 0) | bit_of(f, step);
    s->relation = NOWHERE;
    s->granted = step;
    s->refused = NOWHERE;
    remember(f, s);
}

static void on_first_refused(struct flips *f, struct state *s, size_t step, enum outcome how)
{
    if (how != OUTCOME_DENIED || (s->refused != NOWHERE && is_quiet(f, s)))
        return;
    s->refused = step;
    remember(f, s);
}

/* Refused, granted by another worker, and now refused again by the first. */
static bool closes_sandwich(const struct flips *f, const struct state *s, size_t step)
{
    const struct ww_step *v = f->m->v.step;

    return s->refused_before != NOWHERE && v[s->refused_before].worker == v[step].worker &&
           same_credential(f->m, s->refused_before, step);
}

/* Refused again while a flip waits: if its granter refuses now, too, the session has ended. */
static void on_refused_again(struct flips *f, struct state *s, size_t step)
{
    if (s->relation != NOWHERE &&
        f->m->v.step[step].worker == f->m->v.step[s->granted].worker) {
        s->relation = NOWHERE;
        s->granted = NOWHERE;
        s->refused = step;
    }
}

static void begin_flip(struct flips *f, struct state *s, size_t step)
{
    struct model *m = f->m;
    struct relation *r = relation_of(f, step);

    if (closes_sandwich(f, s, step)) {
        r->table.changed_lost++;
        keep_best(r, (struct flip){ s->granted, s->refused_before, step,
                                    logout_at(f, s->refused_before),
                                    is_calm(m, s->refused_before, step, false) });
    } else if ((s->granters & bit_of(f, step)) == 0) {
        s->relation = (size_t)(r - f->relation);
    }
}

static void on_refused(struct flips *f, struct state *s, size_t step, enum outcome how)
{
    struct model *m = f->m;

    if (s->granted == NOWHERE) {
        on_first_refused(f, s, step, how);
        return;
    }
    if (explained(f, s, how, m->v.step[step].status) ||
        (how == OUTCOME_ABSENT &&
         ww_any_change(m, m->v.step[s->granted].started_us, m->v.step[step].ended_us))) {
        flush(f, s);
        *s = NO_STATE;
        on_first_refused(f, s, step, how);
        return;
    }
    if (s->refused != NOWHERE) {
        on_refused_again(f, s, step);
        return;
    }
    enum ww_crossing crossing = ww_crossing(&f->cross, m, s->granted, step);
    if (crossing == CROSS_NEITHER || m->blamed[step])
        return;
    s->refused = step;
    remember(f, s);
    if (crossing == CROSS_SAME) {
        relation_of(f, step)->table.same_lost++;
    } else {
        begin_flip(f, s, step);
    }
}

static void walk_session(struct flips *f, size_t session)
{
    struct model *m = f->m;
    const struct ww_verdict_session *s = &m->v.session[session];

    f->logouts = f->logins = f->changes = 0;
    f->logout = NOWHERE;
    f->states = 0;
    ww_crossings_of(&f->cross, m, s);
    for (size_t i = 0; i < s->steps; i++) {
        const struct look *l = &m->look[s->step[i]];
        enum outcome how = outcome_of(m, s->step[i]);
        if (how == OUTCOME_GRANTED) {
            on_granted(f, state_of(f, session, l->resource), s->step[i]);
        } else if (how != OUTCOME_NONE) {
            on_refused(f, state_of(f, session, l->resource), s->step[i], how);
        }
        f->logouts += l->logout;
        if (l->logout || l->login)
            f->logout =
                l->logout && l->acknowledged && ww_speaks(m, s->step[i]) ? s->step[i] : NOWHERE;
        f->logins += l->login;
        f->changes += l->changes && (how == OUTCOME_GRANTED || how == OUTCOME_NONE);
    }
    for (size_t i = 0; i < f->states; i++) {
        flush(f, &f->state[i]);
    }
}

/* Nothing came behind it: it counts if nobody else did anything and the session did not rest
 * for longer than one that was let in again. */
static void count_singles(struct flips *f)
{
    const struct ww_step *v = f->m->v.step;

    for (size_t i = 0; i < f->singles; i++) {
        const struct flip *flip = &f->single[i].flip;
        struct relation *r = &f->relation[f->single[i].relation];
        bool rested = v[flip->refused].started_us - v[flip->granted].ended_us > r->rest;
        if (!is_calm(f->m, flip->granted, flip->refused, false) ||
            (rested && !ww_restarted_since(f->m, flip->granted, flip->refused)))
            continue;
        r->table.changed_lost++;
        keep_best(r, *flip);
    }
}

static bool says_signature(struct model *m, size_t step)
{
    uint32_t view = m->look[step].view;

    return view != WW_NONE &&
           (ww_view_shows(&m->normal, view, ww_word(&m->normal, WW_STR("signature"))) ||
            ww_view_shows(&m->normal, view, ww_word(&m->normal, WW_STR("Signature"))));
}

/* What the request came with was signed; else a worker must have remembered it. */
static bool is_signed(struct model *m, size_t refused)
{
    const struct look *l = &m->look[refused];

    for (size_t i = 0; i < l->sents; i++) {
        if (m->cookie[l->sent + i].payload != WW_NONE)
            return true;
    }
    return l->token || (l->bearer && says_signature(m, refused));
}

static enum ww_cause cause_of(struct model *m, const struct flip *b)
{
    const struct look *l = &m->look[b->refused];
    unsigned status = m->v.step[b->refused].status;
    bool denied = status == 401 || status == 403 || l->to_login;

    if (b->logout != NOWHERE)
        return WW_CAUSE_WORKER_MEMORY;
    if (denied && !l->sid && is_signed(m, b->refused))
        return WW_CAUSE_PER_WORKER_SECRET;
    if (ww_restarted_since(m, b->granted, b->refused))
        return WW_CAUSE_WORKER_RESTARTED;
    return denied && l->sents == 0 && !l->bearer && !l->sid ? WW_CAUSE_UNKNOWN
                                                            : WW_CAUSE_WORKER_MEMORY;
}

static enum ww_grade grade_of(const struct model *m, const struct relation *r)
{
    const struct ww_table *t = &r->table;
    bool quota = m->v.step[r->best.refused].status == 403;
    double odds = ww_table_odds(t);

    if (r->best.again != NOWHERE && !(r->doubtful && r->sandwiches < AGAIN_CERTAIN)) {
        /* Forbidden, and allowed again, may be a quota. */
        if (r->sandwiches >= AGAIN_CERTAIN || (r->best.calm && (!quota || r->sandwiches > 1)))
            return WW_CONFIRMED;
        return WW_LIKELY;
    }
    if (ww_restarted_since(m, r->best.granted, r->best.refused))
        return t->same_kept > 0 && !r->doubtful ? WW_LIKELY : WW_POSSIBLE;
    if (r->doubtful || t->changed_kept > 0 || t->changed_lost < SINGLES_LIKELY ||
        !ww_before(m, r->best.granted, r->best.refused))
        return WW_POSSIBLE;
    if (t->changed_lost >= SINGLES_CERTAIN && odds <= ODDS_CERTAIN)
        return WW_CONFIRMED;
    return odds <= ODDS_LIKELY ? WW_LIKELY : WW_POSSIBLE;
}

static ww_str status_words(struct model *m, size_t step)
{
    const struct look *l = &m->look[step];

    return ww_arena_printf(&m->arena, "%u%s", m->v.step[step].status,
                           l->to_login ? " to a login" : "");
}

/* The two workers are known to sign with different keys what the request came with. */
static bool keys_known(struct model *m, const struct flip *b)
{
    return ww_signers_differ(m, b->refused, m->v.step[b->granted].worker,
                             m->v.step[b->refused].worker);
}

static ww_str words_of(struct model *m, const struct flip *b)
{
    if (b->logout != NOWHERE) {
        return ww_arena_printf(&m->arena,
                               WW_STRF " succeeded, but " WW_STRF
                                       " still answers %u to the same credentials; worker %d "
                                       "answers " WW_STRF,
                               WW_STRV(ww_step_words(m, b->logout)),
                               WW_STRV(ww_step_words(m, b->granted)),
                               m->v.step[b->granted].status, (int)ww_step_pid(m, b->refused),
                               WW_STRV(status_words(m, b->refused)));
    }
    bool keys_differ = cause_of(m, b) == WW_CAUSE_PER_WORKER_SECRET && keys_known(m, b);
    bool around = b->again != NOWHERE && m->v.step[b->again].status / 100 == 2;
    return ww_arena_printf(
        &m->arena,
        WW_STRF " answered " WW_STRF ", worker %d answered %u to the same request%s%s",
        WW_STRV(ww_step_words(m, b->refused)), WW_STRV(status_words(m, b->refused)),
        (int)ww_step_pid(m, b->granted), m->v.step[b->granted].status,
        around                ? " before and after"
        : b->again != NOWHERE ? ", and then it was refused again"
                              : "",
        keys_differ ? "; the two sign the same content differently, so their keys differ" : "");
}

static void claim_relation(struct model *m, const struct relation *r)
{
    const struct flip *b = &r->best;
    struct claim c = { .guarantee = WW_STATUS_FLIP,
                       .grade = grade_of(m, r),
                       .cause = cause_of(m, b),
                       .step = b->logout == NOWHERE ? b->refused : b->granted,
                       .place = WW_STR("status"),
                       .table = r->table,
                       .message = words_of(m, b),
                       .occurrences = r->table.changed_lost };

    if (b->logout != NOWHERE)
        ww_claim_witness(&c, m, b->logout, "logout", status_words(m, b->logout));
    ww_claim_witness(&c, m, b->granted, "accepted", status_words(m, b->granted));
    ww_claim_witness(&c, m, b->refused, "refused", status_words(m, b->refused));
    if (b->again != NOWHERE) {
        bool granted = m->v.step[b->again].status / 100 == 2;
        ww_claim_witness(&c, m, b->again, granted ? "accepted" : "refused",
                         status_words(m, b->again));
    }
    ww_claim(m, &c);
    if (c.grade >= WW_LIKELY)
        m->blamed[b->refused] = true;
}

static void check(struct model *m)
{
    struct flips f = { .m = m };
    size_t words = m->normal.words + 1;

    ww_map_init(&f.at);
    f.state_at = ww_xcalloc(words, sizeof *f.state_at);
    f.stamp = ww_xcalloc(words, sizeof *f.stamp);
    for (size_t i = 0; i < m->v.sessions; i++) {
        walk_session(&f, i);
    }
    count_singles(&f);
    for (size_t i = 0; i < f.relations; i++) {
        if (f.relation[i].has_best && f.relation[i].table.same_lost == 0)
            claim_relation(m, &f.relation[i]);
    }
    ww_map_release(&f.at);
    ww_crossings_release(&f.cross);
    free(f.relation);
    free(f.single);
    free(f.state_at);
    free(f.stamp);
    free(f.state);
}

const struct rule ww_rule_status_flip = {
    .guarantee = WW_STATUS_FLIP,
    .help = "a request that succeeds on one worker is refused on another",
    .check = check,
};

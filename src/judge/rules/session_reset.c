/* judge: session-reset: a worker replaces or clears the session cookie that another one issued.
 */
#include "../keys.h"
#include "rule.h"

#include <stdlib.h>

/* A cookie that rested for longer may have expired by the server's own rules. */
#define REST_MAX_US (600 * (int64_t)1000000)

#define KEPT_CERTAIN 3
#define SEEN_CERTAIN 3
#define LOST_LIKELY  2      /* once may be a page that resets the session by design, or time */
#define ODDS_CERTAIN 0.0501 /* with the other conditions; and what rounding adds */
#define ODDS_LIKELY  0.1001

/* A cookie that is much older than any that was kept may have expired. */
#define AGE_TIMES    2
#define AGE_SLACK_US 100000

/* Of one cookie, one route, and one member of the payload: what became of it. */
struct relation {
    struct ww_table table;
    struct reset {
        size_t issued, reset;
        uint32_t lost; /* a leaf's value, or WW_NONE */
        uint32_t place;
        uint32_t name; /* the cookie's */
        bool read;
        bool is_id;
        bool cleared;
        bool denied; /* the answer refuses or leads to a log-in */
        bool payload;
        bool keys_differ; /* the two workers are known to sign with different keys */
    } best;
    bool has_best;
    int64_t kept_age; /* the oldest that was kept, microseconds since it was issued */
};

struct resets {
    bool learning; /* the first walk: only what was kept, and how old */
    struct model *m;
    uint32_t *issuer; /* by pair word: the step that set the value; WW_NONE; or AMBIGUOUS */
    struct ww_map at;
    struct relation *relation;
    size_t relations, cap;
    uint32_t *reset_by;    /* by step: the relation that counted it as lost, or WW_NONE */
    struct ww_map control; /* cookie names that some worker kept of its own, on a read */
};

/* Two workers issued the same value: they share the key, nothing can be told from it. */
#define AMBIGUOUS (WW_NONE - 1)

static void note_issued(struct resets *r, size_t step)
{
    const struct look *l = &r->m->look[step];

    for (size_t i = 0; i < l->sets; i++) {
        uint32_t *issuer = &r->issuer[r->m->cookie[l->set + i].pair];
        bool first = *issuer == WW_NONE && ww_speaks(r->m, step);
        bool again = *issuer < AMBIGUOUS && ww_speaks(r->m, step) &&
                     r->m->v.step[*issuer].worker == r->m->v.step[step].worker;
        if (first) {
            *issuer = (uint32_t)step;
        } else if (!again) {
            *issuer = AMBIGUOUS;
        }
    }
}

static struct relation *relation_of(struct resets *r, uint32_t name, uint32_t route,
                                    uint32_t member)
{
    uint32_t key[3] = { name, route, member };
    ww_str text = ww_str_n((const char *)key, sizeof key);
    size_t *known = ww_map_find(&r->at, text);

    if (known != NULL)
        return &r->relation[*known];
    if (r->relations == r->cap)
        r->relation = ww_grow(r->relation, r->relations + 1, &r->cap, sizeof *r->relation);
    r->relation[r->relations] = (struct relation){ 0 };
    ww_map_put(&r->at, ww_arena_dup(&r->m->arena, text), r->relations, NULL);
    return &r->relation[r->relations++];
}

static int how_telling(const struct reset *how)
{
    return (how->keys_differ ? 2 : 0) + (how->read ? 1 : 0);
}

static int64_t age_of(const struct model *m, const struct reset *how)
{
    return m->v.step[how->reset].started_us - m->v.step[how->issued].ended_us;
}

/* Others' changes that end somebody else's session: a new password, an account closed. */
static bool ends_sessions(const struct model *m, size_t step, void *ctx)
{
    const struct look *l = &m->look[step];
    ww_str method = m->v.step[step].method;

    return m->v.step[step].session != *(const size_t *)ctx &&
           (l->removal || l->logout || ww_str_eq(method, WW_STR("PUT")) ||
            ww_str_eq(method, WW_STR("PATCH")) ||
            ww_str_find_nocase(ww_word_text(&m->normal, l->path), WW_STR("passw")) >= 0);
}

/* Time or somebody else may have ended the session. */
static bool is_excused(const struct resets *r, const struct relation *rel,
                       const struct reset *how)
{
    const struct ww_step *v = r->m->v.step;
    size_t session = v[how->reset].session;

    if (how->keys_differ)
        return false;
    if (age_of(r->m, how) > AGE_TIMES * rel->kept_age + AGE_SLACK_US)
        return true;
    return !how->payload && ww_changed_between(r->m, v[how->issued].started_us,
                                               v[how->reset].ended_us, ends_sessions, &session);
}

static void count(struct resets *r, struct relation *rel, bool same, bool lost,
                  const struct reset *how)
{
    if (r->learning) {
        if (!lost && age_of(r->m, how) > rel->kept_age)
            rel->kept_age = age_of(r->m, how);
        return;
    }
    if (!same && lost && is_excused(r, rel, how))
        return;
    rel->table.same_lost += same && lost;
    rel->table.same_kept += same && !lost;
    rel->table.changed_lost += !same && lost;
    rel->table.changed_kept += !same && !lost;
    if (!same && lost)
        r->reset_by[how->reset] = (uint32_t)(rel - r->relation);
    if (!same && lost && (!rel->has_best || how_telling(how) > how_telling(&rel->best))) {
        rel->best = *how;
        rel->has_best = true;
    }
}

/* The payload's member that a path belongs to: "/cars" of "/cars/ * /name". */
static uint32_t member_of(struct model *m, uint32_t path)
{
    ww_str text = ww_word_text(&m->normal, path);
    ptrdiff_t next = ww_str_find(ww_str_from(text, 1), WW_STR("/"));

    return next < 0 ? path : ww_word(&m->normal, ww_str_upto(text, (size_t)next + 1));
}

/* Whether this leaf of the old payload is lost in the new one. A plain value that changed is
 * not: only one that is gone with its member, a list's element, or a number that fell. */
static bool leaf_lost(const struct model *m, struct leaf old, uint32_t fresh)
{
    const struct view *v = &m->normal.view[fresh];
    bool element = ww_str_find(ww_word_text(&m->normal, old.path), WW_STR("/*")) >= 0;
    const struct word *was = &m->normal.word[old.value];

    for (uint32_t i = ww_view_first(&m->normal, fresh, old.path);
         i < v->leaves && v->leaf[i].path == old.path; i++) {
        const struct word *is = &m->normal.word[v->leaf[i].value];
        if (v->leaf[i].value == old.value)
            return false;
        if (!element)
            return was->is_number && is->is_number && is->number < was->number;
    }
    return true;
}

/* Each member of the old payload, once: was any of it lost? */
static void compare_payloads(struct resets *r, uint32_t name, uint32_t route, uint32_t old,
                             uint32_t fresh, bool same, struct reset how)
{
    struct model *m = r->m;
    size_t leaves = m->normal.view[old].leaves;

    for (size_t i = 0; i < leaves;) {
        uint32_t member = member_of(m, m->normal.view[old].leaf[i].path);
        bool lost = false, masked = m->normal.word[member].volatile_key;
        for (; i < leaves && member_of(m, m->normal.view[old].leaf[i].path) == member; i++) {
            struct leaf leaf = m->normal.view[old].leaf[i];
            if (lost || (fresh != WW_NONE && !leaf_lost(m, leaf, fresh)))
                continue;
            lost = fresh != old;
            how.lost = leaf.value;
            how.place = leaf.path;
        }
        if (!masked)
            count(r, relation_of(r, name, route, member), same, lost, &how);
    }
}

static const struct cookie_use *set_of(const struct model *m, const struct look *l,
                                       uint32_t name)
{
    for (size_t i = l->sets; i > 0; i--) {
        if (m->cookie[l->set + i - 1].name == name)
            return &m->cookie[l->set + i - 1];
    }
    return NULL;
}

/* What this response did to one cookie that its request had sent. */
static void judge_cookie(struct resets *r, size_t step, const struct cookie_use *sent)
{
    struct model *m = r->m;
    const struct look *l = &m->look[step];
    uint32_t issued = r->issuer[sent->pair];
    const struct cookie_use *set = set_of(m, l, sent->name);

    if (issued >= AMBIGUOUS || l->untimely ||
        m->v.step[step].started_us - m->v.step[issued].ended_us > REST_MAX_US)
        return;
    size_t issuer = m->v.step[issued].worker, server = m->v.step[step].worker;
    bool same = issuer == server;
    struct reset how = { .issued = issued,
                         .reset = step,
                         .lost = WW_NONE,
                         .place = WW_NONE,
                         .name = sent->name,
                         .read = l->kind == LOOK_READ,
                         .is_id = sent->is_id,
                         .cleared = set != NULL && set->cleared,
                         .denied = l->to_login || m->v.step[step].status == 401,
                         .payload = sent->payload != WW_NONE,
                         .keys_differ = !same && ww_keys_differ(r->m->signers, sent->name,
                                                                issuer, server) };

    if (same && how.read && (set == NULL || set->pair == sent->pair) &&
        ww_map_find(&r->control, ww_word_text(&m->normal, sent->name)) == NULL)
        ww_map_put(&r->control, ww_word_text(&m->normal, sent->name), 1, NULL);
    if (sent->payload != WW_NONE) {
        uint32_t fresh = set == NULL ? sent->payload : set->cleared ? WW_NONE : set->payload;
        /* The same content under another worker's signature: it may have been accepted, or it
         * may be all that a newcomer gets. */
        bool telling = same || set == NULL || set->pair == sent->pair ||
                       !ww_view_same(&m->normal, fresh, sent->payload);
        if (telling && (set == NULL || set->cleared || fresh != WW_NONE))
            compare_payloads(r, sent->name, l->route, sent->payload, fresh, same, how);
        return;
    }
    bool lost = set != NULL && (set->cleared || set->pair != sent->pair);
    count(r, relation_of(r, sent->name, l->route, WW_NONE), same, lost, &how);
}

static void judge_step(struct resets *r, size_t step)
{
    const struct look *l = &r->m->look[step];

    if (!ww_speaks(r->m, step) || (l->parallel && !l->stream) || l->kind == LOOK_OTHER ||
        l->logout || l->login || l->removal || r->m->v.step[step].status >= 500)
        return;
    for (size_t i = 0; i < l->sents; i++) {
        judge_cookie(r, step, &r->m->cookie[l->sent + i]);
    }
}

/* A value that cannot be read: an identifier changes only when it is given up; an encrypted
 * cookie changes whenever its content does, which its own worker's reads must be seen not to
 * do. */
static enum ww_grade grade_by_odds(const struct ww_table *t, bool telling)
{
    double odds = ww_table_odds(t);

    if (t->changed_kept > 0 || t->changed_lost < LOST_LIKELY || t->same_kept == 0 ||
        odds > ODDS_LIKELY)
        return WW_POSSIBLE;
    if (t->same_kept >= KEPT_CERTAIN && t->changed_lost >= KEPT_CERTAIN &&
        odds <= (telling ? ODDS_CERTAIN : ODDS_CERTAIN / 5))
        return WW_CONFIRMED;
    return WW_LIKELY;
}

static enum ww_grade grade_of(struct resets *r, const struct relation *rel)
{
    const struct ww_table *t = &rel->table;
    ww_str name = ww_word_text(&r->m->normal, rel->best.name);
    bool at_large = rel->best.read && ww_map_find(&r->control, name) != NULL;

    /* No control is needed: a signature that cannot be checked is refused. */
    if (rel->best.keys_differ && t->changed_kept == 0)
        return WW_CONFIRMED;
    if (ww_restarted_since(r->m, rel->best.issued, rel->best.reset))
        return t->same_kept > 0 ? WW_LIKELY : WW_POSSIBLE;
    if (!rel->best.payload)
        return grade_by_odds(t, rel->best.is_id || rel->best.cleared);
    if (t->same_kept == 0) {
        bool often = t->changed_kept == 0 && t->changed_lost >= LOST_LIKELY;
        return often && (at_large || rel->best.denied) ? WW_LIKELY : WW_POSSIBLE;
    }
    return t->same_kept + t->changed_lost >= SEEN_CERTAIN && t->changed_kept == 0 ? WW_CONFIRMED
                                                                                  : WW_LIKELY;
}

static void claim_relation(struct resets *r, const struct relation *rel)
{
    struct model *m = r->m;
    const struct reset *b = &rel->best;
    bool restarted = ww_restarted_since(m, b->issued, b->reset);
    struct claim c = { .guarantee = WW_SESSION_RESET,
                       .grade = grade_of(r, rel),
                       .cause = restarted && !b->payload ? WW_CAUSE_WORKER_RESTARTED
                                : b->payload             ? WW_CAUSE_PER_WORKER_SECRET
                                                         : WW_CAUSE_WORKER_MEMORY,
                       .step = b->reset,
                       .whoever = true, /* a cookie's value has one issuer, whoever sends it */
                       .table = rel->table,
                       .occurrences = rel->table.changed_lost,
                       .telling = b->lost != WW_NONE && !m->normal.word[b->lost].is_number };
    ww_str lost = b->lost == WW_NONE ? (ww_str){ 0 } : ww_quotable(m, b->lost);
    ww_str what =
        b->lost == WW_NONE
            ? WW_STR("")
            : ww_arena_printf(&m->arena, ": \"" WW_STRF "\" (" WW_STRF ") is gone from it",
                              WW_STRV(lost), WW_STRV(ww_quotable(m, b->place)));

    c.place = ww_arena_printf(&m->arena, "Set-Cookie " WW_STRF,
                              WW_STRV(ww_word_text(&m->normal, b->name)));
    c.message = ww_arena_printf(
        &m->arena,
        WW_STRF " replaced the session cookie that worker %d had issued" WW_STRF "%s",
        WW_STRV(ww_step_words(m, b->reset)), (int)ww_step_pid(m, b->issued), WW_STRV(what),
        b->keys_differ ? "; the two sign the same content differently, so their keys differ"
                       : "");
    ww_claim_witness(&c, m, b->issued, "issued", lost);
    ww_claim_witness(&c, m, b->reset, "reset", lost);
    ww_claim(m, &c);
}

/* For the rules that come later. */
static void note_resets(struct resets *r)
{
    for (size_t i = 0; i < r->m->v.steps; i++) {
        if (r->reset_by[i] == WW_NONE)
            continue;
        const struct relation *rel = &r->relation[r->reset_by[i]];
        if (rel->table.same_lost == 0)
            r->m->reset[i] = grade_of(r, rel);
    }
}

static void check(struct model *m)
{
    struct resets r = { .m = m };
    size_t words = m->normal.words + 1;

    ww_map_init(&r.at);
    ww_map_init(&r.control);
    r.issuer = ww_xmalloc(words * sizeof *r.issuer);
    memset(r.issuer, 0xff, words * sizeof *r.issuer);
    r.reset_by = ww_xmalloc((m->v.steps + 1) * sizeof *r.reset_by);
    memset(r.reset_by, 0xff, (m->v.steps + 1) * sizeof *r.reset_by);
    for (size_t i = 0; i < m->v.steps; i++) {
        note_issued(&r, i);
    }
    for (int walk = 0; walk < 2; walk++) {
        r.learning = walk == 0;
        for (size_t i = 0; i < m->v.steps; i++) {
            judge_step(&r, i);
        }
    }
    for (size_t i = 0; i < r.relations; i++) {
        if (r.relation[i].has_best && r.relation[i].table.same_lost == 0)
            claim_relation(&r, &r.relation[i]);
    }
    note_resets(&r);
    ww_map_release(&r.at);
    ww_map_release(&r.control);
    free(r.relation);
    free(r.reset_by);
    free(r.issuer);
}

const struct rule ww_rule_session_reset = {
    .guarantee = WW_SESSION_RESET,
    .help = "a worker replaces or clears the session cookie that another one issued",
    .check = check,
};

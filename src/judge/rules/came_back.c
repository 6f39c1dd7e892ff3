/* judge: read-your-writes, for removals: what was removed on one worker is there on another. */
#include "rule.h"

#include <stdlib.h>

#define NOWHERE       SIZE_MAX
#define FACTS_MAX     16 /* removals of one session that are followed at a time: the newest */
#define WATCHES_MAX   4  /* resources in which one removed thing is looked for */
#define READS_MAX     8  /* the session's newest reads, of different resources */
#define ODDS_LIKELY   0.1001
#define COUNTS_LIKELY 2

/* Where a removed thing had been shown. */
struct watch {
    uint32_t resource;
    uint32_t place; /* of the view; or WW_NONE: the thing's own path */
    size_t gone;    /* the writer's worker lacks it, the last time; or NOWHERE */
    size_t there;   /* another worker shows it, since; or NOWHERE */
    bool useless;
};

struct fact {
    size_t removal;
    uint32_t value; /* its last path segment, or what the request carried */
    struct watch watch[WATCHES_MAX];
    size_t watches;
    bool dead;
};

/* Of one kind of removal and one kind of read, over all sessions. */
struct relation {
    struct ww_table table; /* kept: gone; lost: there again; same: the remover's worker */
    struct comeback {
        size_t removal, gone, there,
            again; /* gone, again: at the remover's worker; or NOWHERE */
        uint32_t value, place;
    } best;
    bool has_best;
};

struct walk {
    struct model *m;
    struct fact fact[FACTS_MAX];
    size_t facts;
    size_t read[READS_MAX];
    size_t reads;
    struct ww_map at;
    struct relation *relation;
    size_t relations, cap;
};

static struct relation *relation_of(struct walk *w, const struct fact *f, size_t read)
{
    uint32_t key[2] = { w->m->look[f->removal].route, w->m->look[read].scope };
    ww_str text = ww_str_n((const char *)key, sizeof key);
    size_t *known = ww_map_find(&w->at, text);

    if (known != NULL)
        return &w->relation[*known];
    if (w->relations == w->cap)
        w->relation = ww_grow(w->relation, w->relations + 1, &w->cap, sizeof *w->relation);
    w->relation[w->relations] = (struct relation){ 0 };
    ww_map_put(&w->at, ww_arena_dup(&w->m->arena, text), w->relations, NULL);
    return &w->relation[w->relations++];
}

/* ---- removals */

static bool shows_at(const struct model *m, size_t read, uint32_t place, uint32_t value)
{
    const struct view *v = &m->normal.view[m->look[read].view];

    for (uint32_t i = ww_view_first(&m->normal, m->look[read].view, place);
         i < v->leaves && v->leaf[i].path == place; i++) {
        if (v->leaf[i].value == value)
            return true;
    }
    return false;
}

/* "/items/ * /id", "/users/ * /name", but no count: what stands in a list, or is no number. */
static uint32_t place_in(const struct model *m, size_t read, uint32_t value)
{
    const struct view *v = &m->normal.view[m->look[read].view];

    for (uint32_t i = 0; i < v->leaves && v->kind == VIEW_JSON; i++) {
        ww_str path = ww_word_text(&m->normal, v->leaf[i].path);
        if (v->leaf[i].value == value && ww_str_find(path, WW_STR("/*")) >= 0 &&
            (!m->normal.word[value].is_number || ww_str_ends(path, WW_STR("id")) ||
             ww_str_ends(path, WW_STR("/*"))))
            return v->leaf[i].path;
    }
    return WW_NONE;
}

static void follow(struct walk *w, size_t step, uint32_t value, bool own_path)
{
    struct fact *f = &w->fact[w->facts % FACTS_MAX];

    *f = (struct fact){ .removal = step, .value = value };
    if (own_path)
        f->watch[f->watches++] =
            (struct watch){ .place = WW_NONE, .gone = NOWHERE, .there = NOWHERE };
    for (size_t i = 0; i < READS_MAX && i < w->reads && f->watches < WATCHES_MAX; i++) {
        size_t read = w->read[i];
        uint32_t place = place_in(w->m, read, value);
        if (place != WW_NONE)
            f->watch[f->watches++] = (struct watch){ .resource = w->m->look[read].resource,
                                                     .place = place,
                                                     .gone = NOWHERE,
                                                     .there = NOWHERE };
    }
    w->facts += f->watches > 0;
}

static void begin(struct walk *w, size_t step)
{
    struct model *m = w->m;
    const struct look *l = &m->look[step];
    ww_str path = ww_word_text(&m->normal, l->path);
    size_t from = path.len;

    while (from > 0 && path.ptr[from - 1] != '/') {
        from--;
    }
    size_t *last = ww_map_find(&m->normal.word_at, ww_str_from(path, from));
    if (ww_str_eq(m->v.step[step].method, WW_STR("DELETE"))) {
        follow(w, step, last == NULL ? WW_NONE - 1 : (uint32_t)*last, true);
        return;
    }
    for (size_t i = 0; i < l->carrieds && i < WATCHES_MAX; i++) {
        follow(w, step, m->carried[l->carried + i].value, false);
    }
}

/* ---- what comes after */

static bool is_family(ww_str a, ww_str b)
{
    return ww_str_starts(a, b) || ww_str_starts(b, a);
}

/* A write, by anybody, that may have made it anew, or removed it once more. */
static bool could_create(const struct model *m, size_t step, void *ctx)
{
    const struct fact *f = ctx;
    const struct look *l = &m->look[step];

    if (step == f->removal)
        return false;
    for (size_t i = 0; i < l->carrieds; i++) {
        if (m->carried[l->carried + i].value == f->value)
            return true;
    }
    if (ww_str_eq(m->v.step[step].method, WW_STR("DELETE")))
        return l->path == m->look[f->removal].path;
    return is_family(ww_word_text(&m->normal, l->path),
                     ww_word_text(&m->normal, m->look[f->removal].path));
}

static void note_there(struct walk *w, struct fact *f, struct watch *watch, size_t read,
                       size_t again)
{
    struct relation *r = relation_of(w, f, watch->there != NOWHERE ? watch->there : read);
    struct comeback c = { f->removal, watch->gone, again == NOWHERE ? read : watch->there,
                          again,      f->value,    watch->place };
    unsigned fresh = (c.again != NOWHERE ? 2u : 0u) + (c.gone != NOWHERE ? 1u : 0u);
    unsigned old = (r->best.again != NOWHERE ? 2u : 0u) + (r->best.gone != NOWHERE ? 1u : 0u);

    if (!r->has_best || fresh > old)
        r->best = c;
    r->has_best = true;
}

static void on_gone(struct walk *w, struct fact *f, struct watch *watch, size_t read, bool home)
{
    struct relation *r = relation_of(w, f, read);

    r->table.same_kept += home;
    r->table.changed_kept += !home;
    if (!home)
        return;
    if (watch->gone != NOWHERE && watch->there != NOWHERE)
        note_there(w, f, watch, watch->there, read);
    watch->gone = read;
    watch->there = NOWHERE;
}

static void on_there(struct walk *w, struct fact *f, struct watch *watch, size_t read,
                     bool home)
{
    struct relation *r = relation_of(w, f, read);

    if (home) {
        /* It was not removed, or comes back by itself: no matter of workers. */
        r->table.same_lost++;
        watch->useless = true;
        return;
    }
    r->table.changed_lost++;
    watch->there = NOWHERE;
    note_there(w, f, watch, read, NOWHERE);
    watch->there = read;
}

enum sight { NOTHING, GONE, THERE };

static enum sight see(const struct walk *w, const struct fact *f, const struct watch *watch,
                      size_t read)
{
    const struct model *m = w->m;
    unsigned status = m->v.step[read].status;

    if (watch->place == WW_NONE) {
        if (m->look[read].path != m->look[f->removal].path || !ww_speaks(m, read) ||
            m->look[read].overlaps)
            return NOTHING;
        return status == 404 || status == 410 ? GONE : status / 100 == 2 ? THERE : NOTHING;
    }
    if (m->look[read].resource != watch->resource || !ww_readable(m, read))
        return NOTHING;
    if (shows_at(m, read, watch->place, f->value))
        return THERE;
    return m->normal.view[m->look[read].view].cut ? NOTHING : GONE;
}

static void look_at(struct walk *w, struct fact *f, size_t read)
{
    struct model *m = w->m;

    if (f->dead || !ww_before(m, f->removal, read) ||
        m->look[f->removal].actor != m->look[read].actor)
        return;
    for (size_t i = 0; i < f->watches && !f->dead; i++) {
        struct watch *watch = &f->watch[i];
        enum sight sight = watch->useless ? NOTHING : see(w, f, watch, read);
        if (sight == NOTHING)
            continue;
        if (ww_changed_between(m, m->v.step[f->removal].started_us, m->v.step[read].ended_us,
                               could_create, f)) {
            f->dead = true;
            return;
        }
        bool home = m->v.step[read].worker == m->v.step[f->removal].worker;
        if (sight == GONE) {
            on_gone(w, f, watch, read, home);
        } else {
            on_there(w, f, watch, read, home);
        }
    }
}

static void note_read(struct walk *w, size_t step)
{
    size_t i = 0;

    while (i < w->reads && i < READS_MAX &&
           w->m->look[w->read[i]].resource != w->m->look[step].resource) {
        i++;
    }
    if (i < w->reads && i < READS_MAX) {
        w->read[i] = step;
    } else {
        w->read[w->reads++ % READS_MAX] = step;
    }
}

static void walk_session(struct walk *w, const struct ww_verdict_session *s)
{
    struct model *m = w->m;

    w->facts = w->reads = 0;
    for (size_t i = 0; i < s->steps; i++) {
        const struct look *l = &m->look[s->step[i]];
        if (l->logout)
            w->facts = 0;
        if (l->kind == LOOK_READ && !l->removal) {
            for (size_t k = 0; k < w->facts && k < FACTS_MAX; k++) {
                look_at(w, &w->fact[k], s->step[i]);
            }
            if (ww_readable(m, s->step[i]))
                note_read(w, s->step[i]);
        } else if (l->kind == LOOK_WRITE && l->removal && !l->logout && l->acknowledged &&
                   !l->overlaps && ww_speaks(m, s->step[i])) {
            begin(w, s->step[i]);
        }
    }
}

/* ---- claims */

static enum ww_grade grade_of(const struct model *m, const struct relation *r)
{
    const struct ww_table *t = &r->table;

    if (t->changed_kept > 0 || ww_restarted_since(m, r->best.removal, r->best.there))
        return WW_POSSIBLE;
    if (r->best.again != NOWHERE)
        return WW_CONFIRMED;
    if (r->best.gone != NOWHERE)
        return WW_LIKELY;
    return t->changed_lost >= COUNTS_LIKELY && ww_table_odds(t) <= ODDS_LIKELY ? WW_LIKELY
                                                                               : WW_POSSIBLE;
}

static void claim_relation(struct model *m, const struct relation *r)
{
    const struct comeback *b = &r->best;
    ww_str value = b->place == WW_NONE ? WW_STR("it") : ww_quotable(m, b->value);
    const char *quote = b->place == WW_NONE ? "" : "\"";
    struct claim c = { .guarantee = WW_READ_YOUR_WRITES,
                       .grade = grade_of(m, r),
                       .cause = WW_CAUSE_WORKER_MEMORY,
                       .step = b->there,
                       .place = b->place == WW_NONE ? WW_STR("status")
                                                    : ww_word_text(&m->normal, b->place),
                       .table = r->table,
                       .occurrences = r->table.changed_lost,
                       .telling = 1 };

    c.message = ww_arena_printf(
        &m->arena, WW_STRF " succeeded, but " WW_STRF " still shows %s" WW_STRF "%s%s",
        WW_STRV(ww_step_words(m, b->removal)), WW_STRV(ww_step_words(m, b->there)), quote,
        WW_STRV(value), quote,
        b->gone == NOWHERE ? "" : ", which the first one no longer does");
    ww_claim_witness(&c, m, b->removal, "removed", value);
    if (b->gone != NOWHERE)
        ww_claim_witness(&c, m, b->gone, "read-gone", value);
    ww_claim_witness(&c, m, b->there, "read-there", value);
    if (b->again != NOWHERE)
        ww_claim_witness(&c, m, b->again, "read-gone", value);
    ww_claim(m, &c);
    if (c.grade >= WW_LIKELY)
        m->blamed[b->there] = true;
}

static void check(struct model *m)
{
    struct walk *w = ww_xcalloc(1, sizeof *w);

    w->m = m;
    ww_map_init(&w->at);
    for (size_t i = 0; i < m->v.sessions; i++) {
        walk_session(w, &m->v.session[i]);
    }
    for (size_t i = 0; i < w->relations; i++) {
        if (w->relation[i].has_best && w->relation[i].table.same_lost == 0)
            claim_relation(m, &w->relation[i]);
    }
    ww_map_release(&w->at);
    free(w->relation);
    free(w);
}

const struct rule ww_rule_came_back = {
    .guarantee = WW_READ_YOUR_WRITES,
    .help = "what the session removed on one worker is still there on another",
    .check = check,
};

/* judge: read-your-writes: a value the session wrote on one worker is missing on another. */
#include "read_your_writes.h"

#include <stdlib.h>

#define FACTS_MAX   64 /* values of one session that are followed at a time: the newest */
#define WATCHES_MAX 8  /* resources in which one value is looked for */
#define PAGE_MIN    6  /* scalars of a list that may be a page */
#define BETWEEN_MAX 6  /* kinds of later writes that one value may have outlived */

/* Where a fact is looked for. */
struct watch {
    uint32_t resource;
    uint32_t relation;
    bool absent; /* it was not there at `since_us`, before the write */
    int64_t since_us;
    uint32_t was;  /* the session's last read of it before the write, or WW_NONE */
    bool useless;  /* it was there before the write */
    size_t kept;   /* the last step that is known to have had it */
    enum leg from; /* what kind of step that is */
    bool before;   /* the writer's worker showed it in a read */
    bool pending;
    bool lost;    /* `loss` is of a read, pending or not */
    bool excused; /* the pending loss counts only if the writer's worker shows it again */
    struct loss loss;
    struct sightings seen;
};

/* A value that a write of the session carried. */
struct fact {
    size_t write;
    struct carried what;
    uint32_t kind; /* the word for write route, field and answer's shape */
    uint32_t between[BETWEEN_MAX];
    size_t betweens;
    bool closed; /* a later write carried the same value: what begins to show it may be that
                    one's */
    struct watch watch[WATCHES_MAX];
    size_t watches;
    bool dead;
};

struct walk {
    struct model *m;
    bool judging; /* the second walk; the first one learns */
    struct crossings cross;
    struct fact fact[FACTS_MAX];
    size_t facts; /* ever; the slot is facts % FACTS_MAX */
    struct ww_map relation_at;
    struct relation *relation;
    size_t relations, relation_cap;
    struct ww_map harmless; /* relation and route of a later write */
    uint32_t *last_read;    /* by resource word: the session's last read of it */
    uint32_t *most;         /* by scope word: the scalars of the largest view of it */
};

static ww_str key_of(struct walk *w, uint32_t a, uint32_t b, uint32_t key[2])
{
    key[0] = a;
    key[1] = b;
    return ww_str_n((const char *)key, 2 * sizeof *key);
}

static struct relation *relation_of(struct walk *w, const struct fact *f, size_t read,
                                    uint32_t *out_index)
{
    uint32_t pair[2];
    ww_str key = key_of(w, f->kind, w->m->look[read].scope, pair);
    size_t *known = ww_map_find(&w->relation_at, key);

    if (known == NULL) {
        if (w->relations == w->relation_cap) {
            w->relation =
                ww_grow(w->relation, w->relations + 1, &w->relation_cap, sizeof *w->relation);
        }
        w->relation[w->relations] =
            (struct relation){ .example = f->what, .first = WW_NONE, .home_odds = 1 };
        known =
            ww_map_put(&w->relation_at, ww_arena_dup(&w->m->arena, key), w->relations++, NULL);
    }
    *out_index = (uint32_t)*known;
    return &w->relation[*known];
}

static bool is_harmless(struct walk *w, uint32_t relation, uint32_t route)
{
    uint32_t pair[2];

    return ww_map_find(&w->harmless, key_of(w, relation, route, pair)) != NULL;
}

static void learn_harmless(struct walk *w, uint32_t relation, uint32_t route)
{
    uint32_t pair[2];

    if (!is_harmless(w, relation, route)) {
        ww_map_put(&w->harmless, ww_arena_dup(&w->m->arena, key_of(w, relation, route, pair)),
                   1, NULL);
    }
}

/* ---- facts begin and end */

static void flush(struct walk *w, struct watch *watch);

static struct fact *fact_at(struct walk *w, size_t i)
{
    return i < FACTS_MAX && i < w->facts ? &w->fact[i] : NULL;
}

static void fact_die(struct walk *w, struct fact *f)
{
    for (size_t i = 0; i < f->watches && !f->dead; i++) {
        struct watch *watch = &f->watch[i];
        flush(w, watch);
        if (w->judging && watch->absent && !watch->useless)
            ww_sightings_settle(&watch->seen, w->m, f->write, &w->relation[watch->relation]);
    }
    f->dead = true;
}

/* A later write carries the same value: where the older one was not seen yet, it no longer
 * tells. */
static void facts_close(struct walk *w, uint32_t value)
{
    struct fact *f;

    for (size_t i = 0; (f = fact_at(w, i)) != NULL; i++) {
        if (f->what.value != value)
            continue;
        f->closed = true;
        for (size_t k = 0; k < f->watches; k++) {
            if (f->watch[k].kept == f->write) {
                flush(w, &f->watch[k]);
                f->watch[k].useless = true;
            }
        }
    }
}

static uint32_t kind_of(struct model *m, const struct look *l, uint32_t field, bool weak)
{
    const uint32_t part[4] = { weak, l->route, field, l->shape };

    ww_buf_clear(&m->scratch);
    ww_buf_add_c(&m->scratch, "kind ");
    ww_buf_add(&m->scratch, ww_str_n((const char *)part, sizeof part));
    return ww_word(&m->normal, ww_buf_str(&m->scratch));
}

static void facts_begin(struct walk *w, size_t step)
{
    struct model *m = w->m;
    const struct look *l = &m->look[step];

    for (size_t i = 0; i < l->carrieds; i++) {
        facts_close(w, m->carried[l->carried + i].value);
    }
    for (size_t i = 0; i < l->carrieds; i++) {
        struct carried what = m->carried[l->carried + i];
        if (l->overlaps && !what.place)
            continue;
        bool weak = m->v.session[m->v.step[step].session].weak;
        /* A session that may be several people's must not speak for the others. */
        uint32_t kind = kind_of(m, l, what.field, weak);
        if (w->facts >= FACTS_MAX)
            fact_die(w, &w->fact[w->facts % FACTS_MAX]);
        w->fact[w->facts++ % FACTS_MAX] =
            (struct fact){ .write = step, .what = what, .kind = kind };
    }
}

/* The session itself changed something: that may have taken the value away. */
static void own_change(struct walk *w, size_t step)
{
    const struct look *l = &w->m->look[step];
    struct fact *f;

    for (size_t i = 0; (f = fact_at(w, i)) != NULL; i++) {
        size_t k = 0;
        while (k < f->betweens && f->between[k] != l->route) {
            k++;
        }
        if (l->removal || l->logout || k == BETWEEN_MAX) {
            fact_die(w, f);
        } else if (k == f->betweens) {
            f->between[f->betweens++] = l->route;
        }
    }
}

/* ---- looking */

static struct watch *watch_of(struct walk *w, struct fact *f, size_t read)
{
    struct model *m = w->m;
    uint32_t resource = m->look[read].resource;

    for (size_t i = 0; i < f->watches; i++) {
        if (f->watch[i].resource == resource)
            return &f->watch[i];
    }
    if (f->watches == WATCHES_MAX || f->closed)
        return NULL;

    struct watch *watch = &f->watch[f->watches++];
    *watch = (struct watch){ .resource = resource, .kept = f->write };
    relation_of(w, f, read, &watch->relation);
    uint32_t before = w->last_read[resource];
    watch->absent = f->what.place || f->what.value >= m->look[f->write].first_word;
    watch->since_us = m->v.step[f->write].started_us;
    watch->was = WW_NONE;
    if (!f->what.place && before != WW_NONE &&
        m->v.step[before].session == m->v.step[read].session &&
        m->look[before].at < m->look[f->write].at) {
        watch->useless = ww_view_shows(&m->normal, m->look[before].view, f->what.value);
        if (!watch->absent)
            watch->since_us = m->v.step[before].started_us;
        watch->absent = true;
        watch->was = before;
    }
    return watch;
}

/* ---- the first walk: which writes show in which reads, which writes leave them alone */

/* What was in the list before is still there, and the value stands in a list: the write adds.
 */
static void no_loss(void *ctx, struct leaf l, bool in_a)
{
    bool *lost = ctx;

    *lost = *lost || in_a;
}

static bool carries(const struct model *m, size_t step, void *ctx)
{
    const struct fact *f = ctx;
    const struct look *l = &m->look[step];

    if (step == f->write)
        return false;
    for (size_t i = 0; i < l->carrieds; i++) {
        if (m->carried[l->carried + i].value == f->what.value)
            return true;
    }
    return false;
}

/* That the read shows the value is this write's doing: it was not there before, and nobody else
 * wrote it meanwhile. */
static bool is_its_doing(const struct model *m, struct fact *f, const struct watch *watch,
                         size_t read)
{
    return watch->absent &&
           !ww_changed_between(m, watch->since_us, m->v.step[read].ended_us, carries, f);
}

/* What was there before is still there: the write adds. */
static bool has_grown(struct walk *w, const struct fact *f, size_t read)
{
    struct model *m = w->m;
    uint32_t before = w->last_read[m->look[read].resource];
    bool lost = false;

    if (f->what.place || before == WW_NONE ||
        m->v.step[before].session != m->v.step[read].session ||
        m->look[before].at > m->look[f->write].at)
        return false;
    ww_view_diff(&m->normal, m->look[before].view, m->look[read].view, no_loss, &lost);
    return !lost;
}

static void learn(struct walk *w, struct fact *f, struct watch *watch, size_t read)
{
    struct model *m = w->m;
    struct relation *r = &w->relation[watch->relation];
    uint32_t place =
        f->what.place ? WW_NONE : ww_view_place(&m->normal, m->look[read].view, f->what.value);

    if (m->v.step[read].worker != m->v.step[f->write].worker)
        return;
    bool in_list =
        place != WW_NONE && ww_str_find(ww_word_text(&m->normal, place), WW_STR("/*")) >= 0;
    bool grown = has_grown(w, f, read);
    if (is_its_doing(m, f, watch, read)) {
        r->learned++;
        r->grew += grown;
        r->several = r->several || (r->first != WW_NONE && r->first != f->what.value);
        r->first = f->what.value;
        r->listed = r->listed || in_list;
        r->scalar = r->scalar || place != WW_NONE;
    }
    if (ww_crossing(&w->cross, m, f->write, read) != CROSS_SAME)
        return;
    for (size_t i = 0; i < f->betweens; i++) {
        learn_harmless(w, watch->relation, f->between[i]);
    }
    if (grown && in_list)
        learn_harmless(w, watch->relation, m->look[f->write].route);
}

/* ---- the second walk */

struct foreign {
    struct walk *w;
    const struct fact *fact;
    uint32_t relation;
    size_t session;
    bool unknown_kind;
};

/* Other clients' changes that could have removed or replaced the value. */
static bool could_remove(const struct model *m, size_t step, void *ctx)
{
    struct foreign *x = ctx;
    const struct look *l = &m->look[step];
    ww_str method = m->v.step[step].method;

    if (m->v.step[step].session == x->session)
        return false;
    if (l->removal || l->logout)
        return true;
    if (is_harmless(x->w, x->relation, l->route))
        return false;
    x->unknown_kind = true;
    return ww_str_eq(method, WW_STR("PUT")) || ww_str_eq(method, WW_STR("PATCH")) ||
           l->route == m->look[x->fact->write].route;
}

static bool outlived_harm(struct walk *w, const struct fact *f, const struct watch *watch)
{
    for (size_t i = 0; i < f->betweens; i++) {
        if (!is_harmless(w, watch->relation, f->between[i]))
            return false;
    }
    return true;
}

/* The read sent the session cookie that the write had left, or there was none. */
static bool same_cookie(const struct model *m, size_t write, size_t read)
{
    const struct look *w = &m->look[write], *r = &m->look[read];
    size_t left = w->sets > 0 ? w->set : w->sent;

    if (r->sents == 0 || w->sets + w->sents == 0)
        return r->sents == w->sets + w->sents;
    return m->cookie[r->sent].pair == m->cookie[left].pair;
}

static struct tally *tally_of(struct walk *w, const struct watch *watch)
{
    return &w->relation[watch->relation].tally[watch->from];
}

static unsigned strength(const struct model *m, const struct loss *l)
{
    bool weak = m->v.session[m->v.step[l->lost].session].weak;

    return (weak ? 0u : 32u) + (l->again ? 16u : 0u) + (l->before ? 8u : 0u) +
           (l->payload ? 4u : 0u) + (l->doubtful ? 0u : 2u) + (l->caught_up ? 0u : 1u);
}

/* The pending loss is as well known as it will be. */
static void flush(struct walk *w, struct watch *watch)
{
    struct tally *t = tally_of(w, watch);

    if (!watch->pending)
        return;
    watch->pending = false;
    if (watch->excused && !watch->loss.again && !watch->loss.late)
        return;
    t->table.changed_lost++;
    if (!t->has_best || strength(w->m, &watch->loss) > strength(w->m, &t->best))
        t->best = watch->loss;
    t->has_best = true;
}

/* A change after the loss, by anybody, may have brought the value back. */
static bool could_restore(const struct model *m, size_t step, void *ctx)
{
    struct foreign *x = ctx;
    const struct look *l = &m->look[step];

    return l->removal || !is_harmless(x->w, x->relation, l->route) ||
           carries(m, step, (void *)(uintptr_t)x->fact);
}

static bool came_back(struct walk *w, const struct fact *f, const struct watch *watch,
                      size_t read)
{
    struct foreign x = { .w = w, .fact = f, .relation = watch->relation };

    return ww_changed_between(w->m, w->m->v.step[watch->loss.lost].started_us,
                              w->m->v.step[read].ended_us, could_restore, &x);
}

/* The losing worker shows it later, and nothing was changed since. */
static bool catches_up(const struct model *m, const struct watch *watch, size_t read)
{
    const struct ww_step *v = m->v.step;

    return watch->lost && v[read].worker == v[watch->loss.lost].worker &&
           !ww_any_change(m, v[watch->loss.lost].started_us, v[read].ended_us);
}

static void judge_shown(struct walk *w, struct fact *f, struct watch *watch, size_t read)
{
    struct model *m = w->m;
    struct ww_table *t = &tally_of(w, watch)->table;
    enum ww_crossing how = ww_crossing(&w->cross, m, watch->kept, read);

    if (catches_up(m, watch, read))
        w->relation[watch->relation].caught_up = true;
    if (watch->pending) {
        bool back = m->v.step[read].worker == m->v.step[f->write].worker &&
                    !came_back(w, f, watch, read);
        watch->loss.again = back && watch->loss.before;
        watch->loss.late = back && !watch->loss.before;
        watch->loss.caught_up = catches_up(m, watch, read);
        watch->loss.choice =
            watch->loss.again && ww_is_choice(m, f->what.value, watch->loss.kept, read);
        if (watch->loss.late)
            watch->loss.kept = read;
        flush(w, watch);
    } else if (watch->from == FROM_WRITE && !is_its_doing(m, f, watch, read)) {
        /* It may have been there all the time. */
    } else if (how == CROSS_SAME) {
        t->same_kept++;
    } else if (how == CROSS_CHANGED) {
        t->changed_kept++;
    }
    if (m->v.step[read].worker == m->v.step[f->write].worker)
        watch->before = true;
    watch->kept = read;
    watch->from = FROM_READ;
}

static bool another_change(const struct model *m, size_t step, void *ctx)
{
    const struct fact *f = ctx;

    return step != f->write;
}

/* A list of the newest is full: what came in since has pushed the value out of it. Or it shows
 * its first page only: it never was longer than now. */
static bool is_pushed_out(struct walk *w, struct fact *f, const struct watch *watch,
                          size_t read)
{
    const struct look *l = &w->m->look[read];

    if (f->what.place || l->view == WW_NONE)
        return false;
    uint32_t leaves = w->m->normal.view[l->view].leaves;
    if (watch->from == FROM_WRITE && leaves >= PAGE_MIN && leaves >= w->most[l->scope])
        return true;
    return leaves >= w->most[l->scope] / 4 * 3 &&
           ww_changed_between(w->m, w->m->v.step[watch->kept].started_us,
                              w->m->v.step[read].started_us, another_change, f);
}

static void judge_missing(struct walk *w, struct fact *f, struct watch *watch, size_t read)
{
    struct model *m = w->m;
    struct ww_table *t = &tally_of(w, watch)->table;
    enum ww_crossing how = ww_crossing(&w->cross, m, watch->kept, read);
    struct foreign foreign = {
        .w = w, .fact = f, .relation = watch->relation, .session = m->v.step[read].session
    };

    bool home = m->v.step[read].worker == m->v.step[f->write].worker;
    if (f->what.place) {
        how = home ? CROSS_SAME : CROSS_CHANGED;
    } else if (how == CROSS_NEITHER && home && same_cookie(m, f->write, read)) {
        /* crossed and came back: the worker's own memory would still have it */
        how = CROSS_SAME;
    }
    if (how == CROSS_NEITHER || (watch->pending && !home))
        return;
    /* What a client carries in its own cookie is out of the others' reach. */
    bool payload = ww_in_payload(m, f->write, read);
    bool named = payload && ww_names_member(m, f->write, &f->what, read);
    bool excused =
        !payload && (ww_changed_between(m, m->v.step[watch->kept].started_us,
                                        m->v.step[read].ended_us, could_remove, &foreign) ||
                     is_pushed_out(w, f, watch, read));
    if (home && watch->pending && !excused)
        watch->pending = false; /* the writer's worker lacks it, too */
    if (how == CROSS_SAME) {
        t->same_lost += !excused;
        watch->useless = true;
        return;
    }
    watch->pending = watch->lost = true;
    watch->excused = excused;
    watch->loss = (struct loss){ .write = f->write,
                                 .kept = watch->kept,
                                 .lost = read,
                                 .before = watch->before,
                                 .payload = payload,
                                 .mirrored = payload && ww_mirrors(m, read),
                                 .named = named,
                                 .as_before = watch->was != WW_NONE &&
                                              ww_view_same(&m->normal, m->look[watch->was].view,
                                                           m->look[read].view),
                                 .doubtful = foreign.unknown_kind };
}

/* The words of the value stand somewhere in the JSON, where it else is a scalar of its own:
 * "book 4 of 2" in "book 4 of 1", "book 2 of 2". */
static bool is_vague(const struct walk *w, const struct fact *f, const struct watch *watch,
                     size_t read)
{
    uint32_t view = w->m->look[read].view;

    return !f->what.place && w->relation[watch->relation].scalar &&
           w->m->normal.view[view].kind == VIEW_JSON &&
           ww_view_place(&w->m->normal, view, f->what.value) == WW_NONE;
}

static void look_at(struct walk *w, struct fact *f, size_t read)
{
    enum ww_sight sight = f->dead || !ww_before(w->m, f->write, read) ||
                                  w->m->look[f->write].actor != w->m->look[read].actor
                              ? SIGHT_NOTHING
                              : ww_see(w->m, f->write, &f->what, read);
    struct watch *watch = sight == SIGHT_NOTHING ? NULL : watch_of(w, f, read);

    if (watch == NULL || watch->useless)
        return;
    if (!w->judging) {
        if (sight == SIGHT_SHOWN) {
            learn(w, f, watch, read);
            watch->kept = read;
        }
        return;
    }
    bool payload = ww_in_payload(w->m, f->write, read);
    if (w->relation[watch->relation].learned == 0 && !f->what.place &&
        !(payload &&
          (ww_mirrors(w->m, read) || ww_names_member(w->m, f->write, &f->what, read))))
        return;
    bool vague = sight == SIGHT_SHOWN && is_vague(w, f, watch, read);
    ww_sightings_add(&watch->seen, w->m, f->write, read, sight == SIGHT_SHOWN && !vague);
    if (vague)
        return;
    if (!payload && !outlived_harm(w, f, watch))
        return;
    if (sight == SIGHT_SHOWN) {
        judge_shown(w, f, watch, read);
    } else if (watch->from == FROM_READ ||
               !ww_is_of_another_thing(w->m, f->write, &f->what, read)) {
        judge_missing(w, f, watch, read);
    }
}

static void note_read(struct walk *w, size_t step)
{
    const struct look *l = &w->m->look[step];
    uint32_t leaves = w->m->normal.view[l->view].leaves;

    w->last_read[l->resource] = (uint32_t)step;
    if (leaves > w->most[l->scope])
        w->most[l->scope] = leaves;
}

static void walk_session(struct walk *w, const struct ww_verdict_session *s)
{
    struct model *m = w->m;
    struct fact *f;

    w->facts = 0;
    ww_crossings_of(&w->cross, m, s);
    for (size_t i = 0; i < s->steps; i++) {
        size_t step = s->step[i];
        const struct look *l = &m->look[step];
        if (l->kind == LOOK_READ) {
            for (size_t k = 0; (f = fact_at(w, k)) != NULL; k++) {
                look_at(w, f, step);
            }
            if (ww_readable(m, step))
                note_read(w, step);
        }
        if (l->changes)
            own_change(w, step);
        if (l->kind == LOOK_WRITE && l->acknowledged && ww_speaks(m, step))
            facts_begin(w, step);
    }
    for (size_t k = 0; (f = fact_at(w, k)) != NULL; k++) {
        fact_die(w, f);
    }
}

static void check(struct model *m)
{
    struct walk *w = ww_xcalloc(1, sizeof *w);
    size_t words = m->normal.words + 1;

    w->m = m;
    ww_map_init(&w->relation_at);
    ww_map_init(&w->harmless);
    w->last_read = ww_xmalloc(words * sizeof *w->last_read);
    w->most = ww_xcalloc(words, sizeof *w->most);
    for (int pass = 0; pass < 2; pass++) {
        w->judging = pass == 1;
        memset(w->last_read, 0xff, words * sizeof *w->last_read);
        for (size_t i = 0; i < m->v.sessions; i++) {
            walk_session(w, &m->v.session[i]);
        }
    }
    for (size_t i = 0; i < w->relations; i++) {
        struct relation *r = &w->relation[i];
        for (enum leg from = FROM_WRITE; from <= FROM_READ; from++) {
            r->tally[from].best.caught_up |= r->caught_up;
        }
        ww_relation_claim(m, r);
    }
    ww_map_release(&w->relation_at);
    ww_map_release(&w->harmless);
    ww_crossings_release(&w->cross);
    free(w->relation);
    free(w->last_read);
    free(w->most);
    free(w);
}

const struct rule ww_rule_read_your_writes = {
    .guarantee = WW_READ_YOUR_WRITES,
    .help = "a value that the session wrote on one worker is missing on another",
    .check = check,
};

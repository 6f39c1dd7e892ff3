/* judge: what one client wrote, equal requests of any client show on the writer's worker only.
 */
#include "rule.h"

#include <stdlib.h>

/*
 * Tests that stop at the first failure write once and read once, each as a client of its own:
 * no session has a reading to compare with. But requests in which nothing differs that an
 * application could see (target, fields, cookies, credentials) are one reader to it. What such
 * requests show, lack and show again, while nobody wrote it anew, cannot be one shared list.
 */
#define TRACKS_MAX    32 /* values that are followed for one kind of request: the newest */
#define LEAVES_SEEN   256
#define FLAPS_CERTAIN 2
#define FULL_MIN      4 /* a shorter list is not taken for one that is full */

#define NOWHERE SIZE_MAX

/* By word: the only write that carried it, and in which field. */
struct origin {
    size_t write; /* NOWHERE: none, or several */
    uint32_t field;
    bool taken;
};

/* A value that one kind of request has shown. */
struct track {
    uint32_t value, place;
    size_t shown, missing; /* the last time on the writer's worker; elsewhere since; NOWHERE */
    bool dead;
};

/* Requests that are equal in all that an application can see. */
struct reader {
    struct track *track;
    size_t tracks, track_cap; /* tracks: ever begun; the oldest give way */
};

/* Of one field of one kind of write, in one kind of read. */
struct relation {
    struct ww_table table;
    uint64_t flaps;
    bool contradicted; /* another worker showed such a value, or the writer's lacked it */
    struct flap {
        size_t write, shown, missing, back; /* back: or NOWHERE */
        uint32_t value, place;
    } best;
    bool has_best;
};

struct walk {
    struct model *m;
    struct origin *origin;
    uint32_t *most; /* by scope: the most leaves that a view of it had */
    struct ww_map reader_at, relation_at;
    struct reader *reader;
    size_t readers, reader_cap;
    struct relation *relation;
    size_t relations, relation_cap;
};

/* ---- who wrote what */

static bool is_telling(const struct model *m, struct carried c)
{
    const struct word *w = &m->normal.word[c.value];

    return !c.place && !w->is_number && !w->volatile_value &&
           !ww_str_starts(ww_word_text(&m->normal, c.field), WW_STR("answer "));
}

static void note_origins(struct walk *w)
{
    const struct model *m = w->m;

    for (size_t step = 0; step < m->v.steps; step++) {
        const struct look *l = &m->look[step];
        bool good = l->kind == LOOK_WRITE && l->acknowledged && ww_speaks(m, step);
        for (size_t i = 0; i < l->carrieds; i++) {
            struct carried c = m->carried[l->carried + i];
            struct origin *o = &w->origin[c.value];
            if (!is_telling(m, c) || (o->taken && o->write == step))
                continue;
            o->write = good && !o->taken ? step : NOWHERE;
            o->field = c.field;
            o->taken = true;
        }
    }
}

/* ---- readers and relations */

static size_t number_of(struct walk *w, struct ww_map *map, size_t next)
{
    ww_str key = ww_buf_str(&w->m->scratch);
    size_t *known = ww_map_find(map, key);

    return known != NULL ? *known
                         : *ww_map_put(map, ww_arena_dup(&w->m->arena, key), next, NULL);
}

static void add_word(struct walk *w, uint32_t word)
{
    ww_buf_add(&w->m->scratch, ww_str_n((const char *)&word, sizeof word));
}

static struct reader *reader_of(struct walk *w, size_t step)
{
    const struct look *l = &w->m->look[step];

    ww_buf_clear(&w->m->scratch);
    add_word(w, l->resource);
    add_word(w, l->actor);
    add_word(w, l->credential);
    for (size_t i = 0; i < l->sents; i++) {
        add_word(w, w->m->cookie[l->sent + i].pair);
    }
    size_t i = number_of(w, &w->reader_at, w->readers);
    if (i == w->readers) {
        if (w->readers == w->reader_cap)
            w->reader = ww_grow(w->reader, w->readers + 1, &w->reader_cap, sizeof *w->reader);
        w->reader[w->readers++] = (struct reader){ .tracks = 0 };
    }
    return &w->reader[i];
}

static struct relation *relation_of(struct walk *w, uint32_t value, size_t read)
{
    const struct origin *o = &w->origin[value];

    ww_buf_clear(&w->m->scratch);
    add_word(w, w->m->look[o->write].route);
    add_word(w, o->field);
    add_word(w, w->m->look[read].scope);
    size_t i = number_of(w, &w->relation_at, w->relations);
    if (i == w->relations) {
        if (w->relations == w->relation_cap) {
            w->relation =
                ww_grow(w->relation, w->relations + 1, &w->relation_cap, sizeof *w->relation);
        }
        w->relation[w->relations++] = (struct relation){ .flaps = 0 };
    }
    return &w->relation[i];
}

/* ---- what a read shows */

struct between {
    const struct walk *w;
    uint32_t value;
};

/* Only more writes of the same kind, with other values, leave no doubt. */
static bool could_matter(const struct model *m, size_t step, void *ctx)
{
    const struct between *b = ctx;
    const struct look *l = &m->look[step];
    size_t write = b->w->origin[b->value].write;

    if (step == write)
        return false;
    for (size_t i = 0; i < l->carrieds; i++) {
        if (m->carried[l->carried + i].value == b->value)
            return true;
    }
    return l->removal || l->route != m->look[write].route;
}

static void keep_best(struct walk *w, struct relation *r, const struct track *t, size_t back)
{
    struct flap f = {
        w->origin[t->value].write, t->shown, t->missing, back, t->value, t->place
    };
    const struct ww_step *v = w->m->v.step;
    bool own = v[f.write].session == v[f.missing].session;
    bool had = r->has_best && v[r->best.write].session == v[r->best.missing].session;

    if (!r->has_best || (back != NOWHERE && r->best.back == NOWHERE) ||
        (own && !had && (back != NOWHERE || r->best.back == NOWHERE)))
        r->best = f;
    r->has_best = true;
}

static void on_shown(struct walk *w, struct track *t, size_t read)
{
    struct model *m = w->m;
    struct relation *r = relation_of(w, t->value, read);
    struct between b = { w, t->value };

    if (m->v.step[read].worker != m->v.step[w->origin[t->value].write].worker) {
        r->contradicted = t->dead = true;
        return;
    }
    if (ww_is_choice(m, t->value, t->shown, read)) {
        r->contradicted = t->dead = true;
        return;
    }
    r->table.same_kept++;
    if (t->missing != NOWHERE && ww_before(m, t->shown, t->missing) &&
        ww_before(m, t->missing, read) &&
        !ww_changed_between(m, m->v.step[t->shown].started_us, m->v.step[read].ended_us,
                            could_matter, &b)) {
        r->flaps++;
        keep_best(w, r, t, read);
    }
    t->shown = read;
    t->missing = NOWHERE;
}

static void on_missing(struct walk *w, struct track *t, size_t read)
{
    struct model *m = w->m;
    struct relation *r = relation_of(w, t->value, read);
    const struct view *v = &m->normal.view[m->look[read].view];
    struct between b = { w, t->value };
    bool full = v->leaves >= FULL_MIN && v->leaves >= w->most[m->look[read].scope] / 4 * 3;

    if (v->cut || full || !ww_before(m, t->shown, read))
        return;
    if (ww_changed_between(m, m->v.step[t->shown].started_us, m->v.step[read].ended_us,
                           could_matter, &b)) {
        t->dead = true;
        return;
    }
    if (m->v.step[read].worker == m->v.step[w->origin[t->value].write].worker) {
        r->table.same_lost++;
        r->contradicted = t->dead = true;
        return;
    }
    r->table.changed_lost++;
    if (t->missing == NOWHERE) {
        t->missing = read;
        keep_best(w, r, t, NOWHERE);
    }
}

/* Written values that a list shows, and that are not followed yet. */
static void follow_new(struct walk *w, struct reader *reader, size_t read)
{
    struct model *m = w->m;
    const struct view *v = &m->normal.view[m->look[read].view];

    for (uint32_t i = 0; i < v->leaves && i < LEAVES_SEEN; i++) {
        struct leaf leaf = v->leaf[i];
        const struct origin *o = &w->origin[leaf.value];
        size_t k = 0;
        if (!o->taken || o->write == NOWHERE || !ww_before(m, o->write, read) ||
            ww_str_find(ww_word_text(&m->normal, leaf.path), WW_STR("/*")) < 0)
            continue;
        while (k < reader->tracks && k < TRACKS_MAX && reader->track[k].value != leaf.value) {
            k++;
        }
        if (k < reader->tracks && k < TRACKS_MAX)
            continue;
        if (reader->tracks < TRACKS_MAX) {
            reader->track = ww_grow(reader->track, reader->tracks + 1, &reader->track_cap,
                                    sizeof *reader->track);
        }
        struct track *t = &reader->track[reader->tracks++ % TRACKS_MAX];
        *t = (struct track){
            .value = leaf.value, .place = leaf.path, .shown = read, .missing = NOWHERE
        };
        on_shown(w, t, read);
    }
}

static void look_at(struct walk *w, size_t read)
{
    struct model *m = w->m;
    const struct look *l = &m->look[read];
    struct reader *reader = reader_of(w, read);
    uint32_t leaves = m->normal.view[l->view].leaves;

    for (size_t k = 0; k < reader->tracks && k < TRACKS_MAX; k++) {
        struct track *t = &reader->track[k];
        if (t->dead)
            continue;
        if (ww_view_place(&m->normal, l->view, t->value) != WW_NONE) {
            on_shown(w, t, read);
        } else {
            on_missing(w, t, read);
        }
    }
    follow_new(w, reader, read);
    if (leaves > w->most[l->scope])
        w->most[l->scope] = leaves;
}

/* ---- claims */

/* Another rule has told it, and knows more of the cause. */
static bool is_told(const struct model *m, const struct claim *c)
{
    for (enum ww_cause cause = 0; cause < WW_CAUSES; cause++) {
        if (ww_already_found(m, c->step, cause, c->grade))
            return true;
    }
    return false;
}

static void claim_relation(struct model *m, const struct relation *r)
{
    const struct flap *f = &r->best;
    ww_str value = ww_quotable(m, f->value);
    bool own = m->v.step[f->write].session == m->v.step[f->missing].session;
    struct claim c = { .guarantee = own ? WW_READ_YOUR_WRITES : WW_MONOTONIC_READS,
                       .grade = r->flaps >= FLAPS_CERTAIN ? WW_CONFIRMED
                                : r->flaps > 0            ? WW_LIKELY
                                                          : WW_POSSIBLE,
                       .cause = WW_CAUSE_WORKER_MEMORY,
                       .step = f->missing,
                       .place = ww_word_text(&m->normal, f->place),
                       .table = r->table,
                       .occurrences = r->table.changed_lost,
                       /* Clients with one cookie are one to the application; those behind one
                        * address need not be. */
                       .whoever =
                           m->v.session[m->v.step[f->missing].session].kind != WW_KEY_CLIENT };

    c.message = ww_arena_printf(
        &m->arena,
        WW_STRF " wrote \"" WW_STRF "\", but " WW_STRF " does not show it; the same request on "
                "worker %d does%s",
        WW_STRV(ww_step_words(m, f->write)), WW_STRV(value),
        WW_STRV(ww_step_words(m, f->missing)), (int)ww_step_pid(m, f->write),
        f->back == NOWHERE ? "" : ", before and after");
    ww_claim_witness(&c, m, f->write, "write", value);
    ww_claim_witness(&c, m, f->shown, "read-kept", value);
    ww_claim_witness(&c, m, f->missing, "read-lost", value);
    if (f->back != NOWHERE)
        ww_claim_witness(&c, m, f->back, "read-kept", value);
    if (!is_told(m, &c))
        ww_claim(m, &c);
}

static void check(struct model *m)
{
    struct walk w = { .m = m };
    size_t words = m->normal.words + 1;

    ww_map_init(&w.reader_at);
    ww_map_init(&w.relation_at);
    w.origin = ww_xcalloc(words, sizeof *w.origin);
    w.most = ww_xcalloc(words, sizeof *w.most);
    note_origins(&w);
    for (size_t i = 0; i < m->v.steps; i++) {
        if (ww_readable(m, i) && !m->look[i].stream)
            look_at(&w, i);
    }
    for (size_t i = 0; i < w.relations; i++) {
        if (w.relation[i].has_best && !w.relation[i].contradicted)
            claim_relation(m, &w.relation[i]);
    }
    for (size_t i = 0; i < w.readers; i++) {
        free(w.reader[i].track);
    }
    ww_map_release(&w.reader_at);
    ww_map_release(&w.relation_at);
    free(w.origin);
    free(w.most);
    free(w.reader);
    free(w.relation);
}

const struct rule ww_rule_elsewhere = {
    .guarantee = WW_READ_YOUR_WRITES,
    .help = "what a client wrote is shown to equal requests by its worker, and by no other",
    .check = check,
};

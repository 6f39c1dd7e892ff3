/* judge: monotonic-reads, the second way: a number that each worker counts for itself. */
#include "rule.h"

#include <math.h>
#include <stdlib.h>

/*
 * Where every read goes to another worker there is no pair on one worker to compare with. But a
 * worker that counts for itself betrays it: between two of its own readings the number grows by
 * as much as it has served meanwhile itself, whatever the others have served. A number that is
 * shared would have counted theirs, too. The harm is done where a session sees it go back.
 */
#define WORKERS_MAX     16
#define CANDIDATES_MAX  8
#define EVENTS_SEEN     64 /* exchanges of one worker between two readings, looked through once */
#define NEIGHBOURS_SEEN 4
#define NUMBERS_MAX     32         /* numbers of one view */
#define SERIES_MAX      (1u << 18) /* of what all share, and as many of what one client has */

/* Each of so many steps could have been of another size or in the other direction; a number
 * that goes up and down by itself does not keep step for long. */
#define MATCHED_LIKELY  6
#define MATCHED_CERTAIN 10
#define TELLING_LIKELY  4
#define TELLING_CERTAIN 6
#define MATCHED_COUNTED                                                                        \
    4                   /* of them, where it is all that each worker has served in the trace */
#define MOVES_OF_ONE  2 /* on each of two workers: three values in a row */
#define FALLS_CERTAIN 3

/* A page of metrics that calls a number a counter leaves no doubt that it should only grow. */
#define MATCHED_DECLARED 1
#define TELLING_DECLARED 3

/* An exchange that may have been counted; in the index ordered by group, route, worker, step.
 */
struct event {
    size_t group; /* 0: all; or a session's index and one: what is counted for each client */
    uint32_t route;
    uint32_t worker; /* or NOBODY, and whoever it was once more under ANYBODY */
    size_t step;
};

#define NOBODY  WW_NONE /* nobody knows which, or whether it took effect */
#define ANYBODY (WW_NONE - 1)

/* That the number counts the exchanges of this route, so much for each. */
struct candidate {
    uint32_t route;
    double slope;
    unsigned
        matched; /* readings of which it moved as it should since the worker's one before */
    unsigned
        telling; /* readings before which others served the same, and it did not count it */
    bool wrong;
    bool counted; /* the first readings are right, too */
};

/* What one worker showed. */
struct reader {
    size_t worker;
    size_t first, last; /* steps */
    double first_value, last_value;
    unsigned moves;
};

/* One number, of one place. */
struct series {
    size_t group;
    uint32_t scope, path;
    struct reader *reader;
    size_t readers, reader_cap;
    struct candidate *candidate;
    size_t candidates, candidate_cap;
    bool guessed; /* the number has moved: the candidates are chosen */
    bool hopeless;
    bool declared; /* the page itself says that it is a counter */
    struct candidate best;
    bool proven;
    /* of the second walk */
    size_t session, before; /* the newest reading of the session that is being walked */
    double shown;
    struct ww_table table;
    size_t fell_from, fell_to;
    double from, to;
};

struct tallies {
    struct model *m;
    struct event *event;
    size_t events;
    size_t *served; /* steps by worker, in order */
    size_t *place;  /* by step: where it stands in served */
    struct ww_map at;
    struct series *series;
    size_t n, cap;
    size_t shared; /* of them: of group 0 */
};

/* ---- who served what */

static int event_order(const void *a, const void *b)
{
    const struct event *x = a, *y = b;

    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    if (x->route != y->route)
        return x->route < y->route ? -1 : 1;
    if (x->worker != y->worker)
        return x->worker < y->worker ? -1 : 1;
    return x->step < y->step ? -1 : x->step > y->step;
}

/* How many events stand before this one would. */
static size_t rank(const struct tallies *t, struct event e)
{
    size_t low = 0, high = t->events;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (event_order(&t->event[mid], &e) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* For all, and for its session. */
static void add_event(struct tallies *t, struct event e)
{
    e.group = 0;
    t->event[t->events++] = e;
    e.group = t->m->v.step[e.step].session + 1;
    t->event[t->events++] = e;
}

static void index_events(struct tallies *t)
{
    const struct model *m = t->m;

    t->event = ww_xcalloc(4 * m->v.steps + 1, sizeof *t->event);
    for (size_t i = 0; i < m->v.steps; i++) {
        const struct look *l = &m->look[i];
        bool known = m->v.step[i].worker != WW_NO_WORKER && l->complete;
        struct event e = { .route = l->route,
                           .worker = known ? (uint32_t)m->v.step[i].worker : NOBODY,
                           .step = i };
        if (known && !l->acknowledged)
            continue; /* refused: nothing happened */
        add_event(t, e);
        e.worker = ANYBODY;
        if (known)
            add_event(t, e);
    }
    qsort(t->event, t->events, sizeof *t->event, event_order);
}

static void index_served(struct tallies *t)
{
    const struct ww_verdict *v = &t->m->v;
    size_t *next = ww_xcalloc(v->workers + 1, sizeof *next);

    t->served = ww_xcalloc(v->steps + 1, sizeof *t->served);
    t->place = ww_xcalloc(v->steps + 1, sizeof *t->place);
    for (size_t i = 0; i < v->steps; i++) {
        if (v->step[i].worker != WW_NO_WORKER)
            next[v->step[i].worker + 1]++;
    }
    for (size_t w = 0; w < v->workers; w++) {
        next[w + 1] += next[w];
    }
    for (size_t i = 0; i < v->steps; i++) {
        if (v->step[i].worker == WW_NO_WORKER)
            continue;
        t->place[i] = next[v->step[i].worker]++;
        t->served[t->place[i]] = i;
    }
    free(next);
}

/* ---- one step of a series */

#define BEGINNING SIZE_MAX /* of the trace, in the place of a reading */

struct span {
    size_t own;    /* events of the worker behind the first reading, up to the second */
    size_t others; /* of other workers */
    bool vague;    /* some event overlaps a reading, or nobody knows whose it was */
};

static bool overlaps(const struct model *m, size_t a, size_t b)
{
    return a != b && !ww_before(m, a, b) && !ww_before(m, b, a);
}

/* Whether an event next to these readings runs while one of them does: it may count or not. */
static bool is_vague(const struct tallies *t, size_t low, size_t high, size_t a, size_t b,
                     const struct event *like)
{
    bool from_start = a == BEGINNING;
    size_t from = low > NEIGHBOURS_SEEN ? low - NEIGHBOURS_SEEN : 0;
    size_t to = high + NEIGHBOURS_SEEN < t->events ? high + NEIGHBOURS_SEEN : t->events;

    for (size_t i = from; i < to; i++) {
        if (i == low + NEIGHBOURS_SEEN && i + NEIGHBOURS_SEEN < high)
            i = high - NEIGHBOURS_SEEN;
        const struct event *e = &t->event[i];
        bool near_a = i < low + NEIGHBOURS_SEEN, near_b = i + NEIGHBOURS_SEEN >= high;
        if (e->group != like->group || e->route != like->route || e->worker != like->worker)
            continue;
        if ((near_a && !from_start && overlaps(t->m, e->step, a)) ||
            (near_b && overlaps(t->m, e->step, b)))
            return true;
    }
    return false;
}

/* Events like `from` and behind it, by this worker, up to b. */
static size_t count_of(const struct tallies *t, struct event from, uint32_t worker, size_t b)
{
    struct event to = { from.group, from.route, worker, b + 1 };

    from.worker = worker;
    return rank(t, to) - rank(t, from);
}

/* Behind a, which may be BEGINNING, up to b; by b's worker. */
static struct span span_of(const struct tallies *t, const struct series *s, uint32_t route,
                           size_t a, size_t b)
{
    size_t behind = a == BEGINNING ? 0 : a + 1;
    struct event e = { s->group, route, (uint32_t)t->m->v.step[b].worker, behind };
    struct event end = { e.group, route, e.worker, b + 1 };
    size_t low = rank(t, e), high = rank(t, end);

    return (struct span){ .own = high - low,
                          .others = count_of(t, e, ANYBODY, b) - (high - low),
                          .vague = count_of(t, e, NOBODY, b) > 0 ||
                                   is_vague(t, low, high, a, b, &e) };
}

static void add_candidate(struct series *s, uint32_t route)
{
    for (size_t i = 0; i < s->candidates; i++) {
        if (s->candidate[i].route == route)
            return;
    }
    if (s->candidates == CANDIDATES_MAX)
        return;
    s->candidate =
        ww_grow(s->candidate, s->candidates + 1, &s->candidate_cap, sizeof *s->candidate);
    s->candidate[s->candidates++] = (struct candidate){ .route = route };
}

/* The number has moved for the first time: by what its worker served meanwhile. */
static void guess(const struct tallies *t, struct series *s, size_t a, size_t b)
{
    size_t from = t->place[a] + 1, to = t->place[b];

    s->guessed = true;
    s->hopeless = to - from >= EVENTS_SEEN;
    for (size_t i = from; i <= to && !s->hopeless; i++) {
        size_t step = t->served[i];
        if (s->group == 0 || t->m->v.step[step].session + 1 == s->group)
            add_candidate(s, t->m->look[step].route);
    }
}

/* One worker's next reading against what each candidate says that it should be. */
static void test(const struct tallies *t, struct series *s, const struct reader *r, size_t b,
                 double value)
{
    double moved = value - r->last_value;
    bool any = false;

    for (size_t i = 0; i < s->candidates; i++) {
        struct candidate *c = &s->candidate[i];
        if (c->wrong)
            continue;
        any = true;
        struct span span = span_of(t, s, c->route, r->last, b);
        if (span.vague)
            continue;
        if (c->slope == 0 && span.own > 0)
            c->slope = moved / (double)span.own;
        c->wrong =
            fabs(moved - c->slope * (double)span.own) > 1e-6 || (span.own > 0 && c->slope == 0);
        c->matched += span.own > 0;
        c->telling += span.others > 0;
    }
    s->hopeless = !any;
}

/* "type NAME" says counter, of "metric NAME{labels}", or of "metric NAME_total". */
static bool is_declared(struct model *m, uint32_t view, uint32_t path)
{
    ww_str rest = ww_word_text(&m->normal, path), name;
    uint32_t counter = ww_word(&m->normal, WW_STR("counter"));

    if (!ww_str_starts(rest, WW_STR("metric ")))
        return false;
    rest = ww_str_from(rest, 7);
    ww_str_cut(&rest, '{', &name);
    for (int i = 0; i < 2; i++) {
        ww_str type = ww_arena_printf(&m->arena, "type " WW_STRF, WW_STRV(name));
        const struct view *v = &m->normal.view[view];
        uint32_t at = ww_view_first(&m->normal, view, ww_word(&m->normal, type));
        if (at < v->leaves && ww_str_eq(ww_word_text(&m->normal, v->leaf[at].path), type))
            return v->leaf[at].value == counter;
        if (!ww_str_ends(name, WW_STR("_total")))
            return false;
        name = ww_str_upto(name, name.len - 6);
    }
    return false;
}

/* NULL: there are too many; names that are new in every answer count nothing. */
static struct series *series_of(struct tallies *t, size_t group, uint32_t scope, uint32_t path)
{
    size_t key[3] = { group, scope, path };
    ww_str text = ww_str_n((const char *)key, sizeof key);
    size_t *known = ww_map_find(&t->at, text);

    if (known != NULL)
        return &t->series[*known];
    if ((group == 0 ? t->shared : t->n - t->shared) == SERIES_MAX)
        return NULL;
    t->shared += group == 0;
    if (t->n == t->cap)
        t->series = ww_grow(t->series, t->n + 1, &t->cap, sizeof *t->series);
    t->series[t->n] =
        (struct series){ .group = group, .scope = scope, .path = path, .session = SIZE_MAX };
    ww_map_put(&t->at, ww_arena_dup(&t->m->arena, text), t->n, NULL);
    return &t->series[t->n++];
}

/* What its worker showed before; NULL: nothing. */
static struct reader *reader_of(const struct series *s, size_t worker)
{
    for (size_t k = 0; k < s->readers; k++) {
        if (s->reader[k].worker == worker)
            return &s->reader[k];
    }
    return NULL;
}

static void note_reading(struct series *s, struct reader *r, size_t worker, size_t step,
                         double value)
{
    if (r == NULL && s->readers == WORKERS_MAX)
        return;
    if (r == NULL) {
        s->reader = ww_grow(s->reader, s->readers + 1, &s->reader_cap, sizeof *s->reader);
        r = &s->reader[s->readers++];
        *r = (struct reader){
            .worker = worker, .first = step, .first_value = value, .last_value = value
        };
    }
    r->moves += value != r->last_value;
    r->last = step;
    r->last_value = value;
}

static void guess_number(struct tallies *t, struct series *s, size_t step, double value)
{
    size_t worker = t->m->v.step[step].worker;
    struct reader *r = s->guessed ? NULL : reader_of(s, worker);

    if (s->guessed)
        return;
    if (r != NULL && r->last_value != value) {
        guess(t, s, r->last, step);
        s->declared = is_declared(t->m, t->m->look[step].view, s->path);
    }
    note_reading(s, r, worker, step, value);
    if (s->guessed)
        s->readers = 0; /* the readings are taken anew */
}

static void test_number(struct tallies *t, struct series *s, size_t step, double value)
{
    size_t worker = t->m->v.step[step].worker;

    if (!s->guessed || s->hopeless)
        return;
    struct reader *r = reader_of(s, worker);
    if (r != NULL)
        test(t, s, r, step, value);
    note_reading(s, r, worker, step, value);
}

/* ---- which of them count for themselves */

/* Workers that are as young as the trace show by their first reading, too, what they count. */
static void add_beginnings(const struct tallies *t, const struct series *s, struct candidate *c)
{
    struct candidate more = *c;

    for (size_t k = 0; k < s->readers; k++) {
        const struct reader *r = &s->reader[k];
        struct span span = span_of(t, s, c->route, BEGINNING, r->first);
        if (span.vague || fabs(r->first_value - c->slope * (double)span.own) > 1e-6)
            return;
        more.matched += span.own > 0;
        more.telling += span.others > 0;
    }
    *c = more;
    c->counted = true;
}

/* On how many workers it grew: from nothing, where all that they served is counted. */
static size_t growing(const struct series *s, bool from_nothing)
{
    size_t n = 0;

    for (size_t k = 0; k < s->readers; k++) {
        const struct reader *r = &s->reader[k];
        n += from_nothing ? r->last_value != 0 : r->moves >= MOVES_OF_ONE;
    }
    return n;
}

/* What the very reading makes grow always has something to count, and proves less. */
static bool is_enough(const struct tallies *t, const struct series *s,
                      const struct candidate *c)
{
    bool by_itself = s->readers > 0 && t->m->look[s->reader[0].first].route == c->route;
    bool counted = c->counted && !by_itself;

    if (s->declared)
        return c->matched >= MATCHED_DECLARED && c->telling >= TELLING_DECLARED;
    return growing(s, counted) > 1 && c->telling >= TELLING_LIKELY &&
           c->matched >= (counted ? MATCHED_COUNTED : MATCHED_LIKELY);
}

static void settle(const struct tallies *t, struct series *s)
{
    if (s->hopeless)
        return;
    for (size_t i = 0; i < s->candidates; i++) {
        struct candidate *c = &s->candidate[i];
        if (c->wrong || c->slope == 0)
            continue;
        add_beginnings(t, s, c);
        if (is_enough(t, s, c) && (!s->proven || c->telling > s->best.telling)) {
            s->best = *c;
            s->proven = true;
        }
    }
}

/* What a session sees of a number that is known to be each worker's own. */
static void show_number(struct tallies *t, struct series *s, size_t step, double value)
{
    const struct ww_step *v = t->m->v.step;

    if (!s->proven)
        return;
    bool goes_on = s->session == v[step].session && ww_before(t->m, s->before, step);
    bool back = goes_on && (value - s->shown) * s->best.slope < 0;
    bool same = goes_on && v[s->before].worker == v[step].worker;

    s->table.same_kept += same && !back;
    s->table.same_lost += same && back;
    s->table.changed_kept += goes_on && !same && !back;
    s->table.changed_lost += goes_on && !same && back;
    if (back && !same && s->table.changed_lost == 1) {
        s->fell_from = s->before;
        s->fell_to = step;
        s->from = s->shown;
        s->to = value;
    }
    s->session = v[step].session;
    s->before = step;
    s->shown = value;
}

typedef void number_cb(struct tallies *t, struct series *s, size_t step, double value);

/* Each number of a view that stands alone at its place: for all, and for its session. */
static void visit_view(struct tallies *t, size_t step, uint32_t view, number_cb *visit)
{
    const struct model *m = t->m;
    const struct look *l = &m->look[step];
    const struct view *v = &m->normal.view[view];
    size_t numbers = 0;

    for (uint32_t i = 0; i < v->leaves && numbers < NUMBERS_MAX; i++) {
        struct leaf leaf = v->leaf[i];
        double value;
        if (!m->normal.word[leaf.value].is_number || m->normal.word[leaf.path].volatile_key ||
            m->normal.word[leaf.value].volatile_value ||
            !ww_view_number(&m->normal, view, leaf.path, &value))
            continue;
        numbers++;
        visit(t, series_of(t, 0, l->scope, leaf.path), step, value);
        visit(t, series_of(t, m->v.step[step].session + 1, l->resource, leaf.path), step,
              value);
    }
}

static void visit_numbers(struct tallies *t, size_t step, number_cb *visit)
{
    visit_view(t, step, t->m->look[step].view, visit);
    if (t->m->look[step].counts != WW_NONE)
        visit_view(t, step, t->m->look[step].counts, visit);
}

static bool may_be_read(const struct model *m, size_t step)
{
    return ww_readable(m, step) && !m->look[step].stream;
}

static void visit_all(struct tallies *t, number_cb *visit)
{
    for (size_t i = 0; i < t->m->v.steps; i++) {
        if (may_be_read(t->m, i))
            visit_numbers(t, i, visit);
    }
}

/* ---- claims */

static void claim_tally(struct model *m, const struct series *s)
{
    const struct candidate *c = &s->best;
    bool certain = c->matched >= MATCHED_CERTAIN && c->telling >= TELLING_CERTAIN &&
                   s->table.changed_lost >= FALLS_CERTAIN;
    /* A single fall of a number that does not say what it counts may be any other number's. */
    bool falls_enough = s->declared || s->table.changed_lost > 1;
    struct claim claim = { .guarantee = WW_MONOTONIC_READS,
                           .grade = certain        ? WW_CONFIRMED
                                    : falls_enough ? WW_LIKELY
                                                   : WW_POSSIBLE,
                           .cause = WW_CAUSE_WORKER_MEMORY,
                           .step = s->fell_to,
                           .place = ww_word_text(&m->normal, s->path),
                           .table = s->table,
                           .occurrences = s->table.changed_lost,
                           .whoever = s->group == 0, /* what all share falls for nobody */
                           .telling = 3 };

    claim.message = ww_arena_printf(
        &m->arena,
        WW_STRF " shows %.15g (" WW_STRF
                ") after worker %d had shown %.15g: each worker counts "
                "only the " WW_STRF " that it has served itself",
        WW_STRV(ww_step_words(m, s->fell_to)), s->to, WW_STRV(ww_quotable(m, s->path)),
        (int)ww_step_pid(m, s->fell_from), s->from, WW_STRV(ww_quotable(m, c->route)));
    ww_claim_witness(&claim, m, s->fell_from, "read",
                     ww_arena_printf(&m->arena, "%.15g", s->from));
    ww_claim_witness(&claim, m, s->fell_to, "read-lower",
                     ww_arena_printf(&m->arena, "%.15g", s->to));
    if (!ww_already_found(m, claim.step, claim.cause, claim.grade))
        ww_claim(m, &claim);
}

static void check(struct model *m)
{
    struct tallies t = { .m = m };

    ww_map_init(&t.at);
    index_events(&t);
    index_served(&t);
    visit_all(&t, guess_number);
    visit_all(&t, test_number);
    for (size_t i = 0; i < t.n; i++) {
        settle(&t, &t.series[i]);
    }
    for (size_t i = 0; i < m->v.sessions; i++) {
        const struct ww_verdict_session *s = &m->v.session[i];
        for (size_t k = 0; k < s->steps; k++) {
            if (may_be_read(m, s->step[k]))
                visit_numbers(&t, s->step[k], show_number);
        }
    }
    for (size_t i = 0; i < t.n; i++) {
        const struct series *s = &t.series[i];
        if (s->proven && s->table.changed_lost > 0 && s->table.same_lost == 0)
            claim_tally(m, s);
    }
    for (size_t i = 0; i < t.n; i++) {
        free(t.series[i].reader);
        free(t.series[i].candidate);
    }
    ww_map_release(&t.at);
    free(t.event);
    free(t.served);
    free(t.place);
    free(t.series);
}

const struct rule ww_rule_tally = {
    .guarantee = WW_MONOTONIC_READS,
    .help = "a number that each worker counts for itself goes back when the worker changes",
    .check = check,
};

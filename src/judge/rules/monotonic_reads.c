/* judge: monotonic-reads: the view follows the worker, or a count falls when the worker
 * changes. */
#include "rule.h"

#include <math.h>
#include <stdlib.h>

#define WINDOW_MAX   128 /* reads of one resource between two changes that are compared */
#define CLASSES_MAX  8   /* different views in a window; with more it is noise */
#define WORKERS_MAX  16
#define NUMBERS_MAX  64 /* numbers of one view that may be counters */
#define ODDS_CERTAIN 0.01
/* A number that means nothing ("rendered in 9 ms") rises as often as it falls: so often in a
 * row by chance once in sixteen times. */
#define GROWN_LIKELY 4
#define ODDS_LIKELY  0.1
#define SUSPECTS_MAX 1024 /* places of one kind that are ranked against each other */

/* Behind a rest that is much longer than any that a number outlived, the clock may have set it
 * back. */
#define REST_TIMES    2
#define REST_SLACK_US 1000000

/* A view that follows the worker; of one route, over all sessions and windows. */
struct follow {
    double odds; /* that all windows would follow the worker by chance */
    uint64_t returns;
    bool contradicted; /* a worker showed two views in one window */
    bool seen;
    bool written; /* a value that some write carried comes and goes */
    struct ww_table table;
    size_t first, other, back; /* x@A, y@B, x@A */
    uint32_t value, place;
};

/* A number; of one route and place. */
struct counter {
    struct ww_table table; /* lost: fell */
    bool fell_within;      /* a worker's own series fell */
    bool fell_anyway;      /* the same, whatever was changed meanwhile */
    uint64_t grown;        /* how often a worker's own series grew */
    int64_t rest;         /* the longest between two readings of which the later was no lower */
    int64_t fall;         /* the shortest between two of which it was */
    size_t before, after; /* a fall */
    uint32_t path;
    double from, to;
    bool seen;
};

struct reads {
    struct model *m;
    struct crossings cross;
    struct ww_map follow_at, counter_at;
    struct follow *follow;
    size_t follows, follow_cap;
    struct counter *counter;
    size_t counters, counter_cap;
    bool *carried; /* by word: some write carried it */
};

/* ---- the view follows the worker */

struct compare {
    const struct reads *r;
    uint32_t scope;
    char pid_a[16], pid_b[16]; /* in digits */
    bool differ;
    bool written;
    uint32_t value, place;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "4101", "web-4101", "[pid:4101]": the worker names itself, which is no state. */
static bool names_process(ww_str text, const char *pid)
{
    ww_str digits = ww_str_c(pid);
    ptrdiff_t at;

    while (text.len >= digits.len && (at = ww_str_find(text, digits)) >= 0) {
        size_t from = (size_t)at, to = from + digits.len;
        bool whole = (from == 0 || !is_digit(text.ptr[from - 1])) &&
                     (to == text.len || !is_digit(text.ptr[to]));
        if (whole)
            return true;
        text = ww_str_from(text, to);
    }
    return false;
}

static void compare_leaf(void *ctx, struct leaf l, bool in_a)
{
    struct compare *c = ctx;
    bool written = c->r->carried[l.value];
    const char *pid = in_a ? c->pid_a : c->pid_b;

    if (names_process(ww_word_text(&c->r->m->normal, l.value), pid) ||
        names_process(ww_word_text(&c->r->m->normal, l.path), pid))
        return;
    if (!written && ww_leaf_masked(&c->r->m->normal, c->scope, l))
        return;
    if (!c->differ || (written && !c->written)) {
        c->value = l.value;
        c->place = l.path;
    }
    c->differ = true;
    c->written = c->written || written;
}

static struct compare compare(const struct reads *r, size_t a, size_t b)
{
    const struct look *x = &r->m->look[a], *y = &r->m->look[b];
    struct compare c = { .r = r, .scope = x->scope };

    if (x->view == y->view)
        return c;
    snprintf(c.pid_a, sizeof c.pid_a, "%d", (int)ww_step_pid(r->m, a));
    snprintf(c.pid_b, sizeof c.pid_b, "%d", (int)ww_step_pid(r->m, b));
    ww_view_diff(&r->m->normal, x->view, y->view, compare_leaf, &c);
    return c;
}

/* Reads of one resource in one session, nothing changed by anybody between the first and the
 * last. */
struct window {
    size_t step[WINDOW_MAX];
    size_t cls[WINDOW_MAX];
    size_t n;
    size_t example[CLASSES_MAX]; /* a step of each class */
    size_t classes;
    size_t worker[WORKERS_MAX];
    size_t worker_cls[WORKERS_MAX];
    size_t worker_reads[WORKERS_MAX];
    size_t workers;
    bool pure; /* each worker showed one view only */
};

static bool classify(const struct reads *r, struct window *w)
{
    w->classes = w->workers = 0;
    w->pure = true;
    for (size_t i = 0; i < w->n; i++) {
        size_t c = 0, k = 0, worker = r->m->v.step[w->step[i]].worker;
        while (c < w->classes && compare(r, w->example[c], w->step[i]).differ) {
            c++;
        }
        if (c == CLASSES_MAX)
            return false;
        if (c == w->classes)
            w->example[w->classes++] = w->step[i];
        w->cls[i] = c;
        while (k < w->workers && w->worker[k] != worker) {
            k++;
        }
        if (k == WORKERS_MAX)
            return false;
        if (k == w->workers) {
            w->worker[w->workers] = worker;
            w->worker_cls[w->workers] = c;
            w->worker_reads[w->workers++] = 0;
        }
        w->worker_reads[k]++;
        w->pure = w->pure && w->worker_cls[k] == c;
    }
    return true;
}

/* How many ways to hand the workers to the classes fit the classes' sizes. */
static double ways(const struct window *w, size_t worker, size_t left[CLASSES_MAX])
{
    double sum = 0;

    if (worker == w->workers)
        return 1;
    for (size_t c = 0; c < w->classes; c++) {
        if (left[c] < w->worker_reads[worker])
            continue;
        left[c] -= w->worker_reads[worker];
        sum += ways(w, worker + 1, left);
        left[c] += w->worker_reads[worker];
    }
    return sum;
}

/*
 * If views did not depend on the worker, every order of the workers over these reads would be
 * as probable as any other. The share of orders in which each worker has one view: exact.
 */
static double window_odds(const struct window *w)
{
    size_t size[CLASSES_MAX] = { 0 };
    double log_share = -lgamma((double)w->n + 1);

    for (size_t i = 0; i < w->n; i++) {
        size[w->cls[i]]++;
    }
    for (size_t c = 0; c < w->classes; c++) {
        log_share += lgamma((double)size[c] + 1);
    }
    double p = (w->workers > 8 ? 1 : ways(w, 0, size)) * exp(log_share);
    return p > 1 ? 1 : p;
}

static size_t index_of(struct ww_map *map, struct ww_arena *a, uint32_t x, uint32_t y,
                       size_t fresh)
{
    uint32_t key[2] = { x, y };
    ww_str text = ww_str_n((const char *)key, sizeof key);
    size_t *known = ww_map_find(map, text);

    return known != NULL ? *known : *ww_map_put(map, ww_arena_dup(a, text), fresh, NULL);
}

static struct follow *follow_of(struct reads *r, size_t step)
{
    bool weak = r->m->v.session[r->m->v.step[step].session].weak;
    size_t i = index_of(&r->follow_at, &r->m->arena, r->m->look[step].scope, weak, r->follows);

    if (i == r->follows) {
        if (r->follows == r->follow_cap)
            r->follow = ww_grow(r->follow, r->follows + 1, &r->follow_cap, sizeof *r->follow);
        r->follow[r->follows++] = (struct follow){ .odds = 1 };
    }
    return &r->follow[i];
}

/* x@A, y@B, x@A: a view that went and came back. */
static uint64_t count_returns(struct reads *r, const struct window *w, struct follow *f)
{
    size_t last[CLASSES_MAX];
    uint64_t returns = 0;

    for (size_t c = 0; c < w->classes; c++) {
        last[c] = SIZE_MAX;
    }
    for (size_t i = 0; i < w->n; i++) {
        size_t before = last[w->cls[i]];
        last[w->cls[i]] = i;
        if (i == 0 || w->cls[i] == w->cls[i - 1] || before == SIZE_MAX ||
            !ww_before(r->m, w->step[before], w->step[i - 1]) ||
            !ww_before(r->m, w->step[i - 1], w->step[i]))
            continue;
        returns++;
        struct compare c = compare(r, w->step[i - 1], w->step[i]);
        if (f->seen && (f->written || !c.written))
            continue;
        f->seen = true;
        f->written = c.written;
        f->first = w->step[before];
        f->other = w->step[i - 1];
        f->back = w->step[i];
        f->value = c.value;
        f->place = c.place;
    }
    return returns;
}

static void count_pairs(struct reads *r, const struct window *w, struct follow *f)
{
    for (size_t i = 1; i < w->n; i++) {
        enum ww_crossing how = ww_crossing(&r->cross, r->m, w->step[i - 1], w->step[i]);
        bool lost = w->cls[i] != w->cls[i - 1];
        f->table.same_kept += how == CROSS_SAME && !lost;
        f->table.same_lost += how == CROSS_SAME && lost;
        f->table.changed_kept += how == CROSS_CHANGED && !lost;
        f->table.changed_lost += how == CROSS_CHANGED && lost;
    }
}

static void judge_window(struct reads *r, struct window *w)
{
    bool blamed = false;

    for (size_t i = 0; i < w->n; i++) {
        blamed = blamed || r->m->blamed[w->step[i]];
    }
    if (w->n < 2 || blamed)
        return;
    struct follow *f = follow_of(r, w->step[0]);
    if (!classify(r, w) || !w->pure) {
        f->contradicted = true;
        return;
    }
    count_pairs(r, w, f);
    if (w->classes < 2)
        return;
    f->odds *= window_odds(w);
    f->returns += count_returns(r, w, f);
}

/* ---- counters */

static struct counter *counter_of(struct reads *r, uint32_t scope, uint32_t path)
{
    size_t i = index_of(&r->counter_at, &r->m->arena, scope, path, r->counters);

    if (i == r->counters) {
        if (r->counters == r->counter_cap) {
            r->counter =
                ww_grow(r->counter, r->counters + 1, &r->counter_cap, sizeof *r->counter);
        }
        r->counter[r->counters++] = (struct counter){ .path = path, .fall = INT64_MAX };
    }
    return &r->counter[i];
}

/* An earlier read to compare with: of the session, or of the same worker. */
struct earlier {
    size_t step; /* SIZE_MAX: there is none, or something changed meanwhile */
    enum ww_crossing how;
    int64_t rest; /* between them */
};

static struct earlier earlier(const struct reads *r, size_t step, size_t now)
{
    const struct ww_verdict *v = &r->m->v;

    if (step == SIZE_MAX ||
        ww_any_change(r->m, v->step[step].started_us, v->step[now].ended_us))
        return (struct earlier){ SIZE_MAX, CROSS_NEITHER, 0 };
    return (struct earlier){ step, ww_crossing(&r->cross, r->m, step, now),
                             v->step[now].started_us - v->step[step].ended_us };
}

static void count_number(struct counter *c, const struct earlier *e, size_t step, double then,
                         double now)
{
    bool fell = now < then;

    c->table.same_kept += e->how == CROSS_SAME && !fell;
    c->table.same_lost += e->how == CROSS_SAME && fell;
    c->table.changed_kept += e->how == CROSS_CHANGED && !fell;
    c->table.changed_lost += e->how == CROSS_CHANGED && fell;
    if (!fell && e->rest > c->rest)
        c->rest = e->rest;
    if (fell && e->rest < c->fall)
        c->fall = e->rest;
    if (e->how == CROSS_CHANGED && fell && !c->seen) {
        c->seen = true;
        c->before = e->step;
        c->after = step;
        c->from = then;
        c->to = now;
    }
}

static void judge_number(struct reads *r, const struct earlier *before,
                         const struct earlier *own, size_t step, uint32_t path, double now)
{
    struct model *m = r->m;
    struct counter *c = counter_of(r, m->look[step].scope, path);
    double then;

    if (own->step != SIZE_MAX && ww_shows_number(m, own->step, path, &then)) {
        c->fell_within = c->fell_within || now < then;
        c->grown += now > then;
    }
    if (before->step != SIZE_MAX && ww_shows_number(m, before->step, path, &then))
        count_number(c, before, step, then, now);
}

/* What the session's read before this one showed, and the same worker's. */
struct befores {
    struct earlier session, worker;
    size_t own; /* the same worker's, whatever was changed meanwhile; or SIZE_MAX */
};

static void judge_numbers_of(struct reads *r, const struct befores *b, size_t step,
                             uint32_t view)
{
    const struct normal *n = &r->m->normal;
    const struct view *v = &n->view[view];
    size_t numbers = 0;
    double now;

    for (uint32_t i = 0; i < v->leaves && numbers < NUMBERS_MAX; i++) {
        struct leaf l = v->leaf[i];
        if (n->word[l.path].volatile_key || n->word[l.value].volatile_value ||
            !ww_view_number(n, view, l.path, &now))
            continue;
        numbers++;
        judge_number(r, &b->session, &b->worker, step, l.path, now);
        double then;
        if (b->own != SIZE_MAX && ww_shows_number(r->m, b->own, l.path, &then) && now < then)
            counter_of(r, r->m->look[step].scope, l.path)->fell_anyway = true;
    }
}

/* session: the session's read before this one; worker: the same worker's; or SIZE_MAX. */
static void judge_numbers(struct reads *r, size_t session, size_t worker, size_t step)
{
    const struct look *l = &r->m->look[step];
    struct befores b = { earlier(r, session, step), earlier(r, worker, step), worker };

    if (b.session.step == SIZE_MAX && b.own == SIZE_MAX)
        return;
    judge_numbers_of(r, &b, step, l->view);
    if (l->counts != WW_NONE)
        judge_numbers_of(r, &b, step, l->counts);
}

/* ---- walking */

/* Where each worker's last read is kept; NULL if there are too many workers. */
struct owners {
    size_t worker[WORKERS_MAX];
    size_t step[WORKERS_MAX];
    size_t n;
};

static size_t *last_of(struct owners *o, size_t worker)
{
    size_t k = 0;

    while (k < o->n && o->worker[k] != worker) {
        k++;
    }
    if (k == WORKERS_MAX)
        return NULL;
    if (k == o->n) {
        o->worker[o->n++] = worker;
        o->step[k] = SIZE_MAX;
    }
    return &o->step[k];
}

/* The reads of one resource in one session, in order of time. */
static void judge_group(struct reads *r, const size_t *step, size_t n)
{
    const struct ww_step *steps = r->m->v.step;
    struct window w = { .n = 0 };
    struct owners owners = { .n = 0 };

    for (size_t i = 0; i < n; i++) {
        size_t *last = last_of(&owners, steps[step[i]].worker);
        if (last != NULL) {
            judge_numbers(r, i == 0 ? SIZE_MAX : step[i - 1], *last, step[i]);
            *last = step[i];
        }
        if (w.n > 0 && (w.n == WINDOW_MAX || ww_any_change(r->m, steps[w.step[0]].started_us,
                                                           steps[step[i]].ended_us))) {
            judge_window(r, &w);
            w.n = 0;
        }
        if (!r->m->normal.view[r->m->look[step[i]].view].cut)
            w.step[w.n++] = step[i];
    }
    judge_window(r, &w);
}

struct keyed {
    uint32_t resource;
    size_t step;
};

static int keyed_order(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;

    if (x->resource != y->resource)
        return x->resource < y->resource ? -1 : 1;
    return x->step < y->step ? -1 : x->step > y->step;
}

static void walk_session(struct reads *r, const struct ww_verdict_session *s)
{
    struct keyed *keyed = ww_xcalloc(s->steps + 1, sizeof *keyed);
    size_t *group = ww_xcalloc(s->steps + 1, sizeof *group), n = 0;

    ww_crossings_of(&r->cross, r->m, s);
    for (size_t i = 0; i < s->steps; i++) {
        if (ww_readable(r->m, s->step[i]))
            keyed[n++] = (struct keyed){ r->m->look[s->step[i]].resource, s->step[i] };
    }
    qsort(keyed, n, sizeof *keyed, keyed_order);
    for (size_t i = 0; i < n;) {
        size_t members = 0;
        uint32_t resource = keyed[i].resource;
        for (; i < n && keyed[i].resource == resource; i++) {
            group[members++] = keyed[i].step;
        }
        if (members > 1)
            judge_group(r, group, members);
    }
    free(keyed);
    free(group);
}

/* ---- claims */

static enum ww_grade grade_of(double odds, bool enough)
{
    return odds <= ODDS_CERTAIN && enough ? WW_CONFIRMED
           : odds <= ODDS_LIKELY          ? WW_LIKELY
                                          : WW_POSSIBLE;
}

/* A place in JSON has a name; in a text it is named by the word before it, which may be another
 * one in the next run. */
static ww_str stable_place(const struct model *m, size_t step, uint32_t place)
{
    return m->normal.view[m->look[step].view].kind == VIEW_JSON
               ? ww_word_text(&m->normal, place)
               : WW_STR("text");
}

static void claim_follow(struct model *m, const struct follow *f, double odds)
{
    struct claim c = { .guarantee = WW_MONOTONIC_READS,
                       .grade = grade_of(odds, f->returns > 1),
                       .cause = WW_CAUSE_WORKER_MEMORY,
                       .step = f->other,
                       .place = stable_place(m, f->other, f->place),
                       .table = f->table,
                       .occurrences = f->returns,
                       .telling = f->written };
    ww_str value = ww_quotable(m, f->value);

    /* A list that gains and loses what somebody wrote, without a write, is no matter of taste.
     */
    bool listed = ww_str_find(ww_word_text(&m->normal, f->place), WW_STR("/*")) >= 0;
    if (f->written && listed)
        c.grade = f->odds <= ODDS_LIKELY && f->returns > 1 ? WW_CONFIRMED : WW_LIKELY;
    c.message = ww_arena_printf(
        &m->arena,
        "GET " WW_STRF " follows the worker: %d and %d disagree about \"" WW_STRF "\" (" WW_STRF
        "), each of them never about itself, with no write between",
        WW_STRV(ww_word_text(&m->normal, m->look[f->other].path)),
        (int)ww_step_pid(m, f->first), (int)ww_step_pid(m, f->other), WW_STRV(value),
        WW_STRV(ww_quotable(m, f->place)));
    ww_claim_witness(&c, m, f->first, "read", value);
    ww_claim_witness(&c, m, f->other, "read-other", value);
    ww_claim_witness(&c, m, f->back, "read-again", value);
    if (!ww_already_found(m, c.step, c.cause, c.grade))
        ww_claim(m, &c);
}

/* A field of the answer that counts, or a sample of metrics, is no noise. */
static bool is_meant(const struct model *m, uint32_t path)
{
    ww_str text = ww_word_text(&m->normal, path);

    return ww_str_starts(text, WW_STR("/field ")) || ww_str_starts(text, WW_STR("metric "));
}

static void claim_counter(struct model *m, const struct counter *n, double odds)
{
    struct claim c = { .guarantee = WW_MONOTONIC_READS,
                       .grade = grade_of(odds, n->table.changed_lost > 1),
                       .cause = WW_CAUSE_WORKER_MEMORY,
                       .step = n->after,
                       .place = ww_word_text(&m->normal, n->path),
                       .table = n->table,
                       .occurrences = n->table.changed_lost,
                       .telling = 2 };

    if (n->fall > REST_TIMES * n->rest + REST_SLACK_US ||
        ((n->grown < GROWN_LIKELY || n->fell_anyway) && !is_meant(m, n->path)))
        c.grade = WW_POSSIBLE;
    c.message = ww_arena_printf(
        &m->arena,
        WW_STRF " shows %.15g (" WW_STRF
                ") after worker %d had shown %.15g: the count falls only "
                "when the worker changes",
        WW_STRV(ww_step_words(m, n->after)), n->to, WW_STRV(ww_quotable(m, n->path)),
        (int)ww_step_pid(m, n->before), n->from);
    ww_claim_witness(&c, m, n->before, "read", ww_arena_printf(&m->arena, "%.15g", n->from));
    ww_claim_witness(&c, m, n->after, "read-lower", ww_arena_printf(&m->arena, "%.15g", n->to));
    if (!ww_already_found(m, c.step, c.cause, c.grade))
        ww_claim(m, &c);
}

static bool may_follow(const struct follow *f)
{
    return f->seen && !f->contradicted && f->returns > 0 && f->table.same_lost == 0;
}

static bool may_count(const struct counter *n)
{
    return n->seen && n->grown > 0 && !n->fell_within && n->table.same_lost == 0;
}

/*
 * Who asks a hundred places gets one answer in a hundred by chance. The odds of the suspects
 * are corrected for all the places that varied at all (Benjamini and Hochberg): where most of
 * them follow the worker nothing is lost, a single one among many must do better.
 */
static double corrected(double odds, const double *suspect, size_t suspects, size_t varied)
{
    size_t rank = 0;

    for (size_t i = 0; i < suspects; i++) {
        rank += suspect[i] <= odds;
    }
    return rank == 0 ? odds : odds * (double)varied / (double)rank;
}

static void claim_follows(const struct reads *r)
{
    double *odds = ww_xcalloc(SUSPECTS_MAX, sizeof *odds);
    size_t suspects = 0, varied = 0;

    for (size_t i = 0; i < r->follows; i++) {
        const struct follow *f = &r->follow[i];
        varied += f->seen || f->contradicted;
        if (may_follow(f) && suspects < SUSPECTS_MAX)
            odds[suspects++] = f->odds;
    }
    for (size_t i = 0; i < r->follows; i++) {
        const struct follow *f = &r->follow[i];
        if (may_follow(f))
            claim_follow(r->m, f, corrected(f->odds, odds, suspects, varied));
    }
    free(odds);
}

static void claim_counters(const struct reads *r)
{
    double *odds = ww_xcalloc(SUSPECTS_MAX, sizeof *odds);
    size_t suspects = 0, varied = 0;

    for (size_t i = 0; i < r->counters; i++) {
        const struct counter *n = &r->counter[i];
        varied += n->seen || n->fell_within;
        if (may_count(n) && suspects < SUSPECTS_MAX)
            odds[suspects++] = ww_table_odds(&n->table);
    }
    for (size_t i = 0; i < r->counters; i++) {
        const struct counter *n = &r->counter[i];
        if (may_count(n))
            claim_counter(r->m, n, corrected(ww_table_odds(&n->table), odds, suspects, varied));
    }
    free(odds);
}

static void check(struct model *m)
{
    struct reads r = { .m = m };

    ww_map_init(&r.follow_at);
    ww_map_init(&r.counter_at);
    r.carried = ww_xcalloc(m->normal.words + 1, sizeof *r.carried);
    for (size_t i = 0; i < m->carrieds; i++) {
        r.carried[m->carried[i].value] = true;
    }
    for (size_t i = 0; i < m->v.sessions; i++) {
        walk_session(&r, &m->v.session[i]);
    }
    claim_follows(&r);
    claim_counters(&r);
    ww_map_release(&r.follow_at);
    ww_map_release(&r.counter_at);
    ww_crossings_release(&r.cross);
    free(r.follow);
    free(r.counter);
    free(r.carried);
}

const struct rule ww_rule_monotonic_reads = {
    .guarantee = WW_MONOTONIC_READS,
    .help = "the session saw newer state on one worker, then older on another, with no write "
            "between",
    .check = check,
};

/* The judge over thousands of random traces of a simulated application, ill and healthy. */
#include "shop.h"

#include <whichworker/judge.h>

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
/* clang-format on */

#include <stdlib.h>

#define TRACES 4000

/* What each worker may have of its own; of the traces in which a client was told less than it
 * knew, at least so many of 100 fail. */
static const struct {
    const char *what;
    size_t least;
} own[SHOP_ILLS] = { { "lists", 50 }, { "values", 20 }, { "sessions", 5 },
                     { "keys", 85 },  { "counts", 30 }, { "jobs", 10 } };

/* WHICHWORKER_TEST_SEED=N: that trace alone. */
static uint64_t number_in(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    uint64_t n = otherwise;

    if (text != NULL && !ww_str_u64(ww_str_c(text), &n))
        n = otherwise;
    return n;
}

struct seeds {
    uint64_t first, last;
};

/* Where every instruction costs fifty (valgrind), a fiftieth of the traces shows as much. */
static struct seeds seeds_of(uint64_t traces)
{
    uint64_t only = number_in("WHICHWORKER_TEST_SEED", 0);
    uint64_t fewer = number_in("WHICHWORKER_TEST_FEWER", 1);

    traces *= number_in("WHICHWORKER_TEST_MORE", 1);
    if (only > 0)
        return (struct seeds){ only, only };
    return (struct seeds){ 1, traces / (fewer > 0 ? fewer : 1) };
}

/* ---- judging */

static int by_start(const void *a, const void *b)
{
    const struct ww_exchange *x = *(struct ww_exchange *const *)a,
                             *y = *(struct ww_exchange *const *)b;

    if (x->started_us != y->started_us)
        return x->started_us < y->started_us ? -1 : 1;
    return x->connection < y->connection ? -1 : x->connection > y->connection;
}

static struct ww_judge *judge_shop(struct shop *s, const struct ww_verdict **out)
{
    struct ww_judge_config cfg = { .fail_on = WW_FAIL_ON_LIKELY };
    struct ww_judge *j = ww_judge_new(&cfg);
    struct ww_exchange *feed[SHOP_EVENTS];
    size_t n = 0;

    for (size_t i = 0; i < s->workers; i++) {
        ww_judge_worker(j, &s->worker[i]);
    }
    for (size_t i = 0; i < s->events; i++) {
        if (s->exchange[i] != NULL)
            feed[n++] = s->exchange[i];
    }
    qsort(feed, n, sizeof feed[0], by_start);
    for (size_t i = 0; i < n; i++) {
        feed[i]->id = i + 1;
        ww_judge_exchange(j, feed[i]);
    }
    *out = ww_judge_finish(j);
    return j;
}

/* Whether a healthy trace has a finding of at least this grade. */
static bool is_blamed(struct shop *s, enum ww_grade least)
{
    const struct ww_verdict *v;

    shop_play(s);
    struct ww_judge *j = judge_shop(s, &v);
    bool blamed = v->findings > 0 && v->finding[0].grade >= least;
    ww_judge_free(j);
    return blamed;
}

/* Takes away whatever is not needed for the finding. */
static void shrink(struct shop *s, enum ww_grade least)
{
    for (size_t size = s->events / 2; size > 0; size /= 2) {
        for (size_t from = 0; from < s->events; from += size) {
            bool was[SHOP_EVENTS];
            for (size_t i = 0; i < s->events; i++) {
                was[i] = s->event[i].dropped;
                s->event[i].dropped = was[i] || (i >= from && i < from + size);
            }
            if (!is_blamed(s, least)) {
                for (size_t i = 0; i < s->events; i++) {
                    s->event[i].dropped = was[i];
                }
            }
        }
    }
    shop_play(s);
}

/* A trace in the words of a case, but for its times. */
static void print_trace(const struct shop *s)
{
    for (size_t i = 0; i < s->events; i++) {
        const struct ww_exchange *x = s->exchange[i];
        if (x == NULL)
            continue;
        print_message("s%zu w%d " WW_STRF " " WW_STRF, s->event[i].client, (int)x->worker.pid,
                      WW_STRV(x->method), WW_STRV(x->target));
        for (size_t f = 0; f < x->request_fields.n; f++) {
            print_message(" [" WW_STRF ":" WW_STRF "]", WW_STRV(x->request_fields.v[f].name),
                          WW_STRV(x->request_fields.v[f].value));
        }
        print_message(" " WW_STRF " -> %u", WW_STRV(x->request_body.bytes), x->status);
        for (size_t f = 0; f < x->response_fields.n; f++) {
            print_message(" [" WW_STRF ":" WW_STRF "]", WW_STRV(x->response_fields.v[f].name),
                          WW_STRV(x->response_fields.v[f].value));
        }
        for (size_t f = 0; f < x->payloads; f++) {
            print_message(" {payload " WW_STRF "}", WW_STRV(x->payload[f].json));
        }
        print_message(" " WW_STRF "%s  # %lld..%lld\n", WW_STRV(x->response_body.bytes),
                      x->end == WW_END_COMPLETE ? "" : " CUT",
                      (long long)(x->started_us - SHOP_EPOCH_US),
                      (long long)(x->ended_us - SHOP_EPOCH_US));
    }
}

static void print_findings(const struct shop *s, const struct ww_verdict *v)
{
    print_message("WHICHWORKER_TEST_SEED=%u: ", (unsigned)s->cfg.seed);
    for (size_t i = 0; i < v->findings; i++) {
        const struct ww_finding *f = &v->finding[i];
        print_message("%s %s %s " WW_STRF " (%u/%u/%u/%u)\n", ww_guarantee_token(f->guarantee),
                      ww_grade_token(f->grade), ww_cause_token(f->cause), WW_STRV(f->message),
                      (unsigned)f->table.changed_kept, (unsigned)f->table.changed_lost,
                      (unsigned)f->table.same_kept, (unsigned)f->table.same_lost);
    }
}

static void tell_blame(struct shop *s, enum ww_grade least)
{
    const struct ww_verdict *v;

    shrink(s, least);
    print_trace(s);
    struct ww_judge *j = judge_shop(s, &v);
    print_findings(s, v);
    ww_judge_free(j);
}

/* ---- traces */

static struct shop *play(struct shop_config cfg)
{
    struct shop *s = shop_new(&cfg);

    shop_play(s);
    return s;
}

static struct shop_config healthy_config(uint64_t seed)
{
    return (struct shop_config){
        .seed = seed, .pid_base = 100, .calm = seed % 3 == 0, .unknown = seed % 7 == 1
    };
}

/* Ill ones have findings. */
static struct shop_config ill_config(uint64_t seed)
{
    return (struct shop_config){ .seed = seed,
                                 .ill = 1 + (unsigned)(seed % SHOP_ILL_ALL),
                                 .pid_base = 100,
                                 .calm = seed % 2 == 0 };
}

/* ---- the properties */

/* Lag, or a cache that is old, breaks the promise to the client without any worker's fault:
 * what can be told from it is a guess, but it must never be sure. */
static enum ww_grade bearable(const struct shop *s)
{
    return s->traits.lag_us > 0 || shop_is_cached(s) ? WW_CONFIRMED : WW_LIKELY;
}

static void workers_that_share_their_state_are_never_blamed(void **unused)
{
    size_t splits = 0, blamed = 0, hinted = 0;
    struct seeds seeds = seeds_of(TRACES);

    for (uint64_t seed = seeds.first; seed <= seeds.last; seed++) {
        const struct ww_verdict *v;
        struct shop *s = play(healthy_config(seed));
        struct ww_judge *j = judge_shop(s, &v);
        bool bad = v->findings > 0 && v->finding[0].grade >= bearable(s);
        splits += v->splits;
        blamed += bad;
        hinted += v->findings > 0;
        if (bad)
            print_findings(s, v);
        if (v->findings > 0 && seeds.first == seeds.last)
            tell_blame(s, v->finding[0].grade);
        ww_judge_free(j);
        shop_free(s);
    }
    print_message("%zu traces with %zu splits: %zu blamed, %zu with a hint\n",
                  (size_t)(seeds.last - seeds.first + 1), splits, blamed, hinted);
    assert_int_equal(blamed, 0);
    assert_true(splits > seeds.last - seeds.first);
}

/* ---- the same findings, whatever does not matter */

static bool same_finding(const struct ww_finding *f, const struct ww_finding *g)
{
    return f->guarantee == g->guarantee && f->grade == g->grade && f->cause == g->cause &&
           ww_str_eq(f->method, g->method) && ww_str_eq(f->route, g->route) &&
           ww_str_eq(f->place, g->place) && f->occurrences == g->occurrences &&
           memcmp(&f->table, &g->table, sizeof f->table) == 0;
}

/* Each finding of at least this grade has its like in u. */
static bool has_all(const struct ww_verdict *v, const struct ww_verdict *u, enum ww_grade least)
{
    for (size_t i = 0; i < v->findings; i++) {
        size_t k = 0;
        while (k < u->findings && !same_finding(&v->finding[i], &u->finding[k])) {
            k++;
        }
        if (k == u->findings && v->finding[i].grade >= least)
            return false;
    }
    return true;
}

static void assert_same(struct shop *a, struct shop *b, enum ww_grade least)
{
    const struct ww_verdict *v, *u;
    struct ww_judge *j = judge_shop(a, &v), *k = judge_shop(b, &u);
    bool same = has_all(v, u, least) && has_all(u, v, least);

    if (!same) {
        print_findings(a, v);
        print_findings(b, u);
    }
    assert_true(same);
    assert_int_equal(v->value, u->value);
    ww_judge_free(j);
    ww_judge_free(k);
    shop_free(a);
    shop_free(b);
}

static void judging_twice_says_the_same(void **unused)
{
    struct seeds seeds = seeds_of(400);

    for (uint64_t seed = seeds.first; seed <= seeds.last; seed++) {
        assert_same(play(ill_config(seed)), play(ill_config(seed)), WW_POSSIBLE);
    }
}

static void renaming_the_pids_changes_nothing(void **unused)
{
    struct seeds seeds = seeds_of(400);

    for (uint64_t seed = seeds.first; seed <= seeds.last; seed++) {
        struct shop_config renamed = ill_config(seed);
        renamed.pid_base = 31000;
        assert_same(play(ill_config(seed)), play(renamed), WW_POSSIBLE);
    }
}

/* Short of mere hints: a number that two sessions happen to use is new only to the first. */
static void the_order_of_sessions_that_share_nothing_changes_nothing(void **unused)
{
    struct seeds seeds = seeds_of(500);

    for (uint64_t seed = seeds.first; seed <= seeds.last; seed++) {
        struct shop_config cfg = ill_config(seed), turned;
        cfg.calm = cfg.apart = true;
        turned = cfg;
        turned.turn = 1 + seed % 3;
        assert_same(play(cfg), play(turned), WW_LIKELY);
    }
}

/* ---- what a worker that nobody knows adds */

/* As if nobody had seen who accepted it. */
static void forget_worker(struct shop *s, uint64_t *rng)
{
    struct ww_exchange *x = s->exchange[shop_roll(rng, (unsigned)s->events)];

    x->by = WW_BY_UNKNOWN;
    x->worker = (struct ww_worker_id){ 0 };
}

/* Whoever of its workers is not known, a healthy trace is as clean as before. */
static void not_knowing_some_workers_blames_nobody(void **unused)
{
    struct seeds seeds = seeds_of(1000);
    size_t blamed = 0;

    for (uint64_t seed = seeds.first; seed <= seeds.last; seed++) {
        const struct ww_verdict *v;
        struct shop *s = play(healthy_config(seed));
        uint64_t rng = seed;
        for (size_t i = 0; i < 1 + seed % 20; i++) {
            forget_worker(s, &rng);
        }
        struct ww_judge *j = judge_shop(s, &v);
        if (v->findings > 0 && v->finding[0].grade >= bearable(s)) {
            print_findings(s, v);
            blamed++;
        }
        ww_judge_free(j);
        shop_free(s);
    }
    assert_int_equal(blamed, 0);
}

/* ---- workers that keep their own */

static bool overlaps(const struct shop_event *a, const struct shop_event *b)
{
    return a->start_us < b->end_us && b->start_us < a->end_us;
}

/* This read is by the client that was the last to write what it reads, long since answered;
 * nobody has written it since, or while it ran. */
static bool knows_better(const struct shop *s, size_t read)
{
    const struct shop_event *r = &s->event[read];
    const struct shop_event *last = NULL;

    if (r->write || r->subject == SHOP_NONE || s->exchange[read]->by != WW_BY_KERNEL)
        return false;
    for (size_t i = 0; i < s->events; i++) {
        const struct shop_event *e = &s->event[i];
        if (i == read || e->subject != r->subject || !e->write)
            continue;
        if (overlaps(e, r) || (last != NULL && overlaps(e, last)))
            return false;
        if (e->start_us < r->start_us)
            last = e;
    }
    return last != NULL && last->client == r->client && last->ok;
}

/* How often a client that knew better was told otherwise than by the healthy twin. */
static size_t visible_losses(const struct shop *ill, const struct shop *twin)
{
    size_t n = 0;

    for (size_t i = 0; i < ill->events; i++) {
        n += ill->event[i].said != twin->event[i].said && knows_better(ill, i) &&
             knows_better(twin, i);
    }
    return n;
}

#define ENOUGH 5

/* What of the traces with losses is found, by what is ill. */
struct found {
    size_t visible, failed, hinted;
};

static void judge_ill(uint64_t seed, struct found *f, bool alone)
{
    const struct ww_verdict *v;
    struct shop_config cfg = {
        .seed = seed, .pid_base = 100, .calm = true, .focus = 1u << seed % SHOP_ILLS
    };
    struct shop *twin = play(cfg);

    cfg.ill = cfg.focus;
    struct shop *s = play(cfg);
    if (visible_losses(s, twin) >= ENOUGH) {
        struct ww_judge *j = judge_shop(s, &v);
        f->visible++;
        f->failed += v->value == WW_FAIL;
        f->hinted += v->value != WW_FAIL && v->findings > 0;
        if (alone) {
            print_trace(s);
            print_findings(s, v);
        }
        ww_judge_free(j);
    }
    shop_free(s);
    shop_free(twin);
}

static void workers_that_keep_their_own_state_are_found_out(void **unused)
{
    struct seeds seeds = seeds_of(1200);
    struct found found[SHOP_ILLS] = { 0 };
    bool full = seeds.last - seeds.first >= 1199;

    for (uint64_t seed = seeds.first; seed <= seeds.last; seed++) {
        judge_ill(seed, &found[seed % SHOP_ILLS], seeds.first == seeds.last);
    }
    for (size_t i = 0; i < SHOP_ILLS; i++) {
        const struct found *f = &found[i];
        print_message("each worker has its own %s: %zu of %zu traces fail, %zu have a hint\n",
                      own[i].what, f->failed, f->visible, f->hinted);
        assert_true(!full || (f->visible > 0 && f->failed * 100 >= f->visible * own[i].least));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_that_share_their_state_are_never_blamed),
        cmocka_unit_test(judging_twice_says_the_same),
        cmocka_unit_test(renaming_the_pids_changes_nothing),
        cmocka_unit_test(not_knowing_some_workers_blames_nobody),
        cmocka_unit_test(workers_that_keep_their_own_state_are_found_out),
        cmocka_unit_test(the_order_of_sessions_that_share_nothing_changes_nothing),
    };

    return cmocka_run_group_tests_name("judge_properties", tests, NULL, NULL);
}

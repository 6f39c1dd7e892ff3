/* Judging while it runs: in the end what one judge says of the same trace; told as it changes.
 */
#include "check.h"
#include "judging.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define EPOCH_US (1700000000 * (int64_t)1000000)
#define LINES    64
#define TRACES   30
#define CLIENTS  3
#define WORKERS  3
#define STEPS    120

/* What was told; whoever waits for a line is woken. */
struct told {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char line[LINES][400];
    enum live_tone tone[LINES];
    size_t n;
};

static void on_tell(void *ctx, enum live_tone tone, ww_str line)
{
    struct told *t = ctx;

    pthread_mutex_lock(&t->lock);
    if (t->n < LINES) {
        snprintf(t->line[t->n], sizeof(t->line[0]), WW_STRF, WW_STRV(line));
        t->tone[t->n++] = tone;
    }
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

static void told_init(struct told *t)
{
    *t = (struct told){ 0 };
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
}

static void told_release(struct told *t)
{
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
}

/* The i-th line, once it is there. */
static const char *wait_for_line(struct told *t, size_t i)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    pthread_mutex_lock(&t->lock);
    while (t->n <= i && pthread_cond_timedwait(&t->changed, &t->lock, &until) == 0) {
    }
    size_t n = t->n;
    pthread_mutex_unlock(&t->lock);
    assert_true(n > i);
    return t->line[i];
}

static struct judging *new_judging(struct told *t, size_t max_exchanges)
{
    struct ww_err err = { 0 };
    const struct judging_config cfg = {
        .judge = { .fail_on = WW_FAIL_ON_LIKELY },
        .max_exchanges = max_exchanges,
        .max_bytes = SIZE_MAX,
        .tell = on_tell,
        .ctx = t,
    };
    struct judging *j = judging_new(&cfg, &err);

    assert_non_null(j);
    return j;
}

/* How many lines there are when one of them says so. */
static size_t wait_for(struct told *t, const char *what)
{
    for (size_t i = 0;; i++)
        if (strstr(wait_for_line(t, i), what) != NULL)
            return i + 1;
}

/* ---- exchanges */

static struct ww_exchange *exchange(uint64_t id, int client, int32_t pid, const char *method,
                                    const char *target, const char *sent, const char *answer)
{
    struct ww_exchange *x = ww_exchange_new(SIZE_MAX);
    struct ww_arena *a = &x->arena;

    x->id = id;
    x->connection = (uint64_t)client + 1;
    x->client = WW_STR("127.0.0.1");
    x->method = ww_arena_dup(a, ww_str_c(method));
    x->target = ww_arena_dup(a, ww_str_c(target));
    x->started_us = EPOCH_US + (int64_t)id * 1000;
    x->connected_us = x->accepted_us = x->answered_us = x->started_us + 1;
    x->ended_us = x->started_us + 500;
    x->status = 200;
    x->end = WW_END_COMPLETE;
    x->by = WW_BY_KERNEL;
    x->worker = (struct ww_worker_id){ .pid = pid, .start_ticks = 7 };
    ww_fields_add(&x->request_fields, a, WW_STR("Cookie"),
                  ww_arena_printf(a, "session=mac:%d", client));
    ww_fields_add(&x->request_fields, a, WW_STR("Content-Type"), WW_STR("application/json"));
    ww_fields_add(&x->response_fields, a, WW_STR("Content-Type"), WW_STR("application/json"));
    x->request_body = (struct ww_body){ ww_arena_dup(a, ww_str_c(sent)), strlen(sent) };
    x->response_body = (struct ww_body){ ww_arena_dup(a, ww_str_c(answer)), strlen(answer) };
    return x;
}

static struct ww_exchange *page(uint64_t id, int32_t pid, const char *theme)
{
    char body[64];

    snprintf(body, sizeof(body), "{\"theme\":\"%s\"}", theme);
    return exchange(id, 0, pid, "GET", "/config", "", body);
}

/* A list that the workers share, or one for each: adds and reads of several clients. */
struct world {
    uint64_t seed;
    bool shared;
    char list[WORKERS][8192];
};

static unsigned roll(struct world *w, unsigned n)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(w->seed >> 33) % n;
}

static struct ww_exchange *random_step(struct world *w, uint64_t id)
{
    int client = (int)roll(w, CLIENTS);
    unsigned worker = roll(w, WORKERS);
    char *list = w->list[w->shared ? 0 : worker];
    char sent[64], answer[9000];

    if (roll(w, 3) > 0) {
        snprintf(answer, sizeof(answer), "{\"cars\":[%s]}", list);
        return exchange(id, client, 100 + (int32_t)worker, "GET", "/cars", "", answer);
    }
    snprintf(sent, sizeof(sent), "{\"name\":\"car-%llu\"}", (unsigned long long)id);
    snprintf(list + strlen(list), sizeof(w->list[0]) - strlen(list), "%s%s",
             *list == '\0' ? "" : ",", sent);
    return exchange(id, client, 100 + (int32_t)worker, "POST", "/cars/add", sent,
                    "{\"ok\":true}");
}

/* ---- tests */

/* Its own judge, fed with the same trace. */
static struct ww_judge *reference(uint64_t seed, bool shared)
{
    const struct ww_judge_config cfg = { .fail_on = WW_FAIL_ON_LIKELY };
    struct ww_judge *j = ww_judge_new(&cfg);
    struct world *w = calloc(1, sizeof(*w));

    w->seed = seed;
    w->shared = shared;
    for (uint64_t id = 1; id <= STEPS; id++) {
        struct ww_exchange *x = random_step(w, id);

        ww_judge_exchange(j, x);
        ww_exchange_free(x);
    }
    free(w);
    return j;
}

static const struct found *find(const struct found *f, size_t n, const struct ww_finding *of)
{
    for (size_t i = 0; i < n; i++)
        if (!f[i].withdrawn && f[i].guarantee == of->guarantee && f[i].cause == of->cause &&
            f[i].grade == of->grade && f[i].occurrences == of->occurrences &&
            ww_str_eq(f[i].method, of->method) && ww_str_eq(f[i].route, of->route) &&
            ww_str_eq(f[i].place, of->place))
            return &f[i];
    return NULL;
}

static void compare_with_reference(uint64_t seed, bool shared, size_t *seen)
{
    struct told told;
    struct ww_judge *judge = reference(seed, shared);
    const struct ww_verdict *v = ww_judge_finish(judge);
    struct world *w = calloc(1, sizeof(*w));
    struct judging *j;
    size_t n, standing = 0;

    told_init(&told);
    j = new_judging(&told, 100000);
    w->seed = seed;
    w->shared = shared;
    /* They come as they end, which is not the order in which they began. */
    for (uint64_t id = 1; id <= STEPS; id += 2) {
        struct ww_exchange *first = random_step(w, id), *second = random_step(w, id + 1);

        judging_take(j, second, id + 1);
        judging_take(j, first, id);
    }
    judging_finish(j);

    const struct found *f = judging_found(j, &n);

    for (size_t i = 0; i < n; i++)
        standing += !f[i].withdrawn;
    assert_int_equal(standing, v->findings);
    for (size_t i = 0; i < v->findings; i++) {
        const struct found *same = find(f, n, &v->finding[i]);

        assert_non_null(same);
        assert_int_equal(same->evidences, v->finding[i].evidences);
        assert_int_equal(same->evidence[0], v->step[v->finding[i].evidence[0].step].exchange);
    }
    *seen += standing;
    judging_free(j);
    ww_judge_free(judge);
    told_release(&told);
    free(w);
}

static void ends_with_what_one_judge_says_of_all(void **state)
{
    size_t broken = 0, healthy = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= TRACES; seed++) {
        compare_with_reference(seed, false, &broken);
        compare_with_reference(seed, true, &healthy);
    }
    assert_true(broken >= TRACES);
    assert_int_equal(healthy, 0);
}

static void tells_while_it_runs_and_says_when_it_is_sure(void **state)
{
    struct told told;
    struct judging *j;

    (void)state;
    told_init(&told);
    j = new_judging(&told, 100000);
    judging_take(j, page(1, 11, "dark"), 5);
    judging_take(j, page(2, 12, "light"), 5);
    judging_take(j, page(3, 11, "dark"), 5);

    const char *first = wait_for_line(&told, 0);

    assert_non_null(strstr(first, "FINDING possible monotonic-reads (worker-memory) in s5: "));
    assert_non_null(strstr(first, "[exchanges 1, 2, 3]"));
    assert_int_equal(told.tone[0], LIVE_ASIDE);
    for (uint64_t id = 4; id <= 8; id++)
        judging_take(j, page(id, id % 2 == 0 ? 12 : 11, id % 2 == 0 ? "light" : "dark"), 5);
    assert_non_null(strstr(wait_for_line(&told, 1), "FINDING now likely monotonic-reads"));
    assert_int_equal(told.tone[1], LIVE_WARNING);
    judging_finish(j);
    assert_int_equal(told.n, 2);
    judging_free(j);
    told_release(&told);
}

/* One worker shows both views with nothing written between: the page differs by itself. */
static void takes_back_what_turns_out_to_be_noise(void **state)
{
    struct told told;
    struct judging *j;
    struct ww_buf out;
    size_t n;

    (void)state;
    told_init(&told);
    j = new_judging(&told, 100000);
    judging_take(j, page(1, 11, "dark"), 1);
    judging_take(j, page(2, 12, "light"), 1);
    judging_take(j, page(3, 11, "dark"), 1);
    wait_for_line(&told, 0);
    judging_take(j, page(4, 11, "light"), 1);
    judging_take(j, page(5, 11, "dark"), 1);
    assert_non_null(strstr(wait_for_line(&told, 1), "FINDING taken back: possible"));
    judging_finish(j);
    assert_true(judging_found(j, &n)[0].withdrawn);
    ww_buf_init(&out, 4096);
    judging_summary(j, &out);
    assert_slice(ww_buf_str(&out), "no findings\n");
    ww_buf_release(&out);
    judging_free(j);
    told_release(&told);
}

/* What was found stays found when its exchanges are forgotten, and is not told again. */
static void forgets_exchanges_but_not_findings(void **state)
{
    struct told told;
    struct judging *j;
    struct ww_buf out;
    size_t lines;

    (void)state;
    told_init(&told);
    j = new_judging(&told, 10);
    for (uint64_t id = 1; id <= 8; id++)
        judging_take(j, page(id, id % 2 == 0 ? 12 : 11, id % 2 == 0 ? "light" : "dark"), 1);
    lines = wait_for(&told, "likely monotonic-reads");
    for (uint64_t id = 9; id <= 100; id++)
        judging_take(j, exchange(id, 0, 11, "GET", "/other", "", "{\"a\":1}"), 1);
    judging_finish(j);
    assert_int_equal(told.n, lines);
    ww_buf_init(&out, 4096);
    judging_summary(j, &out);

    ww_str text = ww_buf_str(&out);

    assert_true(ww_str_starts(text, WW_STR("1 finding\n  likely")));
    assert_true(ww_str_find(text, WW_STR("among the newest 10 exchanges")) > 0);
    ww_buf_release(&out);
    judging_free(j);
    told_release(&told);
}

/* With less to go by it would be told as weaker; but nothing has come that speaks against it.
 */
static void does_not_grow_weaker_by_forgetting(void **state)
{
    struct told told;
    struct judging *j;
    size_t lines, n;

    (void)state;
    told_init(&told);
    j = new_judging(&told, 10);
    for (uint64_t id = 1; id <= 8; id++)
        judging_take(j, page(id, id % 2 == 0 ? 12 : 11, id % 2 == 0 ? "light" : "dark"), 1);
    lines = wait_for(&told, "likely monotonic-reads");
    for (uint64_t id = 9; id <= 15; id++) /* three of the eight are left */
        judging_take(j, exchange(id, 0, 11, "GET", "/other", "", "{\"a\":1}"), 1);
    judging_finish(j);
    assert_int_equal(told.n, lines);
    assert_int_equal(judging_found(j, &n)[0].grade, WW_LIKELY);
    judging_free(j);
    told_release(&told);
}

static void a_value_from_the_wire_cannot_reach_the_terminal(void **state)
{
    struct told told;
    struct judging *j;

    (void)state;
    told_init(&told);
    j = new_judging(&told, 100);
    for (uint64_t id = 1; id <= 8; id++)
        judging_take(j,
                     exchange(id, 0, id % 2 == 0 ? 12 : 11, "GET", "/\x1b[2J\x07", "",
                              id % 2 == 0 ? "{\"a\":\"\\u001b[31mred\"}" : "{\"a\":\"\\n\"}"),
                     1);

    const char *line = wait_for_line(&told, 0);

    for (size_t i = 0; line[i] != '\0'; i++)
        assert_true(line[i] >= ' ');
    judging_free(j);
    told_release(&told);
}

static void ends_at_once_when_nothing_came(void **state)
{
    struct told told;
    struct judging *j;

    (void)state;
    told_init(&told);
    j = new_judging(&told, 100);
    judging_worker(j, &(struct ww_worker){ .id = { .pid = 1, .start_ticks = 1 } });
    judging_finish(j);
    assert_int_equal(told.n, 0);
    judging_free(j);
    judging_free(NULL);
    told_release(&told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_with_what_one_judge_says_of_all),
        cmocka_unit_test(tells_while_it_runs_and_says_when_it_is_sure),
        cmocka_unit_test(takes_back_what_turns_out_to_be_noise),
        cmocka_unit_test(forgets_exchanges_but_not_findings),
        cmocka_unit_test(does_not_grow_weaker_by_forgetting),
        cmocka_unit_test(a_value_from_the_wire_cannot_reach_the_terminal),
        cmocka_unit_test(ends_at_once_when_nothing_came),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

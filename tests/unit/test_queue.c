/* The queue: order kept, nothing dropped, the emitter never blocked and woken when there is
 * room. */
#include <whichworker/sink.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#define MANY 100000

/* What the other end saw; a gate that is shut holds the queue's thread inside a hand-over. */
struct far_end {
    struct ww_sink sink; /* first */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool shut;
    bool inside;
    uint64_t next_id;
    _Atomic uint64_t exchanges;
    _Atomic uint64_t workers;
    _Atomic uint64_t connections;
    _Atomic uint64_t disorder;
    _Atomic uint64_t drained;
    _Atomic uint64_t rooms;
    pthread_t thread;
};

static void see(struct far_end *f, uint64_t id)
{
    pthread_mutex_lock(&f->lock);
    f->inside = true;
    f->thread = pthread_self();
    pthread_cond_broadcast(&f->changed);
    while (f->shut)
        pthread_cond_wait(&f->changed, &f->lock);
    f->inside = false;
    pthread_mutex_unlock(&f->lock);
    if (id != f->next_id++)
        atomic_fetch_add(&f->disorder, 1);
}

static void see_exchange(struct ww_sink *s, struct ww_exchange *x)
{
    struct far_end *f = (struct far_end *)s;

    see(f, x->id);
    atomic_fetch_add(&f->exchanges, 1);
    ww_exchange_free(x);
}

static void see_worker(struct ww_sink *s, const struct ww_worker *w)
{
    struct far_end *f = (struct far_end *)s;

    see(f, w->slot);
    atomic_fetch_add(&f->workers, 1);
}

static void see_connection(struct ww_sink *s, const struct ww_connection *c)
{
    struct far_end *f = (struct far_end *)s;

    see(f, c->id);
    atomic_fetch_add(&f->connections, 1);
}

static void on_drained(void *ctx)
{
    atomic_fetch_add(&((struct far_end *)ctx)->drained, 1);
}

static void on_room(void *ctx)
{
    struct far_end *f = ctx;

    pthread_mutex_lock(&f->lock);
    atomic_fetch_add(&f->rooms, 1);
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static void far_end_init(struct far_end *f)
{
    *f = (struct far_end){
        .sink = { .exchange = see_exchange, .worker = see_worker, .connection = see_connection }
    };
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
}

static void set_gate(struct far_end *f, bool shut)
{
    pthread_mutex_lock(&f->lock);
    f->shut = shut;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static void wait_until_inside(struct far_end *f)
{
    pthread_mutex_lock(&f->lock);
    while (!f->inside)
        pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
}

static void wait_for_room(struct far_end *f, const struct ww_queue *q)
{
    pthread_mutex_lock(&f->lock);
    while (!ww_queue_has_room(q))
        pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
}

static struct ww_queue *queue_to(struct far_end *f, size_t max_events, size_t max_bytes,
                                 uint32_t linger_ms)
{
    struct ww_err err = { 0 };
    struct ww_queue_config cfg = { .max_events = max_events,
                                   .max_bytes = max_bytes,
                                   .linger_ms = linger_ms,
                                   .out = &f->sink,
                                   .on_drained = on_drained,
                                   .on_room = on_room,
                                   .ctx = f };
    struct ww_queue *q = ww_queue_new(&cfg, &err);

    assert_non_null(q);
    return q;
}

static void emit(struct ww_queue *q, uint64_t id)
{
    struct ww_exchange *x = ww_exchange_new(4096);

    x->id = id;
    ww_queue_sink(q)->exchange(ww_queue_sink(q), x);
}

/* ---- tests */

static void many_pass_a_small_bound_in_order(void **state)
{
    struct far_end f;

    far_end_init(&f);
    struct ww_queue *q = queue_to(&f, 16, SIZE_MAX, *(uint32_t *)*state);
    for (uint64_t i = 0; i < MANY; i++) {
        if (!ww_queue_has_room(q))
            wait_for_room(&f, q);
        emit(q, i);
    }
    uint64_t stalls = ww_queue_stalls(q);
    ww_queue_free(q);
    assert_int_equal(f.exchanges, MANY);
    assert_int_equal(f.disorder, 0);
    assert_true(f.drained > 0);
    assert_true(stalls > 0);
    /* Each stall ended by one wake-up, but the last may still have been full at the end. */
    assert_true(f.rooms == stalls || f.rooms + 1 == stalls);
}

static void every_kind_keeps_its_place(void **state)
{
    struct far_end f;

    far_end_init(&f);
    struct ww_queue *q = queue_to(&f, 1 << 20, SIZE_MAX, 0);
    struct ww_sink *s = ww_queue_sink(q);
    for (uint64_t i = 0; i < 3000; i += 3) {
        struct ww_worker w = { .slot = (uint32_t)i };
        struct ww_connection c = { .id = i + 1 };
        s->worker(s, &w);
        s->connection(s, &c);
        emit(q, i + 2);
    }
    ww_queue_free(q);
    assert_int_equal(f.workers, 1000);
    assert_int_equal(f.connections, 1000);
    assert_int_equal(f.exchanges, 1000);
    assert_int_equal(f.disorder, 0);
}

static void beyond_the_bound_it_still_takes(void **state)
{
    struct far_end f;

    far_end_init(&f);
    struct ww_queue *q = queue_to(&f, 4, SIZE_MAX, 0);
    set_gate(&f, true);
    emit(q, 0);
    wait_until_inside(&f);
    for (uint64_t i = 1; i < 3; i++)
        emit(q, i);
    assert_true(ww_queue_has_room(q)); /* three wait, of four */
    emit(q, 3);
    assert_false(ww_queue_has_room(q));
    for (uint64_t i = 4; i < 1000; i++)
        emit(q, i);
    assert_int_equal(ww_queue_stalls(q), 1);
    assert_int_equal(f.rooms, 0);
    set_gate(&f, false);
    wait_for_room(&f, q);
    ww_queue_free(q);
    assert_int_equal(f.rooms, 1);
    assert_int_equal(f.exchanges, 1000);
    assert_int_equal(f.disorder, 0);
}

static void bytes_are_bounded_too(void **state)
{
    struct far_end f;

    far_end_init(&f);
    struct ww_queue *q = queue_to(&f, SIZE_MAX, 100000, 0);
    set_gate(&f, true);
    struct ww_exchange *x = ww_exchange_new(SIZE_MAX);
    assert_non_null(ww_arena_try(&x->arena, 100000));
    ww_queue_sink(q)->exchange(ww_queue_sink(q), x);
    assert_false(ww_queue_has_room(q));
    set_gate(&f, false);
    wait_for_room(&f, q);
    ww_queue_free(q);
    assert_int_equal(f.rooms, 1);
}

static void what_waits_is_handed_on_before_the_end(void **state)
{
    struct far_end f;

    far_end_init(&f);
    struct ww_queue *q = queue_to(&f, 1 << 20, SIZE_MAX, 60000); /* nobody waits that long */
    for (uint64_t i = 0; i < 500; i++)
        emit(q, i);
    ww_queue_free(q);
    assert_int_equal(f.exchanges, 500);
    assert_false(pthread_equal(f.thread, pthread_self()));
    ww_queue_free(NULL);
}

/* If it lingered, this would take a minute. Whether the thread waits for company already when
 * the last event comes is up to the scheduler: so it is tried often. */
static void half_full_it_does_not_linger(void **state)
{
    for (unsigned round = 0; round < 100; round++) {
        struct far_end f;
        far_end_init(&f);
        struct ww_queue *q = queue_to(&f, 8, SIZE_MAX, 60000);
        set_gate(&f, true);
        for (uint64_t i = 0; i < 4; i++) {
            emit(q, i);
            for (unsigned k = 0; k < 200 && i == 2; k++)
                sched_yield();
        }
        wait_until_inside(&f);
        set_gate(&f, false);
        ww_queue_free(q);
        assert_int_equal(f.exchanges, 4);
    }
}

static void an_unused_queue_ends(void **state)
{
    struct far_end f;

    far_end_init(&f);
    ww_queue_free(queue_to(&f, 16, 16, 0));
    assert_int_equal(f.drained, 0);
}

int main(void)
{
    static uint32_t at_once = 0, lingering = 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(many_pass_a_small_bound_in_order, &at_once),
        cmocka_unit_test_prestate(many_pass_a_small_bound_in_order, &lingering),
        cmocka_unit_test(every_kind_keeps_its_place),
        cmocka_unit_test(beyond_the_bound_it_still_takes),
        cmocka_unit_test(bytes_are_bounded_too),
        cmocka_unit_test(what_waits_is_handed_on_before_the_end),
        cmocka_unit_test(half_full_it_does_not_linger),
        cmocka_unit_test(an_unused_queue_ends),
    };
    return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}

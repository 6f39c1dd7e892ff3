/* The window: its bounds, what goes first, and that a gap is never left in the middle. */
#include "check.h"
#include "window.h"

#include <whichworker/arena.h>

static struct window_entry entry(uint64_t id, size_t bytes)
{
    struct ww_exchange *x = ww_exchange_new(SIZE_MAX);

    x->id = id;
    ww_arena_alloc(&x->arena, bytes);
    return (struct window_entry){ .exchange = x, .session = id * 10 };
}

static void assert_holds(const struct window *w, uint64_t first, uint64_t last)
{
    assert_int_equal(w->n, last - first + 1);
    for (size_t i = 0; i < w->n; i++) {
        assert_int_equal(window_at(w, i)->exchange->id, first + i);
        assert_int_equal(window_at(w, i)->session, (first + i) * 10);
    }
}

static void holds_everything_within_its_bounds(void **state)
{
    struct window w;

    (void)state;
    window_init(&w, 100, SIZE_MAX);
    for (uint64_t id = 1; id <= 100; id++)
        window_add(&w, entry(id, 10));
    assert_holds(&w, 1, 100);
    assert_int_equal(w.forgotten, 0);
    window_release(&w);
}

static void the_oldest_go_when_there_are_too_many(void **state)
{
    struct window w;

    (void)state;
    window_init(&w, 7, SIZE_MAX);
    for (uint64_t id = 1; id <= 10000; id++) {
        window_add(&w, entry(id, 10));
        assert_holds(&w, id < 7 ? 1 : id - 6, id);
    }
    assert_int_equal(w.forgotten, 10000 - 7);
    assert_true(w.cap < 64); /* what was forgotten leaves room, it is not grown over */
    window_release(&w);
}

static void the_oldest_go_when_they_take_too_much_memory(void **state)
{
    struct window w;

    (void)state;
    window_init(&w, SIZE_MAX, 100000);
    for (uint64_t id = 1; id <= 100; id++) {
        window_add(&w, entry(id, 20000));
        assert_true(w.bytes <= 100000);
    }
    assert_holds(&w, 97, 100);
    window_add(&w, entry(101, 50000)); /* takes the place of several */
    assert_holds(&w, 99, 101);
    window_release(&w);
}

static void what_is_larger_than_all_of_it_is_forgotten_at_once(void **state)
{
    struct window w;

    (void)state;
    window_init(&w, 10, 30000);
    window_add(&w, entry(1, 10));
    window_add(&w, entry(2, 100000));
    assert_int_equal(w.n, 0);
    assert_int_equal(w.bytes, 0);
    assert_int_equal(w.forgotten, 2);
    window_add(&w, entry(3, 10));
    assert_holds(&w, 3, 3);
    window_release(&w);
}

static void the_memory_counted_is_what_the_arena_takes(void **state)
{
    struct window w;

    (void)state;
    window_init(&w, 10, SIZE_MAX);
    window_add(&w, entry(1, 1));
    assert_true(w.bytes >= 4096); /* one block, whatever is used of it */
    window_release(&w);
}

static void newer_ones_come_behind(void **state)
{
    struct window w, newer;

    (void)state;
    window_init(&w, 5, SIZE_MAX);
    window_init(&newer, 5, SIZE_MAX);
    for (uint64_t id = 1; id <= 4; id++)
        window_add(&w, entry(id, 1));
    for (uint64_t id = 5; id <= 7; id++)
        window_add(&newer, entry(id, 1));
    window_append(&w, &newer);
    assert_holds(&w, 3, 7);
    assert_int_equal(w.forgotten, 2);
    assert_int_equal(newer.n, 0);
    assert_int_equal(newer.bytes, 0);
    window_release(&newer);
    window_release(&w);
}

static void a_gap_takes_what_is_older_with_it(void **state)
{
    struct window w, newer;

    (void)state;
    window_init(&w, 100, SIZE_MAX);
    window_init(&newer, 3, SIZE_MAX);
    for (uint64_t id = 1; id <= 4; id++)
        window_add(&w, entry(id, 1));
    for (uint64_t id = 5; id <= 9; id++)
        window_add(&newer, entry(id, 1));
    window_append(&w, &newer);
    assert_holds(&w, 7, 9);
    assert_int_equal(w.forgotten, 6);
    window_release(&newer);
    window_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_everything_within_its_bounds),
        cmocka_unit_test(the_oldest_go_when_there_are_too_many),
        cmocka_unit_test(the_oldest_go_when_they_take_too_much_memory),
        cmocka_unit_test(what_is_larger_than_all_of_it_is_forgotten_at_once),
        cmocka_unit_test(the_memory_counted_is_what_the_arena_takes),
        cmocka_unit_test(newer_ones_come_behind),
        cmocka_unit_test(a_gap_takes_what_is_older_with_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

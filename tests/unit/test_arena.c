/* Arenas: the limit, alignment, big blocks, copies; the allocators that abort. */
#include "check.h"

#include <whichworker/arena.h>

#include <stdlib.h>

static void limit_may_be_reached_but_not_passed(void **state)
{
    struct ww_arena a;

    ww_arena_init(&a, 100);
    assert_non_null(ww_arena_try(&a, 60));
    assert_null(ww_arena_try(&a, 41));
    assert_int_equal(a.used, 60);
    assert_non_null(ww_arena_try(&a, 40));
    assert_int_equal(a.used, 100);
    assert_null(ww_arena_try(&a, 1));
    assert_null(ww_arena_try(&a, SIZE_MAX));
    assert_non_null(ww_arena_try(&a, 0));
    ww_arena_release(&a);
}

static void limit_of_zero_gives_nothing(void **state)
{
    struct ww_arena a;

    ww_arena_init(&a, 0);
    assert_null(ww_arena_try(&a, 1));
    assert_absent(ww_arena_dup(&a, WW_STR("")));
    assert_absent(ww_arena_printf(&a, "%s", ""));
    ww_arena_release(&a);
}

static void release_gives_the_whole_limit_back(void **state)
{
    struct ww_arena a;

    ww_arena_init(&a, 10000);
    for (size_t round = 0; round < 3; round++) {
        assert_non_null(ww_arena_try(&a, 10000));
        assert_null(ww_arena_try(&a, 1));
        ww_arena_release(&a);
        assert_null(a.block);
        assert_int_equal(a.used, 0);
    }
    ww_arena_release(&a);
}

static void memory_is_zeroed_aligned_and_never_shared(void **state)
{
    enum { PIECES = 3000 };
    struct ww_arena a;
    unsigned char *piece[PIECES];

    ww_arena_init(&a, SIZE_MAX);
    for (size_t i = 0; i < PIECES; i++) {
        size_t bytes = i % 67 + 1;

        piece[i] = ww_arena_alloc(&a, bytes);
        assert_int_equal((uintptr_t)piece[i] % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < bytes; k++)
            assert_int_equal(piece[i][k], 0);
        memset(piece[i], (int)(i % 251) + 1, bytes);
    }
    for (size_t i = 0; i < PIECES; i++)
        for (size_t k = 0; k < i % 67 + 1; k++)
            assert_int_equal(piece[i][k], i % 251 + 1);
    ww_arena_release(&a);
}

static void big_pieces_get_a_block_of_their_own(void **state)
{
    struct ww_arena a;

    ww_arena_init(&a, SIZE_MAX);
    for (size_t bytes = 4080; bytes < 4120; bytes++) {
        char *small = ww_arena_alloc(&a, 1);
        char *big = ww_arena_alloc(&a, bytes);

        *small = 's';
        memset(big, 'b', bytes);
        assert_int_equal(*small, 's');
    }
    memset(ww_arena_alloc(&a, 3 << 20), 'x', 3 << 20);
    ww_arena_release(&a);
}

static void copies_end_in_a_nul_and_outlive_the_original(void **state)
{
    struct ww_arena a;
    char original[] = "ab\0c";

    ww_arena_init(&a, SIZE_MAX);

    ww_str copy = ww_arena_dup(&a, ww_str_n(original, 4));

    memset(original, 'x', sizeof(original));
    assert_slice(copy, "ab\0c");
    assert_int_equal(copy.ptr[4], '\0');
    assert_slice(ww_arena_dup(&a, WW_STR("")), "");
    assert_int_equal(ww_arena_dup(&a, WW_STR("")).ptr[0], '\0');
    assert_absent(ww_arena_dup(&a, (ww_str){ 0 }));
    assert_slice(ww_arena_printf(&a, "%d-%s", 7, "x"), "7-x");
    assert_slice(ww_arena_printf(&a, "%s", ""), "");
    ww_arena_release(&a);
}

static void copy_over_the_limit_is_absent(void **state)
{
    struct ww_arena a;

    ww_arena_init(&a, 4);
    assert_absent(ww_arena_dup(&a, WW_STR("abcd")));
    assert_absent(ww_arena_printf(&a, "%d", 1234));
    assert_slice(ww_arena_dup(&a, WW_STR("abc")), "abc");
    assert_int_equal(a.used, 4);
    assert_absent(ww_arena_dup(&a, WW_STR("")));
    ww_arena_release(&a);
}

static void alloc_past_the_limit(void)
{
    struct ww_arena a;

    ww_arena_init(&a, 8);
    ww_arena_alloc(&a, 9);
}

static void all_of_memory_from_an_arena_without_limit(void)
{
    struct ww_arena a;

    ww_arena_init(&a, SIZE_MAX);
    (void)!ww_arena_try(&a, SIZE_MAX - 3);
}

static void grow_past_all_memory(void)
{
    size_t cap = 0;

    ww_grow(NULL, SIZE_MAX, &cap, 1);
}

static void grow_whose_bytes_wrap(void)
{
    size_t cap = 0;

    ww_grow(NULL, SIZE_MAX / 8, &cap, 64);
}

static void what_cannot_be_had_aborts(void **state)
{
    assert_true(aborts(alloc_past_the_limit));
    assert_true(aborts(all_of_memory_from_an_arena_without_limit));
    assert_true(aborts(grow_past_all_memory));
    assert_true(aborts(grow_whose_bytes_wrap));
}

static void vectors_double_and_keep_their_elements(void **state)
{
    uint32_t *v = NULL;
    size_t cap = 0;
    size_t moves = 0;

    for (size_t n = 0; n < 10000; n++) {
        size_t before = cap;

        v = ww_grow(v, n + 1, &cap, sizeof(*v));
        moves += cap != before;
        v[n] = (uint32_t)n;
    }
    for (size_t n = 0; n < 10000; n++)
        assert_int_equal(v[n], n);
    assert_true(moves < 16);
    assert_ptr_equal(ww_grow(v, 3, &cap, sizeof(*v)), v);
    free(v);
}

static void nothing_may_be_allocated(void **state)
{
    void *p = ww_xmalloc(0);
    void *q = ww_xcalloc(0, 0);
    char *c = ww_xstrdup("");

    assert_non_null(p);
    assert_non_null(q);
    assert_string_equal(c, "");
    p = ww_xrealloc(p, 0);
    assert_non_null(p);
    free(p);
    free(q);
    free(c);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(limit_may_be_reached_but_not_passed),
    cmocka_unit_test(limit_of_zero_gives_nothing),
    cmocka_unit_test(release_gives_the_whole_limit_back),
    cmocka_unit_test(memory_is_zeroed_aligned_and_never_shared),
    cmocka_unit_test(big_pieces_get_a_block_of_their_own),
    cmocka_unit_test(copies_end_in_a_nul_and_outlive_the_original),
    cmocka_unit_test(copy_over_the_limit_is_absent),
    cmocka_unit_test(what_cannot_be_had_aborts),
    cmocka_unit_test(vectors_double_and_keep_their_elements),
    cmocka_unit_test(nothing_may_be_allocated),
};

int main(void)
{
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}

/* Hash maps: many keys, keys of one length, the empty key, who borrows what. */
#include "check.h"

#include <whichworker/arena.h>
#include <whichworker/map.h>

#include <stdio.h>
#include <stdlib.h>

static void empty_map_finds_nothing(void **state)
{
    struct ww_map m;

    ww_map_init(&m);
    assert_null(ww_map_find(&m, WW_STR("a")));
    assert_null(ww_map_find(&m, WW_STR("")));
    assert_null(ww_map_find(&m, (ww_str){ 0 }));
    ww_map_release(&m);
    ww_map_release(&m);
}

static void put_says_whether_the_key_is_new_and_keeps_the_first_value(void **state)
{
    struct ww_map m;
    bool is_new = false;

    ww_map_init(&m);
    assert_int_equal(*ww_map_put(&m, WW_STR("a"), 1, &is_new), 1);
    assert_true(is_new);
    assert_int_equal(*ww_map_put(&m, WW_STR("a"), 2, &is_new), 1);
    assert_false(is_new);
    assert_int_equal(*ww_map_put(&m, WW_STR("b"), 3, NULL), 3);
    assert_int_equal(m.len, 2);

    *ww_map_find(&m, WW_STR("a")) = 9;
    assert_int_equal(*ww_map_put(&m, WW_STR("a"), 4, NULL), 9);
    ww_map_release(&m);
    assert_null(ww_map_find(&m, WW_STR("a")));
    assert_int_equal(*ww_map_put(&m, WW_STR("a"), 5, &is_new), 5);
    assert_true(is_new);
    ww_map_release(&m);
}

static void empty_key_is_a_key_and_absent_is_the_same(void **state)
{
    struct ww_map m;
    bool is_new = true;

    ww_map_init(&m);
    ww_map_put(&m, (ww_str){ 0 }, 7, NULL);
    assert_int_equal(*ww_map_find(&m, WW_STR("")), 7);
    ww_map_put(&m, WW_STR(""), 8, &is_new);
    assert_false(is_new);
    assert_null(ww_map_find(&m, WW_STR("\0")));
    assert_int_equal(m.len, 1);
    ww_map_release(&m);
}

static void keys_that_differ_in_one_byte_or_in_length_stay_apart(void **state)
{
    static const char bytes[600] = { 0 };
    static char other[600];
    struct ww_map m;

    ww_map_init(&m);
    for (size_t len = 0; len < sizeof(bytes); len++)
        assert_int_equal(*ww_map_put(&m, ww_str_n(bytes, len), len, NULL), len);
    assert_int_equal(m.len, sizeof(bytes));
    for (size_t len = 0; len < sizeof(bytes); len++)
        assert_int_equal(*ww_map_find(&m, ww_str_n(bytes, len)), len);
    for (size_t at = 0; at < sizeof(other); at++) {
        other[at] = 1;
        assert_null(ww_map_find(&m, ww_str_n(other, at + 1)));
        assert_null(ww_map_find(&m, ww_str_n(other, sizeof(other))));
        other[at] = 0;
    }
    ww_map_release(&m);
}

enum { KEYS = 100000, KEY_BYTES = 8 };

static void hundred_thousand_keys_of_one_length_are_all_found(void **state)
{
    char *text = ww_xmalloc(KEYS * (KEY_BYTES + 1));
    struct ww_map m;

    ww_map_init(&m);
    for (size_t i = 0; i < KEYS; i++) {
        char *key = text + i * (KEY_BYTES + 1);
        bool is_new = false;

        snprintf(key, KEY_BYTES + 1, "%08zu", i);
        ww_map_put(&m, ww_str_n(key, KEY_BYTES), i, &is_new);
        assert_true(is_new);
    }
    assert_int_equal(m.len, KEYS);
    assert_true(m.cap >= 2 * (size_t)KEYS && m.cap <= 8 * (size_t)KEYS);
    for (size_t i = 0; i < KEYS; i++) {
        char key[KEY_BYTES + 1];

        snprintf(key, sizeof(key), "%08zu", i);

        const size_t *value = ww_map_find(&m, ww_str_n(key, KEY_BYTES));
        assert_non_null(value);
        assert_int_equal(*value, i);
        key[0] = 'x';
        assert_null(ww_map_find(&m, ww_str_n(key, KEY_BYTES)));
    }
    ww_map_release(&m);
    free(text);
}

static void every_map_has_its_own_seed(void **state)
{
    struct ww_map a;
    struct ww_map b;

    ww_map_init(&a);
    ww_map_init(&b);
    assert_true(a.seed != b.seed);
    ww_map_release(&a);
    ww_map_release(&b);
}

static void what_was_removed_is_gone_and_the_rest_is_found(void **state)
{
    enum { MANY = 5000 };
    static char text[MANY][KEY_BYTES + 1];
    struct ww_map m;

    ww_map_init(&m);
    assert_false(ww_map_remove(&m, WW_STR("none")));
    for (size_t i = 0; i < MANY; i++) {
        snprintf(text[i], sizeof(text[i]), "%08zu", i);
        ww_map_put(&m, ww_str_c(text[i]), i, NULL);
    }
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = round; i < MANY; i += 3) {
            assert_true(ww_map_remove(&m, ww_str_c(text[i])));
            assert_false(ww_map_remove(&m, ww_str_c(text[i])));
        }
        for (size_t i = 0; i < MANY; i++) {
            const size_t *value = ww_map_find(&m, ww_str_c(text[i]));
            assert_true(value == NULL ? i % 3 <= round : i % 3 > round && *value == i);
        }
    }
    assert_int_equal(m.len, 0);
    ww_map_put(&m, WW_STR("again"), 7, NULL);
    assert_int_equal(*ww_map_find(&m, WW_STR("again")), 7);
    ww_map_release(&m);
}

static void a_fingerprint_tells_bytes_apart(void **state)
{
    struct ww_map m, other;
    char a[WW_FINGERPRINT], b[WW_FINGERPRINT], c[WW_FINGERPRINT], d[WW_FINGERPRINT];

    (void)state;
    ww_map_init(&m);
    ww_map_init(&other);
    ww_map_fingerprint(&m, WW_STR("one body"), a);
    ww_map_fingerprint(&m, WW_STR("one body"), b);
    ww_map_fingerprint(&m, WW_STR("one bodz"), c);
    ww_map_fingerprint(&other, WW_STR("one body"), d);
    assert_memory_equal(a, b, WW_FINGERPRINT);
    assert_memory_not_equal(a, c, WW_FINGERPRINT);
    assert_memory_not_equal(a, d, WW_FINGERPRINT);
    ww_map_release(&m);
    ww_map_release(&other);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(empty_map_finds_nothing),
    cmocka_unit_test(put_says_whether_the_key_is_new_and_keeps_the_first_value),
    cmocka_unit_test(empty_key_is_a_key_and_absent_is_the_same),
    cmocka_unit_test(keys_that_differ_in_one_byte_or_in_length_stay_apart),
    cmocka_unit_test(hundred_thousand_keys_of_one_length_are_all_found),
    cmocka_unit_test(what_was_removed_is_gone_and_the_rest_is_found),
    cmocka_unit_test(every_map_has_its_own_seed),
    cmocka_unit_test(a_fingerprint_tells_bytes_apart),
};

int main(void)
{
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}

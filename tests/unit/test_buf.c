/* Buffers: growth up to the limit, what full means, consuming, what a terminal may see. */
#include "check.h"

#include <whichworker/buf.h>

static void text_of_all_kinds_is_appended(void **state)
{
    struct ww_buf b;

    ww_buf_init(&b, SIZE_MAX);
    assert_slice(ww_buf_str(&b), "");
    assert_true(ww_buf_add(&b, (ww_str){ 0 }));
    assert_true(ww_buf_add(&b, WW_STR("a\0")));
    assert_true(ww_buf_add_c(&b, "bc"));
    assert_true(ww_buf_add_c(&b, NULL));
    assert_true(ww_buf_add_char(&b, '\0'));
    assert_true(ww_buf_printf(&b, "%d%s", 42, "!"));
    assert_true(ww_buf_printf(&b, "%s", ""));
    assert_slice(ww_buf_str(&b), "a\0bc\0"
                                 "42!");
    ww_buf_release(&b);
}

static void growth_keeps_what_was_there(void **state)
{
    enum { BYTES = 100000 };
    struct ww_buf b;

    ww_buf_init(&b, BYTES);
    for (size_t i = 0; i < BYTES; i++)
        assert_true(ww_buf_add_char(&b, (char)(i % 101)));
    assert_false(b.full);
    assert_int_equal(b.len, BYTES);
    assert_true(b.cap <= BYTES);
    for (size_t i = 0; i < BYTES; i++)
        assert_int_equal(b.ptr[i], i % 101);
    assert_false(ww_buf_add_char(&b, 'x'));
    ww_buf_release(&b);
}

static void full_keeps_and_takes_nothing_more(void **state)
{
    struct ww_buf b;

    ww_buf_init(&b, 4);
    assert_true(ww_buf_add_c(&b, "abc"));
    assert_false(ww_buf_add_c(&b, "de"));
    assert_true(b.full);
    assert_slice(ww_buf_str(&b), "abc");

    assert_false(ww_buf_add_char(&b, 'd'));
    assert_false(ww_buf_add(&b, WW_STR("")));
    assert_false(ww_buf_add_c(&b, NULL));
    assert_false(ww_buf_printf(&b, "%s", ""));
    assert_false(ww_buf_add_printable(&b, WW_STR("")));
    assert_null(ww_buf_room(&b, 0));
    assert_slice(ww_buf_str(&b), "abc");

    ww_buf_consume(&b, 3);
    assert_false(ww_buf_add_char(&b, 'd'));
    ww_buf_clear(&b);
    assert_true(ww_buf_add_c(&b, "efgh"));
    assert_slice(ww_buf_str(&b), "efgh");
    ww_buf_release(&b);
}

static void printf_may_reach_the_limit_too(void **state)
{
    struct ww_buf b;

    ww_buf_init(&b, 4);
    assert_true(ww_buf_printf(&b, "%s", "abcd"));
    assert_true(ww_buf_printf(&b, "%s", ""));
    assert_false(b.full);
    assert_slice(ww_buf_str(&b), "abcd");
    assert_false(ww_buf_printf(&b, "%s", "e"));
    assert_slice(ww_buf_str(&b), "abcd");
    ww_buf_release(&b);
}

static void printf_that_cannot_format_makes_it_full(void **state)
{
    static const wchar_t not_a_character[] = { 0x7fffffff, 0 };
    struct ww_buf b;

    ww_buf_init(&b, 100);
    assert_false(ww_buf_printf(&b, "%ls", not_a_character));
    assert_true(b.full);
    ww_buf_release(&b);
}

static void limit_of_zero_takes_only_nothing(void **state)
{
    struct ww_buf b;

    ww_buf_init(&b, 0);
    assert_true(ww_buf_add_c(&b, ""));
    assert_true(ww_buf_printf(&b, "%s", ""));
    assert_false(ww_buf_add_char(&b, 'a'));
    assert_slice(ww_buf_str(&b), "");
    ww_buf_release(&b);
}

static void room_is_written_by_the_caller(void **state)
{
    struct ww_buf b;

    ww_buf_init(&b, 600);
    assert_non_null(ww_buf_room(&b, 0));
    assert_true(ww_buf_add_c(&b, "ab"));

    char *room = ww_buf_room(&b, 598);

    assert_non_null(room);
    assert_int_equal(b.len, 2);
    memset(room, 'x', 598);
    b.len += 598;
    assert_non_null(ww_buf_room(&b, 0));
    assert_false(b.full);
    assert_null(ww_buf_room(&b, 1));
    assert_true(b.full);
    assert_int_equal(b.len, 600);

    ww_buf_clear(&b);
    assert_null(ww_buf_room(&b, SIZE_MAX));
    assert_true(b.full);
    ww_buf_release(&b);
}

static void room_for_all_of_memory(void)
{
    struct ww_buf b;

    ww_buf_init(&b, SIZE_MAX);
    ww_buf_room(&b, SIZE_MAX - 1);
}

static void room_that_memory_cannot_give_aborts(void **state)
{
    assert_true(aborts(room_for_all_of_memory));
}

static void consume_takes_from_the_front(void **state)
{
    struct ww_buf b;

    ww_buf_init(&b, 8);
    ww_buf_consume(&b, 3);
    ww_buf_add_c(&b, "abcdefgh");
    ww_buf_consume(&b, 0);
    assert_slice(ww_buf_str(&b), "abcdefgh");
    ww_buf_consume(&b, 3);
    assert_slice(ww_buf_str(&b), "defgh");
    assert_true(ww_buf_add_c(&b, "ijk"));
    assert_slice(ww_buf_str(&b), "defghijk");
    ww_buf_consume(&b, SIZE_MAX);
    assert_slice(ww_buf_str(&b), "");
    assert_true(ww_buf_add_c(&b, "lmnopqrs"));
    ww_buf_release(&b);
}

static void release_may_be_repeated_and_zeroed_is_fine(void **state)
{
    struct ww_buf b = { 0 };

    ww_buf_release(&b);
    ww_buf_init(&b, 10);
    ww_buf_add_c(&b, "x");
    ww_buf_release(&b);
    assert_null(b.ptr);
    assert_int_equal(b.max, 10);
    ww_buf_release(&b);
}

struct printable_case {
    ww_str in;
    ww_str want;
};

static void printable(void **state)
{
    const struct printable_case *c = *state;
    struct ww_buf b;

    ww_buf_init(&b, c->want.len);
    assert_true(ww_buf_add_printable(&b, c->in));
    assert_int_equal(b.len, c->want.len);
    assert_memory_equal(ww_buf_str(&b).ptr, c->want.ptr, c->want.len);
    ww_buf_release(&b);

    if (c->want.len == 0)
        return;
    ww_buf_init(&b, c->want.len - 1);
    assert_false(ww_buf_add_printable(&b, c->in));
    ww_buf_release(&b);
}

static void printable_never_lets_a_control_byte_through(void **state)
{
    for (unsigned hi = 0; hi < 256; hi++)
        for (unsigned lo = 0; lo < 256; lo++) {
            char pair[] = { (char)hi, (char)lo };
            struct ww_buf b;

            ww_buf_init(&b, 8);
            assert_true(ww_buf_add_printable(&b, ww_str_n(pair, 2)));
            for (ww_str rest = ww_buf_str(&b); rest.len > 0;) {
                size_t n = ww_utf8_len(rest);

                assert_true(n > 0);
                assert_true(n > 1 || (rest.ptr[0] >= 0x20 && rest.ptr[0] < 0x7f));
                assert_false(n == 2 && (unsigned char)rest.ptr[0] == 0xc2 &&
                             (unsigned char)rest.ptr[1] < 0xa0);
                rest = ww_str_from(rest, n);
            }
            ww_buf_release(&b);
        }
}

#define PRINTABLE(name_, in_, want_)                                                           \
    {                                                                                          \
        .name = "printable: " name_, .test_func = printable,                                   \
        .initial_state = &(struct printable_case)                                              \
        {                                                                                      \
            { in_, sizeof(in_) - 1 },                                                          \
            {                                                                                  \
                want_, sizeof(want_) - 1                                                       \
            }                                                                                  \
        }                                                                                      \
    }

/* The first and the last of each length. */
static void code_points_become_utf8(void **state)
{
    static const uint32_t point[] = { 1, 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x10000, 0x10ffff };
    struct ww_buf b;

    ww_buf_init(&b, 64);
    for (size_t i = 0; i < sizeof point / sizeof *point; i++) {
        assert_true(ww_buf_add_point(&b, point[i]));
    }
    assert_true(ww_str_eq(ww_buf_str(&b),
                          WW_STR("\x01\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"
                                 "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")));
    ww_buf_release(&b);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_points_become_utf8),
    cmocka_unit_test(text_of_all_kinds_is_appended),
    cmocka_unit_test(growth_keeps_what_was_there),
    cmocka_unit_test(full_keeps_and_takes_nothing_more),
    cmocka_unit_test(printf_may_reach_the_limit_too),
    cmocka_unit_test(printf_that_cannot_format_makes_it_full),
    cmocka_unit_test(limit_of_zero_takes_only_nothing),
    cmocka_unit_test(room_is_written_by_the_caller),
    cmocka_unit_test(room_that_memory_cannot_give_aborts),
    cmocka_unit_test(consume_takes_from_the_front),
    cmocka_unit_test(release_may_be_repeated_and_zeroed_is_fine),
    PRINTABLE("nothing", "", ""),
    PRINTABLE("plain text", "GET /a?b=%20 ~\\", "GET /a?b=%20 ~\\"),
    PRINTABLE("UTF-8", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
              "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"),
    PRINTABLE("ESC", "\x1b[31m", "\\x1b[31m"),
    PRINTABLE("NUL, tab, CR and LF", "\0\t\r\n", "\\x00\\x09\\x0d\\x0a"),
    PRINTABLE("DEL", "a\x7f", "a\\x7f"),
    PRINTABLE("C1: U+009B is a CSI too",
              "\xc2\x9b"
              "31m",
              "\\xc2\\x9b"
              "31m"),
    PRINTABLE("the first C1", "\xc2\x80", "\\xc2\\x80"),
    PRINTABLE("the first character after C1", "\xc2\xa0", "\xc2\xa0"),
    PRINTABLE("a byte that is not UTF-8",
              "\xff"
              "a",
              "\\xffa"),
    PRINTABLE("raw C1", "\x9b", "\\x9b"),
    PRINTABLE("a cut character", "\xe2\x82", "\\xe2\\x82"),
    PRINTABLE("a right-to-left override", "a\xe2\x80\xae txt", "a\\xe2\\x80\\xae txt"),
    PRINTABLE("a line separator", "\xe2\x80\xa8", "\\xe2\\x80\\xa8"),
    PRINTABLE("an isolate and its end", "\xe2\x81\xa6x\xe2\x81\xa9",
              "\\xe2\\x81\\xa6x\\xe2\\x81\\xa9"),
    PRINTABLE("a byte order mark", "\xef\xbb\xbf", "\\xef\\xbb\\xbf"),
    PRINTABLE("a tag character", "\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81"),
    PRINTABLE("a joiner, which emoji need", "\xe2\x80\x8d", "\xe2\x80\x8d"),
    PRINTABLE("an overlong ESC", "\xc0\x9b", "\\xc0\\x9b"),
    cmocka_unit_test(printable_never_lets_a_control_byte_through),
};

int main(void)
{
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}

/* Errors: code and text, prefixes, the system's words, texts that do not fit. */
#include "check.h"

#include <whichworker/err.h>

#include <errno.h>
#include <stdlib.h>

/* Bytes behind the error, which nothing may touch. */
struct guarded {
    struct ww_err err;
    char guard[64];
};

static void guard_set(struct guarded *g)
{
    *g = (struct guarded){ 0 };
    memset(g->guard, 0x5a, sizeof(g->guard));
}

static void guard_check(const struct guarded *g)
{
    for (size_t i = 0; i < sizeof(g->guard); i++)
        assert_int_equal(g->guard[i], 0x5a);
    assert_non_null(memchr(g->err.text, '\0', sizeof(g->err.text)));
}

static void set_writes_code_and_text_and_returns_the_code(void **state)
{
    struct ww_err err = { 0 };

    assert_int_equal(ww_err_set(&err, WW_EUSAGE, "%s: %d", "port", 7), WW_EUSAGE);
    assert_int_equal(err.code, WW_EUSAGE);
    assert_string_equal(err.text, "port: 7");
    assert_int_equal(ww_err_set(&err, WW_ELIMIT, "x"), WW_ELIMIT);
    assert_int_equal(err.code, WW_ELIMIT);
    assert_string_equal(err.text, "x");
}

static void errno_adds_the_words_of_the_system(void **state)
{
    struct ww_err err = { 0 };

    assert_int_equal(ww_err_errno(&err, ENOENT, "cannot open %s", "a.db"), WW_ESYSTEM);
    assert_int_equal(err.code, WW_ESYSTEM);
    assert_string_equal(err.text, "cannot open a.db: No such file or directory");
    ww_err_errno(&err, 99999, "x");
    assert_string_equal(err.text, "x: Unknown error 99999");
}

static void wrap_prefixes_and_keeps_the_code(void **state)
{
    struct ww_err err = { 0 };

    ww_err_set(&err, WW_EINPUT, "not a database");
    assert_int_equal(ww_err_wrap(&err, "cannot read %s", "a.db"), WW_EINPUT);
    assert_int_equal(ww_err_wrap(&err, "report"), WW_EINPUT);
    assert_int_equal(err.code, WW_EINPUT);
    assert_string_equal(err.text, "report: cannot read a.db: not a database");
}

static void no_error_storage_still_gives_a_code(void **state)
{
    assert_int_equal(ww_err_set(NULL, WW_ENOTFOUND, "%s", "x"), WW_ENOTFOUND);
    assert_int_equal(ww_err_errno(NULL, ENOENT, "%s", "x"), WW_ESYSTEM);
    assert_true(ww_err_wrap(NULL, "%s", "x") < 0);
}

static void texts_of_every_length_are_cut_not_overrun(void **state)
{
    size_t room = sizeof(((struct ww_err *)0)->text);
    char *text = calloc(1, room + 100);

    for (size_t len = 0; len < room + 50; len++) {
        struct guarded g;

        text[len] = 'x';
        guard_set(&g);
        ww_err_set(&g.err, WW_EUSAGE, "%s", text);
        guard_check(&g);
        assert_int_equal(strlen(g.err.text), len + 1 < room ? len + 1 : room - 1);
        ww_err_wrap(&g.err, "%s", "prefix");
        guard_check(&g);
        assert_memory_equal(g.err.text, "prefix: x", 9);
        ww_err_wrap(&g.err, "%s", text);
        guard_check(&g);

        guard_set(&g);
        ww_err_errno(&g.err, EACCES, "%s", text);
        guard_check(&g);
        assert_int_equal(g.err.code, WW_ESYSTEM);
    }
    free(text);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(set_writes_code_and_text_and_returns_the_code),
    cmocka_unit_test(errno_adds_the_words_of_the_system),
    cmocka_unit_test(wrap_prefixes_and_keeps_the_code),
    cmocka_unit_test(no_error_storage_still_gives_a_code),
    cmocka_unit_test(texts_of_every_length_are_cut_not_overrun),
};

int main(void)
{
    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}

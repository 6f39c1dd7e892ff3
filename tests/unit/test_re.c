/* Regular expressions: captures, where a pattern is wrong, patterns that explode. */
#include "check.h"

#include <whichworker/buf.h>
#include <whichworker/re.h>
#include <whichworker/units.h>

#include <stdlib.h>

#define S(literal)                                                                             \
    {                                                                                          \
        "" literal, sizeof(literal) - 1                                                        \
    }

struct match_case {
    const char *pattern;
    bool caseless;
    ww_str subject;
    size_t from;
    ptrdiff_t at; /* -1: does not match */
    ww_str whole;
    ww_str capture;
};

static void pattern_matches(void **state)
{
    const struct match_case *c = *state;
    struct ww_re *re = ww_re_new(c->pattern, c->caseless, NULL);
    ww_str whole = WW_STR("untouched");
    ww_str capture = WW_STR("untouched");

    assert_non_null(re);
    assert_int_equal(ww_re_match(re, c->subject, c->from, &whole, &capture), c->at >= 0);
    if (c->at < 0) {
        assert_slice(whole, "untouched");
        assert_slice(capture, "untouched");
    } else {
        assert_true(ww_str_eq(whole, c->whole));
        assert_non_null(whole.ptr);
        if (c->subject.ptr != NULL)
            assert_ptr_equal(whole.ptr, c->subject.ptr + c->at);
        assert_true(ww_str_eq(capture, c->capture));
        assert_int_equal(capture.ptr == NULL, c->capture.ptr == NULL);
        assert_true(ww_re_match(re, c->subject, c->from, &whole, NULL));
    }
    ww_re_free(re);
}

static void from_walks_over_all_matches(void **state)
{
    static const ww_str want[] = { S("1"), S("22"), S("333") };
    struct ww_re *re = ww_re_new("id=([0-9]+)", false, NULL);
    ww_str subject = WW_STR("id=1 id=22;id=333");
    ww_str whole;
    ww_str number;
    size_t found = 0;

    for (size_t from = 0; ww_re_match(re, subject, from, &whole, &number);) {
        assert_true(ww_str_eq(number, want[found++]));
        from = (size_t)(whole.ptr - subject.ptr) + whole.len;
    }
    assert_int_equal(found, 3);
    ww_re_free(re);
}

struct wrong_case {
    const char *pattern;
    const char *want;
};

static void wrong_pattern_says_where(void **state)
{
    const struct wrong_case *c = *state;
    struct ww_err err = { 0 };

    assert_null(ww_re_new(c->pattern, false, &err));
    assert_int_equal(err.code, WW_EUSAGE);
    if (strstr(err.text, c->want) == NULL)
        fail_msg("'%s' is not in: %s", c->want, err.text);
    assert_null(ww_re_new(c->pattern, false, NULL));
}

static void very_long_wrong_pattern_is_refused(void **state)
{
    char pattern[5000];
    struct ww_err err = { 0 };

    memset(pattern, '(', sizeof(pattern) - 1);
    pattern[sizeof(pattern) - 1] = '\0';
    assert_null(ww_re_new(pattern, false, &err));
    assert_int_equal(err.code, WW_EUSAGE);
}

/* JIT's vector loads reach past the end, into what valgrind must know as defined. */
#define VECTOR_BYTES 64

static void repeat(struct ww_buf *b, const char *unit, size_t times, const char *tail)
{
    for (size_t i = 0; i < times; i++)
        ww_buf_add_c(b, unit);
    ww_buf_add_c(b, tail);
    memset(ww_buf_room(b, VECTOR_BYTES), 0, VECTOR_BYTES);
}

struct slow_case {
    const char *pattern;
    const char *unit;
    size_t times;
    const char *tail;
};

static void explosion_ends_soon_as_no_match(void **state)
{
    const struct slow_case *c = *state;
    struct ww_re *re = ww_re_new(c->pattern, false, NULL);
    struct ww_buf subject;
    ww_str whole;

    ww_buf_init(&subject, SIZE_MAX);
    repeat(&subject, c->unit, c->times, c->tail);

    int64_t start = ww_clock_mono_us();

    assert_false(ww_re_match(re, ww_buf_str(&subject), 0, &whole, NULL));
    /* Generous: valgrind and a busy machine; without a limit it takes years. */
    assert_true(ww_clock_mono_us() - start < 20 * 1000000);
    ww_re_free(re);
    ww_buf_release(&subject);
}

static void slowness_from_every_start_ends_soon_too(void **state)
{
    struct ww_re *re = ww_re_new("(?:a|x)*(?:a|y)*[bc]\\d", false, NULL);
    struct ww_buf subject;
    ww_str whole;

    ww_buf_init(&subject, SIZE_MAX);
    for (size_t i = 0; i < 200000; i++)
        ww_buf_add_char(&subject, i % 1300 == 0 ? '\n' : 'a');
    repeat(&subject, "", 0, "");

    int64_t start = ww_clock_mono_us();

    assert_false(ww_re_match(re, ww_buf_str(&subject), 0, &whole, NULL));
    assert_true(ww_clock_mono_us() - start < 20 * 1000000);
    ww_re_free(re);
    ww_buf_release(&subject);
}

static void long_bodies_match_without_exploding(void **state)
{
    static const char *const pattern[] = { "<b>((?:.|\n)*?)</b>", "<b>(?:[^<]|<[^/])*</b>",
                                           "(?s)<b>(.*)</b>" };
    struct ww_buf subject;

    ww_buf_init(&subject, SIZE_MAX);
    ww_buf_add_c(&subject, "<b>");
    repeat(&subject, "word\n", 20000, "</b>");
    for (size_t i = 0; i < COUNT(pattern); i++) {
        struct ww_re *re = ww_re_new(pattern[i], false, NULL);
        ww_str whole = { 0 };

        assert_true(ww_re_match(re, ww_buf_str(&subject), 0, &whole, NULL));
        assert_int_equal(whole.len, subject.len);
        ww_re_free(re);
    }
    ww_buf_release(&subject);
}

static void free_of_nothing_is_fine(void **state)
{
    ww_re_free(NULL);
}

/* clang-format off */
#define MATCH(name_, pattern_, caseless_, subject_, from_, at_, whole_, capture_)             \
    { .name = "match: " name_, .test_func = pattern_matches, .initial_state =                 \
      &(struct match_case){ pattern_, caseless_, subject_, from_, at_, whole_, capture_ } }
#define NO_MATCH(name_, pattern_, subject_, from_)                                             \
    { .name = "no match: " name_, .test_func = pattern_matches, .initial_state =              \
      &(struct match_case){ pattern_, false, subject_, from_, -1, { 0 }, { 0 } } }
#define WRONG(pattern_, want_)                                                                 \
    { .name = "wrong pattern " pattern_, .test_func = wrong_pattern_says_where,                \
      .initial_state = &(struct wrong_case){ pattern_, want_ } }
#define SLOW(pattern_, unit_, times_, tail_)                                                   \
    { .name = "explosive pattern " pattern_, .test_func = explosion_ends_soon_as_no_match,     \
      .initial_state = &(struct slow_case){ pattern_, unit_, times_, tail_ } }

static const struct CMUnitTest tests[] = {
    MATCH("no group, no capture", "b+", false, S("abbc"), 0, 1, S("bb"), { 0 }),
    MATCH("the first group", "(a)(b)", false, S("xab"), 0, 1, S("ab"), S("a")),
    MATCH("an empty capture is present", "a(x*)b", false, S("ab"), 0, 0, S("ab"), S("")),
    MATCH("a group that took no part is absent", "a|(b)", false, S("a"), 0, 0, S("a"), { 0 }),
    MATCH("a later group took part, the first not",
          "(x)|(b)", false, S("ab"), 0, 1, S("b"), { 0 }),
    MATCH("a named group is the first",
          "id=(?<id>\\d+)", false, S("id=42"), 0, 0, S("id=42"), S("42")),
    MATCH("caseless", "session", true, S("X-SESSION"), 0, 2, S("SESSION"), { 0 }),
    NO_MATCH("another case", "session", S("X-SESSION"), 0),
    MATCH("empty matches empty", "", false, S(""), 0, 0, S(""), { 0 }),
    MATCH("empty matches absent", "", false, { 0 }, 0, 0, S(""), { 0 }),
    NO_MATCH("something in absent", "a", { 0 }, 0),
    MATCH("bytes, not characters",
          "^.(.)$", false, S("\xc3\xbc"), 0, 0, S("\xc3\xbc"), S("\xbc")),
    MATCH("bytes that are not UTF-8",
          "\xff+", false, S("a\xff\xff"), 0, 1, S("\xff\xff"), { 0 }),
    MATCH("a NUL in the subject", "b", false, S("a\0b"), 0, 2, S("b"), { 0 }),
    MATCH("from skips a match", "a.", false, S("a1a2"), 1, 2, S("a2"), { 0 }),
    MATCH("from may be the end", "$", false, S("ab"), 2, 2, S(""), { 0 }),
    MATCH("from lets \\b look back", "\\bb", false, S("ab b"), 1, 3, S("b"), { 0 }),
    NO_MATCH("from past the only match", "a", S("ab"), 1),
    NO_MATCH("from does not move ^", "^b", S("ab"), 1),
    NO_MATCH("from past the end", "", S("ab"), 3),
    NO_MATCH("from far past the end", "", S("ab"), SIZE_MAX),
    cmocka_unit_test(from_walks_over_all_matches),
    MATCH("settings in front", "(*CR)(*NO_START_OPT)^(b)", false, S("b"), 0, 0, S("b"), S("b")),
    WRONG("(*CR)a(b", "wrong at character 9: missing closing parenthesis"),
    WRONG("(*NOSUCH)a", "wrong at character 9: "),
    WRONG("(*CR", "wrong at character"),
    WRONG("a(b", "pattern 'a(b' is wrong at character 4: missing closing parenthesis"),
    WRONG("ab)c", "at character 3: unmatched closing parenthesis"),
    WRONG("*a", "at character 1: quantifier does not follow a repeatable item"),
    WRONG("[z-a]", "at character 4: range out of order"),
    WRONG("[abc", "at character 5: missing terminating ]"),
    cmocka_unit_test(very_long_wrong_pattern_is_refused),
    SLOW("(a+)+$", "a", 50, "!"), SLOW("^(a|aa)+$", "a", 100, "!"),
    SLOW("^(([a-z])+.)+[A-Z]([a-z])+$", "a", 1000, ""),
    SLOW("(.*)*(.*)*(.*)*x$", "a", 100, "x!"),
    SLOW("((a{0,5}){0,5}){0,5}[c]$", "a", 60, "d"),
    SLOW("(a?){30}a{30}$", "a", 29, "!"),
    SLOW("(?R)?a", "b", 100, ""),
    cmocka_unit_test(slowness_from_every_start_ends_soon_too),
    cmocka_unit_test(long_bodies_match_without_exploding),
    cmocka_unit_test(free_of_nothing_is_fine),
};
/* clang-format on */

int main(void)
{
    return cmocka_run_group_tests_name("re", tests, NULL, NULL);
}

/* Views: what two bodies have in common, what may differ, and what a cut or odd body cannot
 * say. */
#include "normal.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
/* clang-format on */

#include <stdlib.h>

static struct ww_smell smell;
static struct normal n;

static int begin(void **state)
{
    ww_smell_init(&smell);
    ww_normal_init(&n, &smell);
    return 0;
}

static int end(void **state)
{
    ww_normal_release(&n);
    ww_smell_release(&smell);
    return 0;
}

static uint32_t view(const char *type, const char *text, uint64_t more)
{
    struct ww_arena a;
    struct ww_fields f = { 0 };
    struct ww_body b = { .bytes = ww_str_c(text), .size = strlen(text) + more };

    ww_arena_init(&a, 4096);
    ww_fields_add(&f, &a, WW_STR("Content-Type"), ww_str_c(type));
    uint32_t v = ww_view_of(&n, &f, &b, true);
    ww_arena_release(&a);
    return v;
}

static bool shows(uint32_t v, const char *text)
{
    return ww_view_shows(&n, v, ww_word(&n, ww_str_c(text)));
}

static bool same(uint32_t a, uint32_t b)
{
    return ww_view_same(&n, a, b);
}

static bool is_cut(uint32_t v)
{
    return n.view[v].cut;
}

static void key_order_blanks_and_list_order_do_not_matter(void **state)
{
    uint32_t a = view("application/json", "{\"a\":1,\"l\":[\"x\",\"y\"]}", 0);

    assert_true(same(a, view("application/json", "{ \"l\": [\"y\", \"x\"], \"a\": 1.0 }", 0)));
    assert_false(same(a, view("application/json", "{\"a\":1,\"l\":[\"x\"]}", 0)));
}

static void scalars_member_names_and_words_are_shown(void **state)
{
    uint32_t v = view(
        "application/json",
        "{\"cars\":[{\"name\":\"figo\",\"n\":12,\"by\":{\"Rohan\":true}}],\"t\":\"red car\"}",
        0);

    assert_true(shows(v, "figo"));
    assert_true(shows(v, "12"));
    assert_true(shows(v, "Rohan"));
    assert_true(shows(v, "red car"));
    assert_false(shows(v, "car red"));
    assert_false(shows(v, "figo red"));
    assert_false(shows(v, "fig"));
    assert_true(ww_str_eq(ww_word_text(&n, ww_view_place(&n, v, ww_word(&n, WW_STR("figo")))),
                          WW_STR("/cars/*/name")));
}

static void html_is_words(void **state)
{
    uint32_t v =
        view("text/html", "<ul><li>figo</li><li class=\"x\">red car, new</li></ul>", 0);

    assert_true(shows(v, "figo"));
    assert_true(shows(v, "red car"));
    assert_false(shows(v, "green car"));
    assert_false(shows(v, "figo red"));
}

/* A name in two places is not a name; attributes end where their quotes do. */
static void phrases_end_at_tags_and_lines(void **state)
{
    uint32_t html =
        view("text/html", "<td>Ada</td><td>Byron</td><input value=\"Ada King\" id=x>", 0);
    uint32_t plain = view("text/plain", "Ada\nByron King\n", 0);
    uint32_t xml = view("application/xml", "<a>Ada</a><b>Byron King</b>", 0);

    assert_false(shows(html, "Ada Byron"));
    assert_true(shows(html, "Ada King"));
    assert_false(shows(html, "King id"));
    assert_false(shows(plain, "Ada Byron"));
    assert_true(shows(plain, "Byron King"));
    assert_false(shows(xml, "Ada Byron"));
    assert_true(shows(xml, "Byron King"));
}

static void entities_are_decoded(void **state)
{
    uint32_t v =
        view("text/html", "<p>O&#39;Brien &amp; S&ouml;hne&nbsp;AG &#x41;1 &bogus;</p>", 0);

    assert_true(shows(v, "O'Brien & S\xc3\xb6hne AG"));
    assert_true(shows(v, "A1"));
    assert_true(shows(v, "bogus"));
}

static void metrics_stand_under_name_and_labels(void **state)
{
    uint32_t v = view(
        "text/plain",
        "# TYPE hits counter\nhits{path=\"/a b\"} 7.0\nhits{path=\"/c\"} 8 17000\nup 1\n", 0);
    uint32_t at = ww_view_first(&n, v, ww_word(&n, WW_STR("metric hits{path=\"/a b\"}")));

    assert_int_equal(n.view[v].leaves, 4);
    assert_true(ww_str_eq(ww_word_text(&n, n.view[v].leaf[at].value), WW_STR("7.0")));
    assert_true(ww_str_eq(ww_word_text(&n, ww_view_place(&n, v, ww_word(&n, WW_STR("8")))),
                          WW_STR("metric hits{path=\"/c\"}")));
    assert_true(
        ww_str_eq(ww_word_text(&n, ww_view_place(&n, v, ww_word(&n, WW_STR("counter")))),
                  WW_STR("type hits")));
}

static void a_cut_body_says_so_and_still_shows(void **state)
{
    uint32_t v = view("application/json", "{\"cars\":[\"figo\",\"cre", 100);

    assert_true(is_cut(v));
    assert_true(shows(v, "figo"));
    assert_false(is_cut(view("application/json", "[]", 0)));
}

static void what_is_no_text_has_no_view(void **state)
{
    assert_int_equal(view("image/png", "\x89PNG", 0), WW_NONE);
    assert_int_equal(view("text/event-stream", "data: x", 0), WW_NONE);
}

static void an_unknown_coding_has_no_view(void **state)
{
    struct ww_arena a;
    struct ww_fields f = { 0 };
    struct ww_body b = { .bytes = WW_STR("xyz"), .size = 3 };

    ww_arena_init(&a, 4096);
    ww_fields_add(&f, &a, WW_STR("Content-Encoding"), WW_STR("rot13"));
    assert_int_equal(ww_view_of(&n, &f, &b, true), WW_NONE);
    ww_arena_release(&a);
}

static void equal_bodies_are_one_view(void **state)
{
    assert_int_equal(view("text/plain", "hello", 0), view("text/plain", "hello", 0));
}

static bool masked(const char *text, const char *path)
{
    uint32_t v = view("application/json", text, 0), want = ww_word(&n, ww_str_c(path));

    for (uint32_t i = 0; i < n.view[v].leaves; i++) {
        if (n.view[v].leaf[i].path == want)
            return ww_leaf_masked(&n, 1, n.view[v].leaf[i]);
    }
    fail_msg("no leaf at %s", path);
    return false;
}

static void dates_identifiers_and_nonces_are_masked(void **state)
{
    assert_true(masked("{\"a\":\"2026-01-01T10:00:00Z\"}", "/a"));
    assert_true(masked("{\"a\":\"Mon, 05 Jan 2026 10:00:00 GMT\"}", "/a"));
    assert_true(masked("{\"a\":\"6f1b5c1e-9d5d-4a52-8f0e-0c9d3f1b2a3c\"}", "/a"));
    assert_true(masked("{\"a\":\"deadbeefdeadbeef\"}", "/a"));
    assert_true(masked("{\"a\":\"IjQ5ZGY3YzE2YjQ3Zm9v.ZVPx\"}", "/a"));
    assert_true(masked("{\"a\":1700000000}", "/a"));
    assert_true(masked("{\"csrf_token\":\"abc\"}", "/csrf_token"));
    assert_true(masked("{\"pid\":51463}", "/pid"));
    assert_true(masked("{\"created_at\":[\"soon\"]}", "/created_at/*"));
}

static void ordinary_values_are_not_masked(void **state)
{
    assert_false(masked("{\"name\":\"figo\"}", "/name"));
    assert_false(masked("{\"price\":1200}", "/price"));
    assert_false(masked("{\"category\":\"date\"}", "/category"));
    assert_false(masked("{\"note\":\"a rather long sentence about cars\"}", "/note"));
}

static void what_differs_within_one_worker_is_masked_there_and_only_there(void **state)
{
    uint32_t a = view("application/json", "{\"n\":1,\"name\":\"figo\"}", 0);
    uint32_t b = view("application/json", "{\"n\":2,\"name\":\"figo\"}", 0);

    ww_mask_learn(&n, 1, a, b);
    assert_true(ww_mask_learned(&n, 1, ww_word(&n, WW_STR("/n"))));
    assert_true(ww_mask_replaced(&n, 1, ww_word(&n, WW_STR("/n"))));
    assert_false(ww_mask_learned(&n, 1, ww_word(&n, WW_STR("/name"))));
    assert_false(ww_mask_learned(&n, 2, ww_word(&n, WW_STR("/n"))));
}

static void hostile_json_is_bounded(void **state)
{
    size_t deep = 1500, wide = 40000;
    char *text = malloc(2 * wide + 2);

    memset(text, '[', deep);
    memset(text + deep, ']', deep);
    text[2 * deep] = '\0';
    assert_true(is_cut(view("application/json", text, 0)));
    text[0] = '[';
    for (size_t i = 0; i < wide; i++) {
        text[1 + 2 * i] = '1';
        text[2 + 2 * i] = ',';
    }
    text[2 * wide] = ']';
    text[2 * wide + 1] = '\0';
    assert_true(is_cut(view("application/json", text, 0)));
    free(text);
}

static void long_values_are_told_apart(void **state)
{
    char a[600], b[600];

    memset(a, 'x', sizeof a);
    memset(b, 'x', sizeof b);
    b[599] = 'y';
    assert_int_not_equal(ww_word(&n, ww_str_n(a, sizeof a)),
                         ww_word(&n, ww_str_n(b, sizeof b)));
    assert_int_equal(ww_word(&n, ww_str_n(a, sizeof a)), ww_word(&n, ww_str_n(a, sizeof a)));
}

static void forms_are_decoded(void **state)
{
    assert_true(
        ww_str_eq(ww_form_decode(&n, WW_STR("a+b%20c%2Fd%zz%")), WW_STR("a b c/d%zz%")));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(key_order_blanks_and_list_order_do_not_matter),
        TEST(scalars_member_names_and_words_are_shown),
        TEST(html_is_words),
        TEST(phrases_end_at_tags_and_lines),
        TEST(entities_are_decoded),
        TEST(metrics_stand_under_name_and_labels),
        TEST(a_cut_body_says_so_and_still_shows),
        TEST(what_is_no_text_has_no_view),
        TEST(an_unknown_coding_has_no_view),
        TEST(equal_bodies_are_one_view),
        TEST(dates_identifiers_and_nonces_are_masked),
        TEST(ordinary_values_are_not_masked),
        TEST(what_differs_within_one_worker_is_masked_there_and_only_there),
        TEST(hostile_json_is_bounded),
        TEST(long_values_are_told_apart),
        TEST(forms_are_decoded),
    };

    return cmocka_run_group_tests_name("normal", tests, NULL, NULL);
}

/* The user's rules: which exchange they meet, and what they leave of it. */
#include "check.h"
#include "rulebook.h"

#include <whichworker/units.h>

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#define RULE(kind_, ...)                                                                       \
    ((struct ww_user_rule){                                                                    \
        .kind = kind_, .guarantee = -1, .cap = -1, .fail_on = -1, __VA_ARGS__ })

static struct ww_exchange *exchange(const char *method, const char *target, const char *type,
                                    ww_str body)
{
    struct ww_exchange *x = ww_exchange_new(1 << 24);

    x->method = ww_str_c(method);
    x->target = ww_str_c(target);
    x->status = 200;
    x->end = WW_END_COMPLETE;
    x->response_body = (struct ww_body){ .bytes = body, .size = body.len };
    ww_fields_add(&x->response_fields, &x->arena, WW_STR("Content-Type"), ww_str_c(type));
    ww_fields_add(&x->response_fields, &x->arena, WW_STR("ETag"), WW_STR("\"1\""));
    ww_fields_add(&x->response_fields, &x->arena, WW_STR("Last-Modified"), WW_STR("yesterday"));
    return x;
}

/* What is left of the body after one rule; the caller frees. NULL: nothing is compared. */
static char *left_of(struct ww_user_rule rule, const char *type, ww_str body, bool *out_changed)
{
    struct rulebook b;
    struct ww_err err = { 0 };
    struct ww_exchange *x = exchange("GET", "/a?q=1", type, body);
    uint32_t set;
    bool skipped;
    char *text = NULL;

    assert_int_equal(ww_user_rule_check(&rule, &err), WW_OK);
    ww_rulebook_init(&b, &rule, 1);

    const struct ww_exchange *seen = ww_rulebook_apply(&b, x, &set, &skipped);

    assert_false(skipped);
    *out_changed = seen != x;
    assert_int_equal(ww_fields_get(&seen->response_fields, WW_STR("etag")).ptr == NULL,
                     *out_changed);
    if (seen->response_body.bytes.ptr != NULL) {
        text = calloc(1, seen->response_body.bytes.len + 1);
        assert_non_null(text);
        memcpy(text, seen->response_body.bytes.ptr, seen->response_body.bytes.len);
    }
    ww_rulebook_release(&b);
    ww_exchange_free(x);
    return text;
}

static void leaves(struct ww_user_rule rule, const char *type, const char *body,
                   const char *want)
{
    bool changed;
    char *got = left_of(rule, type, ww_str_c(body), &changed);

    assert_true(changed);
    if (want == NULL)
        assert_null(got);
    else
        assert_string_equal(got, want);
    free(got);
}

static void leaves_alone(struct ww_user_rule rule, const char *type, const char *body)
{
    bool changed;
    char *got = left_of(rule, type, ww_str_c(body), &changed);

    assert_false(changed);
    assert_string_equal(got, body);
    free(got);
}

#define JSON          "application/json"
#define POINTER(text) RULE(WW_RULE_IGNORE, .pointer = WW_STR(text))
#define MEMBER(text)  RULE(WW_RULE_IGNORE, .member = WW_STR(text))
#define PATTERN(text) RULE(WW_RULE_IGNORE, .pattern = WW_STR(text))
#define PROBE(how_)   RULE(WW_RULE_PROBE, .name = WW_STR("p"), .route = WW_STR("/a"), how_)
#define BY_POINTER(t) .pointer = WW_STR(t)
#define BY_PATTERN(t) .pattern = WW_STR(t)

static void a_pointer_takes_out_what_it_names(void **state)
{
    (void)state;
    leaves(POINTER("/b"), JSON, "{\"a\":1,\"b\":2}", "{\"a\":1}");
    leaves(POINTER("/b/c"), JSON, "{\"b\":{\"c\":{\"d\":1},\"e\":2}}", "{\"b\":{\"e\":2}}");
    leaves(POINTER("/l/1"), JSON, "{\"l\":[7,8,9]}", "{\"l\":[7,9]}");
    leaves(POINTER("/*/x"), JSON, "[{\"x\":1,\"y\":2},{\"x\":3}]", "[{\"y\":2},{}]");
    leaves(POINTER("/l/*"), JSON, "{\"l\":[7,8,9]}", "{\"l\":[]}");
    leaves(POINTER("/*"), JSON, "{\"a\":1,\"b\":2}", "{}");
    leaves(POINTER("/a~1b"), JSON, "{\"a/b\":1,\"a\":2}", "{\"a\":2}");
    leaves(POINTER("/a~0b"), JSON, "{\"a~b\":1,\"a\":2}", "{\"a\":2}");
    leaves(POINTER("/a~01"), JSON, "{\"a~1\":1,\"a\":2}", "{\"a\":2}");
    leaves_alone(POINTER("/x"), JSON, "{\"a\":{\"x\":1}}");
    leaves_alone(POINTER("/l/3"), JSON, "{\"l\":[1]}");
    leaves_alone(POINTER("/l/-1"), JSON, "{\"l\":[1]}");
    leaves_alone(POINTER("/l/01x"), JSON, "{\"l\":[1]}");
}

static void a_member_goes_at_any_depth(void **state)
{
    (void)state;
    leaves(MEMBER("x"), JSON, "{\"x\":1,\"l\":[{\"x\":2,\"y\":[{\"x\":3}]}]}",
           "{\"l\":[{\"y\":[{}]}]}");
    leaves_alone(MEMBER("x"), JSON, "{\"X\":\"x\"}");
}

static void a_pattern_cuts_texts_and_values(void **state)
{
    (void)state;
    leaves(PATTERN("[0-9]+ ms"), "text/html", "took 12 ms and 3 ms.", "took  and .");
    leaves(PATTERN("[0-9]+ ms"), JSON, "{\"a\":\"took 12 ms\",\"12 ms\":1}",
           "{\"a\":\"took \",\"12 ms\":1}");
    leaves(PATTERN("^1[0-9]$"), JSON, "{\"n\":17,\"m\":7}", "{\"n\":0,\"m\":7}");
    leaves_alone(PATTERN("x*"), "text/plain", "abc");
    leaves(PATTERN("x*"), "text/plain", "axxbx", "ab");
}

static void rules_of_places_leave_what_is_no_json_alone(void **state)
{
    (void)state;
    leaves_alone(POINTER("/a"), "text/html", "<p>a</p>");
    leaves(POINTER("/a"), JSON, "{\"a\":1", NULL);
    leaves(POINTER("/a"), "text/plain", "{\"a\":1", NULL);
}

static void a_probe_leaves_what_it_names(void **state)
{
    (void)state;
    leaves(PROBE(BY_POINTER("/n")), JSON, "{\"n\":5,\"m\":6}", "{\"probe p\":5}");
    leaves(PROBE(BY_POINTER("/l/*/n")), JSON, "{\"l\":[{\"n\":1},{\"n\":2}]}",
           "{\"probe p\":[1,2]}");
    leaves(PROBE(BY_POINTER("/l/*/n")), JSON, "{\"l\":[]}", "{\"probe p\":[]}");
    leaves(PROBE(BY_POINTER("/gone")), JSON, "{\"n\":5}", "{}");
    leaves(PROBE(BY_POINTER("/n")), JSON, "{\"n\":5", NULL);
    leaves(PROBE(BY_PATTERN("Cart: (\\d+)")), "text/html", "<b>Cart: 12</b>",
           "{\"probe p\":\"12\"}");
    leaves(PROBE(BY_PATTERN("Cart: (\\d+)")), "text/html", "<b>Empty</b>", "{}");
    leaves(PROBE(BY_PATTERN("(.)")), "text/html", "\xff", NULL);
}

/* A capture that reaches the cut may go on behind it; none before the cut proves nothing. */
static void a_probe_knows_where_a_body_was_cut(void **state)
{
    static const struct {
        const char *body;
        bool told;
    } cases[] = { { "Cart: 12 items", true }, { "Cart: 12", false }, { "Empt", false } };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ww_user_rule rule = PROBE(BY_PATTERN("Cart: (\\d+)"));
        struct ww_exchange *x = exchange("GET", "/a", "text/html", ww_str_c(cases[i].body));
        struct rulebook b;
        uint32_t set;
        bool skipped;

        x->response_body.size += 100;
        ww_rulebook_init(&b, &rule, 1);

        const struct ww_exchange *seen = ww_rulebook_apply(&b, x, &set, &skipped);

        assert_true(seen != x);
        assert_int_equal(seen->response_body.bytes.ptr != NULL, cases[i].told);
        assert_int_equal(seen->response_body.bytes.len, seen->response_body.size);
        ww_rulebook_release(&b);
        ww_exchange_free(x);
    }
}

static void a_coded_body_is_read(void **state)
{
    static const char plain[] = "{\"a\":1,\"b\":2}";
    unsigned char packed[256];
    z_stream z = { .next_in = (unsigned char *)(uintptr_t)plain,
                   .avail_in = sizeof(plain) - 1,
                   .next_out = packed,
                   .avail_out = sizeof(packed) };
    struct ww_user_rule rule = POINTER("/b");
    struct rulebook b;
    uint32_t set;
    bool skipped;

    (void)state;
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);

    struct ww_exchange *x =
        exchange("GET", "/a", JSON, ww_str_n((const char *)packed, z.total_out));

    ww_fields_add(&x->response_fields, &x->arena, WW_STR("Content-Encoding"), WW_STR("gzip"));
    ww_rulebook_init(&b, &rule, 1);

    const struct ww_exchange *seen = ww_rulebook_apply(&b, x, &set, &skipped);

    assert_slice(seen->response_body.bytes, "{\"a\":1}");
    assert_absent(ww_fields_get(&seen->response_fields, WW_STR("content-encoding")));
    assert_absent(ww_fields_get(&seen->response_fields, WW_STR("etag")));
    assert_slice(ww_fields_get(&seen->response_fields, WW_STR("content-type")), JSON);
    assert_int_equal(b.set[set].rules, 1);
    ww_rulebook_release(&b);
    ww_exchange_free(x);
}

/* ---- routes */

struct route {
    const char *route;
    const char *method;
    const char *target;
    bool meets;
};

static void a_route_meets_what_it_says(void **state)
{
    const struct route *r = *state;
    struct ww_user_rule rule = RULE(WW_RULE_SKIP, .route = ww_str_c(r->route));
    struct ww_exchange *x = exchange(r->method, r->target, JSON, WW_STR("{}"));
    struct ww_err err = { 0 };
    struct rulebook b;
    uint32_t set;
    bool skipped;

    assert_int_equal(ww_user_rule_check(&rule, &err), WW_OK);
    ww_rulebook_init(&b, &rule, 1);
    /* Twice: the second time it is remembered. */
    for (int i = 0; i < 2; i++) {
        (void)ww_rulebook_apply(&b, x, &set, &skipped);
        assert_int_equal(skipped, r->meets);
    }
    ww_rulebook_release(&b);
    ww_exchange_free(x);
}

#define ROUTE(route_, method_, target_, meets_)                                                \
    {                                                                                          \
        .name = route_ " and " method_ " " target_, .test_func = a_route_meets_what_it_says,   \
        .initial_state = &(struct route)                                                       \
        {                                                                                      \
            route_, method_, target_, meets_                                                   \
        }                                                                                      \
    }

/* ---- hostile */

static void what_is_deep_or_long_is_bounded(void **state)
{
    size_t len = 4000;
    char *deep = calloc(1, len + 1);
    bool changed;

    (void)state;
    assert_non_null(deep);
    memset(deep, '[', len / 2);
    memset(deep + len / 2, ']', len / 2);
    free(left_of(MEMBER("x"), JSON, ww_str_n(deep, len), &changed));
    memset(deep, 'a', len);
    leaves_alone(PATTERN("(a+)+b"), "text/plain", deep); /* gives up, and does not hang */
    free(deep);
}

/* A thousand strings, each of which costs a hostile pattern its whole limit. */
static void a_body_costs_a_few_seconds_at_most(void **state)
{
    static const char piece[] = "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\",";
    size_t pieces = 4000, each = sizeof(piece) - 1, len = 1 + pieces * each;
    char *body = calloc(1, len + 4);
    bool changed;
    int64_t before = ww_clock_mono_us();

    (void)state;
    assert_non_null(body);
    body[0] = '[';
    for (size_t i = 0; i < pieces; i++)
        memcpy(body + 1 + i * each, piece, each);
    memcpy(body + len, "1]", 2);

    char *left = left_of(PATTERN("(a|aa)+$"), JSON, ww_str_n(body, len + 2), &changed);

    assert_null(left);
    assert_true(changed);
    assert_true(ww_clock_mono_us() - before < 30 * (int64_t)1000000);
    free(body);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_pointer_takes_out_what_it_names),
    cmocka_unit_test(a_member_goes_at_any_depth),
    cmocka_unit_test(a_pattern_cuts_texts_and_values),
    cmocka_unit_test(rules_of_places_leave_what_is_no_json_alone),
    cmocka_unit_test(a_probe_leaves_what_it_names),
    cmocka_unit_test(a_probe_knows_where_a_body_was_cut),
    cmocka_unit_test(a_coded_body_is_read),
    ROUTE("/cars", "GET", "/cars", true),
    ROUTE("/cars", "GET", "/cars?a=1", true),
    ROUTE("/cars", "GET", "/cars/", false),
    ROUTE("/cars", "GET", "/v1/cars", false),
    ROUTE("/cars", "GET", "http://host/cars", true),
    ROUTE("GET /cars", "GET", "/cars", true),
    ROUTE("GET /cars", "POST", "/cars", false),
    ROUTE("/cars/{id}", "GET", "/cars/7", true),
    ROUTE("/cars/{id}", "GET", "/cars/", false),
    ROUTE("/cars/{id}", "GET", "/cars/7/wheels", false),
    ROUTE("/cars/*/wheels", "GET", "/cars/7/wheels", true),
    ROUTE("/v*/cars", "GET", "/v12/cars", true),
    ROUTE("/static/**", "GET", "/static/a/b.css", true),
    ROUTE("/static/**", "GET", "/statics", false),
    ROUTE("/**", "GET", "/", true),
    ROUTE("/a.b", "GET", "/axb", false),
    ROUTE("/a+b(c)", "GET", "/a+b(c)", true),
    ROUTE("/a{b", "GET", "/a{b", true),
    ROUTE("/\xc3\xa4", "GET", "/\xc3\xa4", true),
    cmocka_unit_test(what_is_deep_or_long_is_bounded),
    cmocka_unit_test(a_body_costs_a_few_seconds_at_most),
};

int main(void)
{
    return cmocka_run_group_tests_name("rulebook", tests, NULL, NULL);
}

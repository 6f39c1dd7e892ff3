/* HAR: whole exchanges, streamed; bodies, URLs, times, and no secret in it. */
#include "report_box.h"

#include <whichworker/arena.h>

#include <jansson.h>

#define MAX_EXCHANGES 4

/* A trace in memory, and what was written of it. */
struct har {
    struct box box;
    struct ww_exchange x[MAX_EXCHANGES];
    struct ww_field request_field[MAX_EXCHANGES][4];
    struct ww_field response_field[MAX_EXCHANGES][4];
    size_t n, at;
    size_t repeat; /* the last one again and again */
    size_t largest_write;
    json_t *root;
};

static int rewind_har(void *ctx, struct ww_err *err)
{
    (void)err;
    ((struct har *)ctx)->at = 0;
    return WW_OK;
}

static int next_har(void *ctx, const struct ww_exchange **out, struct ww_err *err)
{
    struct har *h = ctx;

    (void)err;
    if (h->at == h->n + h->repeat)
        return 0;
    *out = &h->x[h->at < h->n ? h->at : h->n - 1];
    h->at++;
    return 1;
}

static int take(void *ctx, ww_str bytes, struct ww_err *err)
{
    struct har *h = ctx;

    (void)err;
    h->largest_write = bytes.len > h->largest_write ? bytes.len : h->largest_write;
    if (h->repeat == 0)
        ww_buf_add(&h->box.out, bytes);
    return WW_OK;
}

static int open_har(void **state)
{
    struct har *h = calloc(1, sizeof(*h));

    ww_buf_init(&h->box.out, 1 << 24);
    cars_lost(&h->box.cars);
    h->n = 3;
    for (size_t i = 0; i < h->n; i++) {
        h->request_field[i][0] = (struct ww_field){ WW_STR("Host"), WW_STR("cars.test:8080") };
        h->x[i] = (struct ww_exchange){
            .id = i + 1,
            .connection = 7,
            .request_id = WW_STR("r-1"),
            .client = WW_STR("127.0.0.1"),
            .started_us = CARS_START,
            .connected_us = CARS_START + 100,
            .accepted_us = CARS_START + 350,
            .answered_us = CARS_START + 1350,
            .ended_us = CARS_START + 2000,
            .method = WW_STR("GET"),
            .target = WW_STR("/cars?page=1&x"),
            .request_minor = 1,
            .request_fields = { .v = h->request_field[i], .n = 1 },
            .status = 200,
            .response_fields = { .v = h->response_field[i] },
            .end = WW_END_COMPLETE,
            .by = WW_BY_KERNEL,
        };
    }
    *state = h;
    return 0;
}

static int close_har(void **state)
{
    struct har *h = *state;

    json_decref(h->root);
    ww_buf_release(&h->box.out);
    free(h);
    return 0;
}

static void write_har(struct har *h)
{
    const struct ww_exchange_source source = { h, rewind_har, next_har };
    const struct ww_report_sink sink = { h, take };
    const struct ww_report r = { .verdict = &h->box.cars.v, .exchanges = &source };
    struct ww_err err = { 0 };

    ww_buf_clear(&h->box.out);
    assert_int_equal(ww_report_write(ww_report_format_find(WW_STR("har")), &r, &sink, &err),
                     WW_OK);
}

static json_t *entry(struct har *h, size_t i)
{
    write_har(h);
    json_decref(h->root);
    h->root = json_loadb(h->box.out.ptr, h->box.out.len,
                         JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    assert_non_null(h->root);
    return json_array_get(json_object_get(json_object_get(h->root, "log"), "entries"), i);
}

static json_t *in(json_t *value, const char *a, const char *b)
{
    return json_object_get(json_object_get(value, a), b);
}

static void assert_text(json_t *value, const char *want)
{
    assert_true(json_is_string(value));
    assert_string_equal(json_string_value(value), want);
}

static void request_field(struct har *h, ww_str name, ww_str value)
{
    struct ww_fields *f = &h->x[0].request_fields;

    f->v[f->n++] = (struct ww_field){ name, value };
}

static void response_field(struct har *h, ww_str name, ww_str value)
{
    struct ww_fields *f = &h->x[0].response_fields;

    f->v[f->n++] = (struct ww_field){ name, value };
}

static void response_body(struct har *h, ww_str bytes, uint64_t size)
{
    h->x[0].response_body = (struct ww_body){ bytes, size };
}

/* ---- tests */

static void an_entry_knows_its_worker_and_session(void **state)
{
    struct har *h = *state;
    json_t *e = entry(h, 2);

    assert_int_equal(json_integer_value(json_object_get(e, "_worker")), 51465);
    assert_text(json_object_get(e, "_session"), "s1");
    assert_text(json_object_get(e, "_attribution"), "kernel");
    assert_true(json_is_true(json_object_get(e, "_split")));
    json_t *f = json_array_get(json_object_get(e, "_findings"), 0);
    assert_text(json_object_get(f, "role"), "read-lost");
    assert_text(json_object_get(e, "connection"), "7");
    assert_null(json_object_get(entry(h, 0), "_findings"));
    assert_null(entry(h, 3));
}

static void times_add_up(void **state)
{
    json_t *e = entry(*state, 0);

    assert_float_equal(json_number_value(json_object_get(e, "time")), 2.0, 1e-9);
    assert_float_equal(json_number_value(in(e, "timings", "connect")), 0.1, 1e-9);
    assert_float_equal(json_number_value(in(e, "timings", "blocked")), 0.25, 1e-9);
    assert_float_equal(json_number_value(in(e, "timings", "wait")), 1.0, 1e-9);
    assert_float_equal(json_number_value(in(e, "timings", "receive")), 0.65, 1e-9);
    assert_text(json_object_get(e, "startedDateTime"), "2025-11-25T12:01:07.482000Z");
}

static void times_that_never_were_are_minus_one(void **state)
{
    struct har *h = *state;

    h->x[0].connected_us = h->x[0].accepted_us = h->x[0].answered_us = 0;
    json_t *e = entry(h, 0);
    assert_float_equal(json_number_value(in(e, "timings", "connect")), -1, 0);
    assert_float_equal(json_number_value(in(e, "timings", "blocked")), -1, 0);
    assert_float_equal(json_number_value(in(e, "timings", "wait")), 2.0, 1e-9);
    assert_float_equal(json_number_value(json_object_get(e, "time")), 2.0, 1e-9);
}

struct url_case {
    const char *host, *target, *want;
};

static void the_url_is_one(void **state)
{
    static const struct url_case cases[] = {
        { "a.b:80", "/x?y=1", "http://a.b:80/x?y=1" },
        { "[::1]:8080", "/", "http://[::1]:8080/" },
        { "a.b", "http://other/x", "http://other/x" },
        { "a.b", "https://other:8443?q", "https://other:8443/?q" },
        { "a.b", "http://<evil>/x", "http://a.b/http://%3Cevil%3E/x" },
        { "a.b", "http://", "http://a.b/http://" },
        { "a.b", "*", "http://a.b/*" },
        { "evil\"<", "/", "http://127.0.0.1:8000/" },
        { "a:99999", "/", "http://127.0.0.1:8000/" },
        { "[::1", "/", "http://127.0.0.1:8000/" },
        { "a.b", "/a b\"<>\\^`{|}\x7f\xff%zz%4",
          "http://a.b/a%20b%22%3C%3E%5C%5E%60%7B%7C%7D%7F%FF"
          "%25zz%254" },
        { "a.b", "/%41#f", "http://a.b/%41%23f" },
    };
    struct har *h = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        h->request_field[0][0].value = ww_str_c(cases[i].host);
        h->x[0].target = ww_str_c(cases[i].target);
        assert_text(in(entry(h, 0), "request", "url"), cases[i].want);
    }
}

static void text_is_text_and_the_rest_base64(void **state)
{
    static const struct {
        ww_str body;
        const char *text, *encoding;
    } cases[] = {
        { { "gr\xc3\xbc\xc3\x9f\n", 7 }, "gr\xc3\xbc\xc3\x9f\n", NULL },
        { { "\xff", 1 }, "/w==", "base64" },
        { { "a\0", 2 }, "YQA=", "base64" },
        { { "\x1b[m", 3 }, "G1tt", "base64" },
    };
    struct har *h = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        response_body(h, cases[i].body, cases[i].body.len);
        json_t *c = in(entry(h, 0), "response", "content");
        assert_text(json_object_get(c, "text"), cases[i].text);
        if (cases[i].encoding == NULL)
            assert_null(json_object_get(c, "encoding"));
        else
            assert_text(json_object_get(c, "encoding"), cases[i].encoding);
    }
}

static void a_content_coding_is_undone(void **state)
{
    /* printf 'hello hello hello' | gzip -n */
    static const char packed[] = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9"
                                 "\x57\xc8\x40\x90\x00\x80\x88\xf9\xe5\x11\x00\x00\x00";
    struct har *h = *state;

    response_field(h, WW_STR("Content-Encoding"), WW_STR("gzip"));
    response_body(h, ww_str_n(packed, sizeof(packed) - 1), sizeof(packed) - 1);
    json_t *c = in(entry(h, 0), "response", "content");
    assert_text(json_object_get(c, "text"), "hello hello hello");
    assert_int_equal(json_integer_value(json_object_get(c, "size")), 17);
    assert_int_equal(json_integer_value(in(entry(h, 0), "response", "bodySize")),
                     sizeof(packed) - 1);

    h->response_field[0][0].value = WW_STR("unheard-of");
    c = in(entry(h, 0), "response", "content");
    assert_text(json_object_get(c, "encoding"), "base64");
    assert_non_null(strstr(json_string_value(json_object_get(c, "comment")), "not known"));
}

static void a_body_that_was_cut_is_marked(void **state)
{
    struct har *h = *state;

    response_body(h, WW_STR("begin"), 1000);
    h->x[0].request_body = (struct ww_body){ WW_STR("a=1"), 30 };
    json_t *e = entry(h, 0);
    assert_true(json_is_true(json_object_get(in(e, "response", "content"), "_truncated")));
    assert_text(json_object_get(in(e, "response", "content"), "comment"),
                "cut: 5 of 1000 bytes were recorded");
    assert_true(json_is_true(json_object_get(in(e, "request", "postData"), "_truncated")));
}

static void masked_values_are_marked_and_kept(void **state)
{
    struct har *h = *state;

    request_field(h, WW_STR("Cookie"), WW_STR("a=mac:0123456789abcdef01234567; b=mac:1"));
    json_t *cookies = in(entry(h, 0), "request", "cookies");
    assert_text(json_object_get(json_array_get(cookies, 0), "value"),
                "mac:0123456789abcdef01234567");
    assert_non_null(json_object_get(json_array_get(cookies, 0), "comment"));
    assert_null(json_object_get(json_array_get(cookies, 1), "comment"));
}

static void kept_secrets_are_hashed_here(void **state)
{
    struct har *h = *state;

    request_field(h, WW_STR("Cookie"), WW_STR("session=s3cret"));
    response_field(h, WW_STR("Set-Cookie"), WW_STR("session=s3cret; Path=/; HttpOnly"));
    request_field(h, WW_STR("Authorization"), WW_STR("Bearer s3cret"));
    json_t *e = entry(h, 0);
    assert_has_not(ww_buf_str(&h->box.out), "s3cret");
    /* Equal values stay equal. */
    const char *sent = json_string_value(
        json_object_get(json_array_get(in(e, "request", "cookies"), 0), "value"));
    json_t *set = json_array_get(in(e, "response", "cookies"), 0);
    assert_true(ww_str_starts(ww_str_c(sent), WW_STR("mac:")));
    assert_text(json_object_get(set, "value"), sent);
    assert_text(json_object_get(set, "path"), "/");
    assert_true(json_is_true(json_object_get(set, "httpOnly")));
    /* The trace itself is as it was. */
    assert_slice(h->x[0].request_fields.v[1].value, "session=s3cret");
}

static void what_the_verdict_does_not_have_is_left_out(void **state)
{
    struct har *h = *state;

    h->x[1].id = 999;
    assert_int_equal(json_integer_value(json_object_get(entry(h, 1), "_exchange")), 3);
}

static void a_large_trace_is_written_in_pieces(void **state)
{
    static char body[100000];
    struct har *h = *state;

    memset(body, 'x', sizeof(body));
    h->x[h->n - 1].response_body =
        (struct ww_body){ ww_str_n(body, sizeof(body)), sizeof(body) };
    h->repeat = 300;
    write_har(h);
    assert_true(h->largest_write < 1000000);
    assert_true(h->box.out.cap < 1000000);
}

static int fail_next(void *ctx, const struct ww_exchange **out, struct ww_err *err)
{
    (void)ctx;
    (void)out;
    return ww_err_set(err, WW_EINPUT, "the trace is damaged");
}

static void a_trace_that_fails_is_told(void **state)
{
    struct har *h = *state;
    const struct ww_exchange_source source = { h, rewind_har, fail_next };
    const struct ww_report_sink sink = { h, take };
    const struct ww_report r = { .verdict = &h->box.cars.v, .exchanges = &source };
    struct ww_err err = { 0 };

    assert_int_equal(ww_report_write(ww_report_format_find(WW_STR("har")), &r, &sink, &err),
                     WW_EINPUT);
    assert_string_equal(err.text, "the trace is damaged");
}

#define WITH_HAR(f) cmocka_unit_test_setup_teardown(f, open_har, close_har)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WITH_HAR(an_entry_knows_its_worker_and_session),
        WITH_HAR(times_add_up),
        WITH_HAR(times_that_never_were_are_minus_one),
        WITH_HAR(the_url_is_one),
        WITH_HAR(text_is_text_and_the_rest_base64),
        WITH_HAR(a_content_coding_is_undone),
        WITH_HAR(a_body_that_was_cut_is_marked),
        WITH_HAR(masked_values_are_marked_and_kept),
        WITH_HAR(kept_secrets_are_hashed_here),
        WITH_HAR(what_the_verdict_does_not_have_is_left_out),
        WITH_HAR(a_large_trace_is_written_in_pieces),
        WITH_HAR(a_trace_that_fails_is_told),
    };

    return cmocka_run_group_tests_name("report_har", tests, NULL, NULL);
}

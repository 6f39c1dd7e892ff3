/* show: JSON laid out, an exchange in full, two side by side; and nothing from the wire gets
 * out raw. */
#include "cars_verdict.h"
#include "check.h"
#include "show.h"

#include <whichworker/http.h>

#include <stdlib.h>

struct box {
    struct cars cars;
    struct ww_report_style style;
    struct ww_buf out;
    struct ww_exchange *x;
};

static void add(struct box *b, struct ww_fields *f, const char *name, const char *value)
{
    assert_true(ww_fields_add(f, &b->x->arena, ww_str_c(name), ww_str_c(value)));
}

static struct ww_exchange *exchange(uint64_t id, const char *method, const char *answer)
{
    struct ww_exchange *x = ww_exchange_new(SIZE_MAX);

    x->id = id;
    x->connection = 7;
    x->client = WW_STR("127.0.0.1");
    x->request_id = WW_STR("abc-1");
    x->request_minor = 1;
    x->method = ww_str_c(method);
    x->target = WW_STR("/cars");
    x->status = 200;
    x->started_us = CARS_START;
    x->connected_us = CARS_START + 100;
    x->accepted_us = CARS_START + 600;
    x->answered_us = CARS_START + 1600;
    x->ended_us = CARS_START + 2100;
    x->by = WW_BY_KERNEL;
    x->worker.pid = 51463;
    x->end = WW_END_COMPLETE;
    x->response_body = (struct ww_body){ ww_str_c(answer), strlen(answer) };
    return x;
}

static int open_box(void **state)
{
    struct box *b = calloc(1, sizeof(*b));

    ww_buf_init(&b->out, 1 << 24);
    cars_lost(&b->cars);
    b->x = exchange(1, "GET", "{\"cars\":[\"figo\",{}],\"n\":1}");
    add(b, &b->x->request_fields, "Host", "cars.test");
    add(b, &b->x->response_fields, "Content-Type", "application/json");
    *state = b;
    return 0;
}

static int close_box(void **state)
{
    struct box *b = *state;

    ww_exchange_free(b->x);
    ww_buf_release(&b->out);
    free(b);
    return 0;
}

static ww_str render(struct box *b, const struct ww_payload *payload, size_t payloads)
{
    struct ww_show *s = ww_show_new(&b->cars.v, 0, b->x, payload, payloads);

    ww_buf_clear(&b->out);
    ww_show_exchange(s, &b->style, &b->out);
    ww_show_free(s);
    return ww_buf_str(&b->out);
}

static ww_str render_pair(struct box *b, const struct ww_exchange *other)
{
    struct ww_show *left = ww_show_new(&b->cars.v, 0, b->x, NULL, 0);
    struct ww_show *right = ww_show_new(&b->cars.v, 1, other, NULL, 0);

    ww_buf_clear(&b->out);
    ww_show_pair(left, right, &b->style, &b->out);
    ww_show_free(left);
    ww_show_free(right);
    return ww_buf_str(&b->out);
}

static void assert_has(ww_str text, const char *needle)
{
    if (ww_str_find(text, ww_str_c(needle)) < 0)
        fail_msg("no \"%s\" in:\n" WW_STRF, needle, WW_STRV(text));
}

static void assert_has_not(ww_str text, const char *needle)
{
    if (ww_str_find(text, ww_str_c(needle)) >= 0)
        fail_msg("\"%s\" in:\n" WW_STRF, needle, WW_STRV(text));
}

/* ---- JSON */

static const struct {
    const char *json, *laid;
} layouts[] = {
    { "1", "1" },
    { "\"a\"", "\"a\"" },
    { "{}", "{}" },
    { "[ ]", "[]" },
    { "{\"a\":1}", "{\n  \"a\": 1\n}" },
    { "[1, 2 ,3]", "[\n  1,\n  2,\n  3\n]" },
    { "{\"a\":{\"b\":[]},\"c\":[{}]}",
      "{\n  \"a\": {\n    \"b\": []\n  },\n  \"c\": [\n    {}\n  ]\n}" },
    { "{\"a,[{:\\\"}\":\"x\\\\\"}", "{\n  \"a,[{:\\\"}\": \"x\\\\\"\n}" },
    { " \t{ \"a\" : true }\n", "{\n  \"a\": true\n}" },
    /* not well-formed, or cut off: as far as it goes */
    { "{\"a\":\"unfinished", "{\n  \"a\": \"unfinished" },
    { "]}", "\n]\n}" },
    { "{\"a\":1}}", "{\n  \"a\": 1\n}\n}" },
    { "\"\\", "\"\\" },
    { "12345678901234567890.0e99", "12345678901234567890.0e99" },
};

static void json_is_laid_out_and_its_tokens_stay(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(layouts); i++) {
        struct ww_buf out;

        ww_buf_init(&out, 4096);
        ww_show_json(ww_str_c(layouts[i].json), &out);
        if (!ww_str_eq(ww_buf_str(&out), ww_str_c(layouts[i].laid)))
            fail_msg("%s became " WW_STRF, layouts[i].json, WW_STRV(ww_buf_str(&out)));
        ww_buf_release(&out);
    }
}

static void deep_json_is_bounded(void **state)
{
    struct ww_buf in, out;

    (void)state;
    ww_buf_init(&in, 1 << 20);
    ww_buf_init(&out, 1 << 20);
    for (int i = 0; i < 5000; i++)
        ww_buf_add_char(&in, '[');
    ww_show_json(ww_buf_str(&in), &out);
    assert_false(out.full);
    assert_true(out.len < 5000 * 90);
    ww_buf_release(&in);
    ww_buf_release(&out);
}

/* ---- an exchange */

static void an_exchange_is_shown_in_full(void **state)
{
    struct box *b = *state;
    ww_str text = render(b, NULL, 0);

    assert_has(text, "Exchange #1\n");
    assert_has(text, "  session     s1, cookie session\n");
    assert_has(text, "w0 51463, known by kernel");
    assert_has(text, "  began       2025-11-25T12:01:07.482000Z\n");
    assert_has(text, "in all 2.1, until a worker accepted 0.5, until it answered 1.0\n");
    assert_has(text, "\nRequest\n  GET /cars HTTP/1.1\n  Host: cars.test\n");
    assert_has(text, "\nResponse\n  200 OK\n  Content-Type: application/json\n\n  {\n"
                     "    \"cars\": [\n      \"figo\",\n      {}\n    ],\n    \"n\": 1\n  }\n");
    assert_has_not(text, "mac:");
    assert_has_not(text, "\x1b");
}

static void the_proof_that_it_is_part_of_is_named(void **state)
{
    struct box *b = *state;
    const struct ww_finding *f = &b->cars.v.finding[0];

    b->cars.evidence[0][0].step = 0;
    assert_true(f->evidences > 0);
    assert_has(render(b, NULL, 0), "findings    f1 confirmed read-your-writes: ");
}

static void a_redaction_is_seen_to_be_one(void **state)
{
    struct box *b = *state;
    const struct ww_payload payload[] = {
        { .value = WW_STR("mac:00112233"),
          .form = "itsdangerous",
          .json = WW_STR("{\"u\":1}") },
        { .value = WW_STR("mac:ffffffff"), .form = "jwt", .json = WW_STR("{\"other\":1}") },
    };
    ww_str text;

    add(b, &b->x->request_fields, "Cookie", "session=mac:00112233; theme=dark");
    text = render(b, payload, 2);
    assert_has(text, "  Cookie: session=mac:00112233; theme=dark\n"
                     "    readable without its key (itsdangerous):\n"
                     "      {\n        \"u\": 1\n      }\n");
    assert_has(text, "mac:... stands for a secret");
    assert_has_not(text, "other");
}

static void what_is_missing_of_a_body_is_said(void **state)
{
    struct box *b = *state;
    struct ww_buf big;

    b->x->response_body.size = 1000;
    assert_has(render(b, NULL, 0), "  cut: 26 of 1000 bytes were captured\n");
    ww_buf_init(&big, 1 << 20);
    for (int i = 0; i < 70000; i++)
        ww_buf_add_char(&big, i % 100 == 99 ? '\n' : 'x');
    b->x->response_body = (struct ww_body){ ww_buf_str(&big), big.len };
    b->x->response_fields.n = 0;
    assert_has(render(b, NULL, 0), "  4464 more bytes are in the trace\n");
    add(b, &b->x->response_fields, "Content-Encoding", "gzip");
    assert_has(render(b, NULL, 0), "  it cannot be unpacked\n");
    ww_buf_release(&big);
}

static void no_response_is_no_response(void **state)
{
    struct box *b = *state;
    ww_str text;

    b->x->status = 0;
    b->x->end = WW_END_CLIENT_GONE;
    text = render(b, NULL, 0);
    assert_has(text, "\nResponse\n  there was none: ");
    assert_has(text, "  ended       client-gone\n");
}

/* ---- two */

static void two_are_compared_line_by_line(void **state)
{
    struct box *b = *state;
    struct ww_exchange *other = exchange(2, "POST", "{\"cars\":[{}],\"n\":2,\"m\":3}");
    ww_str text;

    b->style.width = 80;
    other->worker.pid = 51465;
    ww_fields_add(&other->request_fields, &other->arena, WW_STR("Host"), WW_STR("cars.test"));
    ww_fields_add(&other->request_fields, &other->arena, WW_STR("X-New"), WW_STR("1"));
    ww_fields_add(&other->response_fields, &other->arena, WW_STR("Content-Type"),
                  WW_STR("application/json"));
    text = render_pair(b, other);
    assert_has(text, "GET /cars HTTP/1.1                     | POST /cars HTTP/1.1\n");
    assert_has(text, "Host: cars.test                          Host: cars.test\n");
    assert_has(text, "                                       > X-New: 1\n");
    assert_has(text, "    \"figo\",                            <");
    assert_has(text, "    {}                                       {}\n");
    assert_has(text, "  \"n\": 1                               |   \"n\": 2,\n");
    assert_has(text, "                                       >   \"m\": 3\n");
    assert_has(text, "2 lines of the request, 3 lines of the response's body\n");
    ww_exchange_free(other);
}

static void one_beside_itself_does_not_differ(void **state)
{
    struct box *b = *state;
    struct ww_show *s = ww_show_new(&b->cars.v, 0, b->x, NULL, 0);

    ww_show_pair(s, s, &b->style, &b->out);
    assert_has(ww_buf_str(&b->out), "\nnothing differs\n");
    assert_has_not(ww_buf_str(&b->out), " | ");
    ww_show_free(s);
}

static void very_long_bodies_are_compared_place_by_place(void **state)
{
    struct box *b = *state;
    struct ww_buf big;

    ww_buf_init(&big, 1 << 20);
    for (int i = 0; i < 3000; i++)
        ww_buf_printf(&big, "line %d\n", i);
    b->x->response_fields.n = 0;
    b->x->response_body = (struct ww_body){ ww_buf_str(&big), big.len };

    struct ww_exchange *other = exchange(2, "GET", "line 0\nline X\n");

    assert_has(render_pair(b, other), "2999 lines of the response's body\n");
    ww_exchange_free(other);
    ww_buf_release(&big);
}

/* ---- lists */

static void sessions_are_listed(void **state)
{
    struct box *b = *state;
    ww_str text;

    ww_show_sessions(&b->cars.v, &b->style, &b->out);
    text = ww_buf_str(&b->out);
    assert_has(text, "w0 51463  ");
    assert_has(text, "\ns1 ");
    assert_has(text, " w0 w1");
    assert_has(text, "f1");
    assert_has_not(text, "\x1b");
}

static void a_timeline_has_every_exchange(void **state)
{
    struct box *b = *state;
    const struct ww_verdict_session *s = &b->cars.v.session[0];

    ww_show_session(&b->cars.v, 0, &b->style, &b->out);
    for (size_t i = 0; i < s->steps; i++) {
        char id[24];

        snprintf(id, sizeof(id), "#%llu ",
                 (unsigned long long)b->cars.v.step[s->step[i]].exchange);
        assert_has(ww_buf_str(&b->out), id);
    }
    assert_has(ww_buf_str(&b->out), "  workers: w");
}

/* ---- hostile */

static void assert_inert(ww_str text, bool colour)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c == 0x1b && colour && i + 1 < text.len && text.ptr[i + 1] == '[')
            continue;
        assert_true(c == '\n' || (c >= 0x20 && c != 0x7f));
    }
    /* No line of a build's log is a command. */
    for (ww_str rest = text, line; ww_str_cut(&rest, '\n', &line);) {
        while (line.len > 0 && line.ptr[0] == ' ')
            line = ww_str_from(line, 1);
        assert_false(ww_str_starts(line, WW_STR("::")));
    }
    assert_true(ww_str_find(text, WW_STR("##[")) < 0);
}

static void nothing_from_the_wire_gets_out_raw(void **state)
{
    static const char nasty[] =
        "\x1b]0;owned\x07\x1b[2J::error::x\n::set-env::y\r\n##[group]\xff\xfe\x00\x7f\xc2\x9b"
        "::warning:: ::add-mask::z";
    struct box *b = *state;
    ww_str bad = ww_str_n(nasty, sizeof(nasty) - 1);
    struct ww_payload payload = { .value = bad, .form = "jwt", .json = bad };

    for (int colour = 0; colour < 2; colour++) {
        b->style.colour = colour != 0;
        b->x->method = b->x->target = b->x->request_id = b->x->client = bad;
        b->x->request_body = b->x->response_body = (struct ww_body){ bad, bad.len };
        assert_true(ww_fields_add(&b->x->request_fields, &b->x->arena, bad, bad));
        assert_true(ww_fields_add(&b->x->response_fields, &b->x->arena, bad, bad));
        assert_inert(render(b, &payload, 1), b->style.colour);
        b->style.width = 64;
        assert_inert(render_pair(b, b->x), b->style.colour);
        b->cars.v.session[0].key_name = b->cars.v.session[0].key_value = bad;
        ww_buf_clear(&b->out);
        ww_show_sessions(&b->cars.v, &b->style, &b->out);
        ww_show_session(&b->cars.v, 0, &b->style, &b->out);
        assert_inert(ww_buf_str(&b->out), b->style.colour);
    }
}

#define IN_A_BOX(test) cmocka_unit_test_setup_teardown(test, open_box, close_box)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_laid_out_and_its_tokens_stay),
        cmocka_unit_test(deep_json_is_bounded),
        IN_A_BOX(an_exchange_is_shown_in_full),
        IN_A_BOX(the_proof_that_it_is_part_of_is_named),
        IN_A_BOX(a_redaction_is_seen_to_be_one),
        IN_A_BOX(what_is_missing_of_a_body_is_said),
        IN_A_BOX(no_response_is_no_response),
        IN_A_BOX(two_are_compared_line_by_line),
        IN_A_BOX(one_beside_itself_does_not_differ),
        IN_A_BOX(very_long_bodies_are_compared_place_by_place),
        IN_A_BOX(sessions_are_listed),
        IN_A_BOX(a_timeline_has_every_exchange),
        IN_A_BOX(nothing_from_the_wire_gets_out_raw),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

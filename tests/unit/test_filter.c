/* Filters: each operator, the grammar, mistakes and their carets, hostile text and content. */
#include "check.h"

#include <whichworker/filter.h>

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#define EXCHANGES 5

/* What the tables below speak of: one letter each, in this order. */
static const char letters[] = "abcde";

struct world {
    struct ww_exchange *x[EXCHANGES];
    struct ww_worker worker[2];
    struct ww_subject s[EXCHANGES];
    struct ww_verdict verdict;
    struct ww_finding finding[2];
    struct ww_evidence evidence[3];
};

static struct ww_exchange *exchange(const char *method, const char *target, unsigned status,
                                    const char *sent, const char *answer)
{
    struct ww_exchange *x = ww_exchange_new(SIZE_MAX);

    x->method = ww_arena_dup(&x->arena, ww_str_c(method));
    x->target = ww_arena_dup(&x->arena, ww_str_c(target));
    x->status = status;
    x->end = WW_END_COMPLETE;
    x->request_body = (struct ww_body){ ww_arena_dup(&x->arena, ww_str_c(sent)), strlen(sent) };
    x->response_body =
        (struct ww_body){ ww_arena_dup(&x->arena, ww_str_c(answer)), strlen(answer) };
    return x;
}

static void field(struct ww_exchange *x, struct ww_fields *f, const char *name,
                  const char *value)
{
    assert_true(ww_fields_add(f, &x->arena, ww_arena_dup(&x->arena, ww_str_c(name)),
                              ww_arena_dup(&x->arena, ww_str_c(value))));
}

/* The answer of `x`, as gzip. */
static void pack(struct ww_exchange *x)
{
    unsigned char *out = ww_arena_alloc(&x->arena, 512);
    z_stream z = { .next_in = (unsigned char *)(uintptr_t)x->response_body.bytes.ptr,
                   .avail_in = (unsigned)x->response_body.bytes.len,
                   .next_out = out,
                   .avail_out = 512 };

    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    x->response_body = (struct ww_body){ ww_str_n((char *)out, z.total_out), z.total_out };
    deflateEnd(&z);
    field(x, &x->response_fields, "Content-Encoding", "gzip");
}

static void fill_exchanges(struct world *w)
{
    struct ww_exchange **x = w->x;

    x[0] = exchange("GET", "/cars?page=2", 200, "", "{\"cars\":[\"figo\"]}");
    x[1] = exchange("POST", "/cars/add", 201, "{\"name\":\"Polo\"}", "{\"ok\":true}");
    x[2] = exchange("GET", "/missing", 404, "", "<h1>nothing</h1>");
    x[3] = exchange("DELETE", "/cars/1", 503, "", "");
    x[4] = exchange("GET", "http://other.test/", 0, "", "");
    for (size_t i = 0; i < EXCHANGES; i++)
        field(x[i], &x[i]->request_fields, "Host", i == 2 ? "[::1]:8080" : "cars.test:8080");
    field(x[0], &x[0]->response_fields, "Content-Type", "application/json");
    field(x[1], &x[1]->request_fields, "Content-Type", "application/json");
    field(x[1], &x[1]->response_fields, "Content-Type", "text/plain");
    field(x[2], &x[2]->response_fields, "Content-Type", "text/html");
    field(x[2], &x[2]->response_fields, "X-Cache", "MISS");
    pack(x[2]);
    x[4]->end = WW_END_CLIENT_GONE;
    x[0]->by = x[1]->by = WW_BY_KERNEL;
    x[2]->by = WW_BY_HEADER;
    x[3]->by = WW_BY_UNKNOWN;
    x[0]->worker = (struct ww_worker_id){ .pid = 51463, .start_ticks = 1 };
    x[1]->worker = x[2]->worker = (struct ww_worker_id){ .pid = 51465, .start_ticks = 1 };
}

static struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof(*w));

    fill_exchanges(w);
    w->worker[0] = (struct ww_worker){ .id = w->x[0]->worker, .slot = 0 };
    w->worker[1] = (struct ww_worker){ .id = w->x[1]->worker, .slot = 1 };
    w->evidence[0] = (struct ww_evidence){ .step = 1 };
    w->evidence[1] = (struct ww_evidence){ .step = 2 };
    w->evidence[2] = (struct ww_evidence){ .step = 0 };
    w->finding[0] = (struct ww_finding){ .id = "f1",
                                         .guarantee = WW_READ_YOUR_WRITES,
                                         .grade = WW_CONFIRMED,
                                         .cause = WW_CAUSE_WORKER_MEMORY,
                                         .evidence = &w->evidence[0],
                                         .evidences = 2 };
    w->finding[1] = (struct ww_finding){ .id = "f2",
                                         .guarantee = WW_STATUS_FLIP,
                                         .grade = WW_LIKELY,
                                         .cause = WW_CAUSE_PER_WORKER_SECRET,
                                         .evidence = &w->evidence[2],
                                         .evidences = 1 };
    w->verdict = (struct ww_verdict){ .finding = w->finding, .findings = 2 };
    for (size_t i = 0; i < EXCHANGES; i++)
        w->s[i] = (struct ww_subject){ .exchange = w->x[i],
                                       .worker = i < 3 ? &w->worker[i > 0] : NULL,
                                       .session = i < 2 ? 1 : 2,
                                       .split = i == 1,
                                       .verdict = &w->verdict,
                                       .step = i };
    return w;
}

static void world_free(struct world *w)
{
    for (size_t i = 0; i < EXCHANGES; i++)
        ww_exchange_free(w->x[i]);
    free(w);
}

/* The letters of those that it selects. */
static void select_by(const struct world *w, const char *text, char out[EXCHANGES + 1])
{
    struct ww_err err = { 0 };
    struct ww_filter *f = ww_filter_new(ww_str_c(text), &err);
    size_t n = 0;

    if (f == NULL)
        fail_msg("%s: %s", text, err.text);
    for (size_t i = 0; i < EXCHANGES; i++)
        if (ww_filter_match(f, &w->s[i]))
            out[n++] = letters[i];
    out[n] = '\0';
    ww_filter_free(f);
}

struct row {
    const char *filter;
    const char *selects;
};

static const struct row operators[] = {
    { "~all", "abcde" },
    { "~m GET", "ace" },
    { "~m get", "ace" },
    { "~m '^(get|post)$'", "abce" },
    { "~u /cars", "abd" },
    { "~u cars", "abd" }, /* cars.test is the host of c and e too, but not of their URLs */
    { "~u other.test", "e" },
    { "~u ^http://cars.test:8080/cars\\?page", "a" },
    { "/cars", "abd" },
    { "page=2", "a" },
    { "~d cars.test", "abde" },
    { "~d '^cars\\.test$'", "abde" },
    { "~d 8080", "" },
    { "~d '^\\[::1\\]$'", "c" },
    { "~c 200", "a" },
    { "~c 2xx", "ab" },
    { "~c 5XX", "d" },
    { "~c 999", "" },
    { "~h ^host:", "abcde" },
    { "~h 'content-type: application/json'", "ab" },
    { "~hq 'content-type: application/json'", "b" },
    { "~hs 'content-type: application/json'", "a" },
    { "~hs '^x-cache: miss$'", "c" },
    { "~hq x-cache", "" },
    { "~b figo", "a" },
    { "~b polo", "b" },
    { "~bq polo", "b" },
    { "~bs polo", "" },
    { "~bs ok", "b" },
    { "~b nothing", "c" }, /* unpacked */
    { "~t json", "ab" },
    { "~tq json", "b" },
    { "~ts json", "a" },
    { "~t html", "c" },
    { "~q", "e" },
    { "~s", "abcd" },
    { "~e", "e" },
    { "~w 51463", "a" },
    { "~w w1", "bc" },
    { "~w w7", "" },
    { "~w ?", "d" },
    { "~sid s1", "ab" },
    { "~sid 2", "cde" },
    { "~split", "b" },
    { "~v any", "abc" },
    { "~v confirmed", "bc" },
    { "~v likely", "a" },
    { "~v proven", "" },
    { "~v read-your-writes", "bc" },
    { "~v status-flip", "a" },
    { "~v worker-memory", "bc" },
    { "~v f2", "a" },
    { "~v f9", "" },
    { "~att kernel", "ab" },
    { "~att header", "c" },
    { "~att known", "abc" },
    { "~att unknown", "d" },
    { "~att none", "e" },
};

static const struct row grammar[] = {
    { "!~m GET", "bd" },
    { "! ~m GET", "bd" },
    { "!!~m GET", "ace" },
    { "!/cars", "ce" },
    { "~m GET & ~c 200", "a" },
    { "~m GET&~c 200", "a" },
    { "~m GET ~c 200", "a" },
    { "~c 200 | ~c 404", "ac" },
    { "~c 200|~c 404", "ac" },
    { "~c 200 | ~c 404 & ~m POST", "a" }, /* & binds more than | */
    { "(~c 200 | ~c 404) & ~m POST", "" },
    { "~c 200 | ~c 404 ~m GET", "ac" }, /* | binds more than adjacency */
    { "~c 200 | ~c 404 ~m GET ~u miss", "c" },
    { "!(~c 200 | ~c 404)", "bde" },
    { "!~c 200 & !~c 404", "bde" },
    { "!~c 200 & ~m GET", "ce" }, /* ! binds more than & */
    { "cars|missing", "abcd" },   /* one pattern */
    { "add|(missing)", "bc" },    /* two filters */
    { "add| missing", "bc" },
    { "\"page=2\"", "a" },
    { "'page=2' | \"missing\"", "ac" },
    { "~b '\"figo\"'", "a" },
    { "~b \"\\\"figo\\\"\"", "a" },
    { "~u '\\d$'", "ad" }, /* a backslash stays one */
    { " \t ~split \n ", "b" },
    { "((((~split))))", "b" },
    { "(~split)(~m POST)", "b" },
    { "~split~m POST", "b" },
    { "~m GET & ~c 200 & ~u cars & ~t json", "a" },
    { "~c 200 | ~c 201 | ~c 404", "abc" },
};

static void check_rows(const struct row *row, size_t n)
{
    struct world *w = world_new();

    for (size_t i = 0; i < n; i++) {
        char got[EXCHANGES + 1];

        select_by(w, row[i].filter, got);
        if (strcmp(got, row[i].selects) != 0)
            fail_msg("%s selects \"%s\", not \"%s\"", row[i].filter, got, row[i].selects);
    }
    world_free(w);
}

static void each_operator_selects_what_it_says(void **state)
{
    (void)state;
    check_rows(operators, COUNT(operators));
}

static void filters_combine_as_in_mitmproxy(void **state)
{
    (void)state;
    check_rows(grammar, COUNT(grammar));
}

static void before_anybody_judged_no_verdict_matches(void **state)
{
    struct world *w = world_new();
    char got[EXCHANGES + 1];

    (void)state;
    for (size_t i = 0; i < EXCHANGES; i++)
        w->s[i].verdict = NULL;
    select_by(w, "~v any", got);
    assert_string_equal(got, "");
    world_free(w);
}

/* ---- mistakes */

static const struct {
    const char *filter;
    size_t at; /* of the caret */
    const char *says;
} mistakes[] = {
    { "", 0, "a filter is missing here" },
    { "   ", 3, "a filter is missing here" },
    { "~x", 0, "there is no operator ~x" },
    { "~u /cars & ~foo bar", 11, "there is no operator ~foo" },
    { "~", 0, "there is no operator ~" },
    { "~u", 2, "~u wants a pattern" },
    { "~u & ~m GET", 3, "~u wants a pattern" },
    { "~u (a|b)", 3, "one with parentheses stands between quotes" },
    { "~m GET &", 8, "a filter is missing here" },
    { "| ~m GET", 0, "a filter is missing here" },
    { "!", 1, "a filter is missing here" },
    { "(~m GET", 0, "the parenthesis is not closed" },
    { "~m GET)", 6, "this parenthesis was never opened" },
    { "()", 1, "a filter is missing here" },
    { "~u 'abc", 3, "the quote is not closed" },
    { "~u ''", 3, "~u wants a pattern" },
    { "~u [a", 5, "missing terminating ]" },
    { "~u 'a(b'", 7, "missing closing parenthesis" },
    { "~c abc", 3, "a status has three digits" },
    { "~c 20", 3, "a status has three digits" },
    { "~c", 2, "~c wants a status" },
    { "~sid x", 5, "a session is s and its number" },
    { "~sid 0", 5, "a session is s and its number" },
    { "~w worker", 3, "a worker is a PID" },
    { "~v maybe", 3, "~v wants a guarantee" },
    { "~att hearsay", 5, "the sources are kernel" },
    { "\xc3\xa9 ~x", 3, "there is no operator ~x" }, /* one column, two bytes */
};

static void a_mistake_is_shown_with_a_caret_under_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(mistakes); i++) {
        struct ww_err err = { 0 };
        ww_str rest, line;
        size_t column = 0;

        assert_null(ww_filter_new(ww_str_c(mistakes[i].filter), &err));
        assert_int_equal(err.code, WW_EUSAGE);
        rest = ww_str_c(err.text);
        assert_true(ww_str_cut(&rest, '\n', &line));
        if (ww_str_find(line, ww_str_c(mistakes[i].says)) < 0)
            fail_msg("%s: %s", mistakes[i].filter, err.text);
        assert_true(ww_str_cut(&rest, '\n', &line));
        assert_true(ww_str_starts(line, WW_STR("    ")));
        assert_true(ww_str_eq(ww_str_from(line, 4), ww_str_c(mistakes[i].filter)));
        for (size_t k = 0; k < mistakes[i].at; k++)
            column += ((unsigned char)mistakes[i].filter[k] & 0xc0) != 0x80;
        if (ww_str_find(rest, WW_STR("^")) != (ptrdiff_t)(column + 4))
            fail_msg("the caret is elsewhere:\n%s", err.text);
    }
}

static void a_long_text_is_shown_around_the_mistake(void **state)
{
    char text[600];
    struct ww_err err = { 0 };
    ww_str rest, line;

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text + 300, " ~nope ", 7);
    text[sizeof(text) - 1] = '\0';
    assert_null(ww_filter_new(ww_str_c(text), &err));
    rest = ww_str_c(err.text);
    assert_true(ww_str_cut(&rest, '\n', &line) && ww_str_cut(&rest, '\n', &line));
    assert_true(line.len < 80);
    assert_int_equal(ww_str_find(line, WW_STR("~nope")), ww_str_find(rest, WW_STR("^")));
}

static void what_is_too_much_is_refused(void **state)
{
    struct ww_err err = { 0 };
    struct ww_buf b;

    (void)state;
    ww_buf_init(&b, 1 << 20);
    for (int i = 0; i < 60; i++)
        ww_buf_add_char(&b, '(');
    assert_null(ww_filter_new(ww_buf_str(&b), &err));
    assert_non_null(strstr(err.text, "nested deeper than"));
    ww_buf_clear(&b);
    for (int i = 0; i < 60; i++)
        ww_buf_add_char(&b, '!');
    ww_buf_add_c(&b, "~s");
    assert_null(ww_filter_new(ww_buf_str(&b), &err));
    ww_buf_clear(&b);
    for (int i = 0; i < 300; i++)
        ww_buf_add_c(&b, "~s ");
    assert_null(ww_filter_new(ww_buf_str(&b), &err));
    assert_non_null(strstr(err.text, "more than 256 parts"));
    ww_buf_clear(&b);
    for (int i = 0; i < 5000; i++)
        ww_buf_add_char(&b, 'a');
    assert_null(ww_filter_new(ww_buf_str(&b), &err));
    assert_non_null(strstr(err.text, "longer than"));
    assert_null(ww_filter_new(WW_STR("~u a\0b"), &err));
    assert_null(ww_filter_new(WW_STR("~x"), NULL));
    ww_filter_free(NULL);
    ww_buf_release(&b);
}

/* Any text is a filter or a mistake; a mistake is one that can be printed. */
static void any_text_is_taken_or_refused(void **state)
{
    static const char *const part[] = { "~u",  "~c",   "~split", "~v",   "(",  ")",   "&",
                                        "|",   "!",    "\"",     "'",    "\\", "abc", "200",
                                        "any", "[a-z", "\x1b[m", "\xff", " ",  "~",   "s1" };
    struct world *w = world_new();
    uint64_t seed = 7;
    size_t taken = 0, selected = 0;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct ww_err err = { 0 };
        struct ww_buf b;

        ww_buf_init(&b, 4096);
        for (unsigned n = (unsigned)(round % 9) + 1; n > 0; n--) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            ww_buf_add_c(&b, part[(seed >> 33) % COUNT(part)]);
            if ((seed >> 20) % 2 == 0)
                ww_buf_add_char(&b, ' ');
        }
        struct ww_filter *f = ww_filter_new(ww_buf_str(&b), &err);
        if (f != NULL) {
            taken++;
            for (size_t i = 0; i < EXCHANGES; i++)
                selected += ww_filter_match(f, &w->s[i]);
        } else {
            assert_int_equal(err.code, WW_EUSAGE);
            assert_non_null(strchr(err.text, '^'));
            assert_null(strchr(strchr(err.text, '\n'), '\x1b'));
        }
        ww_filter_free(f);
        ww_buf_release(&b);
    }
    assert_true(taken > 500 && selected > 0 && selected < taken * EXCHANGES);
    world_free(w);
}

static void hostile_content_is_only_looked_at(void **state)
{
    static const char nasty[] = "\x1b]0;x\x07\r\nSet-Cookie: a=b\xff\xfe<script>\0tail";
    struct world *w = world_new();
    char got[EXCHANGES + 1];

    (void)state;
    for (size_t i = 0; i < EXCHANGES; i++) {
        struct ww_exchange *x = w->x[i];

        x->response_body = (struct ww_body){ ww_str_n(nasty, sizeof(nasty) - 1), 9999 };
        x->target = ww_str_n(nasty, sizeof(nasty) - 1);
        x->method = (ww_str){ 0 };
        assert_true(ww_fields_add(&x->request_fields, &x->arena, WW_STR("X"), x->target));
        field(x, &x->response_fields, "Content-Encoding", i % 2 == 0 ? "gzip" : "nonsense");
    }
    select_by(w, "~b tail & ~hq tail & ~u script & !~m .", got);
    assert_string_equal(got, "abcde");
    select_by(w, "~m '^$'", got);
    assert_string_equal(got, "abcde");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_operator_selects_what_it_says),
        cmocka_unit_test(filters_combine_as_in_mitmproxy),
        cmocka_unit_test(before_anybody_judged_no_verdict_matches),
        cmocka_unit_test(a_mistake_is_shown_with_a_caret_under_it),
        cmocka_unit_test(a_long_text_is_shown_around_the_mistake),
        cmocka_unit_test(what_is_too_much_is_refused),
        cmocka_unit_test(any_text_is_taken_or_refused),
        cmocka_unit_test(hostile_content_is_only_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

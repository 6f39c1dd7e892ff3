/* JSON events: held against jansson, which builds a tree, over well-formed and broken texts. */
#include "check.h"
#include "scan.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define MUTANTS 40000

/* ---- the same text from both: events written down */

static void put_text(struct ww_buf *out, char kind, ww_str text)
{
    ww_buf_add_char(out, kind);
    ww_buf_printf(out, "%zu:", text.len);
    ww_buf_add(out, text);
}

static void put_integer(struct ww_buf *out, long long n)
{
    ww_buf_printf(out, "i%lld ", n);
}

static void put_real(struct ww_buf *out, double n)
{
    ww_buf_printf(out, "r%.17g ", n);
}

static void walk(struct ww_buf *out, json_t *v)
{
    static const char *const word[] = {
        [JSON_TRUE] = "t", [JSON_FALSE] = "f", [JSON_NULL] = "n"
    };
    const char *key;
    json_t *child;
    size_t i;

    switch (json_typeof(v)) {
    case JSON_OBJECT:
        ww_buf_add_char(out, '{');
        json_object_foreach(v, key, child)
        {
            put_text(out, 'k', ww_str_c(key));
            walk(out, child);
        }
        ww_buf_add_char(out, '}');
        return;
    case JSON_ARRAY:
        ww_buf_add_char(out, '[');
        json_array_foreach(v, i, child) walk(out, child);
        ww_buf_add_char(out, ']');
        return;
    case JSON_STRING:
        put_text(out, 's', ww_str_n(json_string_value(v), json_string_length(v)));
        return;
    case JSON_INTEGER:
        put_integer(out, json_integer_value(v));
        return;
    case JSON_REAL:
        put_real(out, json_real_value(v));
        return;
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        ww_buf_add_c(out, word[json_typeof(v)]);
        return;
    }
}

static bool put_event(struct ww_buf *out, enum scan_event event, ww_str text)
{
    static const char sign[] = {
        [SCAN_OBJECT] = '{',    [SCAN_OBJECT_END] = '}', [SCAN_ARRAY] = '[',
        [SCAN_ARRAY_END] = ']', [SCAN_TRUE] = 't',       [SCAN_FALSE] = 'f',
        [SCAN_NULL] = 'n'
    };
    char number[512] = "";

    if (event == SCAN_INTEGER || event == SCAN_REAL) {
        assert_true(text.len < sizeof(number));
        memcpy(number, text.ptr, text.len);
    }
    if (event == SCAN_INTEGER)
        put_integer(out, strtoll(number, NULL, 10));
    else if (event == SCAN_REAL)
        put_real(out, strtod(number, NULL));
    else if (event == SCAN_KEY || event == SCAN_STRING)
        put_text(out, event == SCAN_KEY ? 'k' : 's', text);
    else if (event != SCAN_WRONG && event != SCAN_END)
        ww_buf_add_char(out, sign[event]);
    return event != SCAN_WRONG && event != SCAN_END;
}

/* Whether it is JSON. */
static bool scanned(ww_str text, struct ww_buf *out)
{
    struct scan s;
    ww_str what = { 0 };
    enum scan_event event;

    scan_init(&s, text);
    do
        event = scan_next(&s, &what);
    while (put_event(out, event, what));
    assert_int_equal(scan_next(&s, &what), event); /* it stays what it is */
    scan_release(&s);
    return event == SCAN_END;
}

/* Whether anybody minds: a name that comes twice is one member to jansson and two events here.
 */
static bool has_twice(ww_str text)
{
    json_error_t error;
    json_t *v = json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    json_t *unique = json_loadb(
        text.ptr, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
    bool twice = v != NULL && unique == NULL;

    json_decref(v);
    json_decref(unique);
    return twice;
}

static bool compare(ww_str text)
{
    json_error_t error;
    json_t *v = json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    struct ww_buf ours, theirs;
    bool is_json;

    ww_buf_init(&ours, 1 << 22);
    ww_buf_init(&theirs, 1 << 22);
    is_json = scanned(text, &ours);
    if (is_json != (v != NULL))
        fail_msg("%s, but jansson: %s\n" WW_STRF, is_json ? "JSON" : "no JSON",
                 v != NULL ? "JSON" : error.text, WW_STRV(text));
    if (v != NULL && !has_twice(text)) {
        walk(&theirs, v);
        if (!ww_str_eq(ww_buf_str(&ours), ww_buf_str(&theirs)))
            fail_msg(WW_STRF "\nis\n" WW_STRF "\nnot\n" WW_STRF, WW_STRV(text),
                     WW_STRV(ww_buf_str(&ours)), WW_STRV(ww_buf_str(&theirs)));
    }
    json_decref(v);
    ww_buf_release(&ours);
    ww_buf_release(&theirs);
    return is_json;
}

static const char *const texts[] = {
    "",
    " ",
    "1",
    "-1",
    "0",
    "-0",
    "01",
    "-",
    "+1",
    "1.",
    ".5",
    "1.5",
    "-0.0",
    "1e5",
    "1E+5",
    "1e",
    "1e-",
    "1e400",
    "-1e400",
    "1e-400",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "123456789012345678",
    "1234567890123456789",
    "12345678901234567890123",
    "true",
    "false",
    "null",
    "nul",
    "True",
    "truex",
    "true x",
    "\"\"",
    "\"a\"",
    "\"a",
    "\"\\",
    "\"\\\"",
    "\"\\n\\t\\/\\b\\f\\r\\\\\\\"\"",
    "\"\\x\"",
    "\"\\u0041\"",
    "\"\\u00e9\"",
    "\"\\u20ac\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\"\\ude00\"",
    "\"\\udc00\"",
    "\"\\udfff\"",
    "\"\\ud800\\udc00\"",
    "\"\\udbff\\udfff\"",
    "\"\\ud800\\ue000\"",
    "\"\\ud83d\\u0041\"",
    "\"\\u12\"",
    "\"\\u0000\"",
    "\"tab\there\"",
    "\"\xc3\xa9\"",
    "\"\xc3\"",
    "\"\xff\"",
    "\"\xed\xa0\x80\"",
    "\"\xc0\x80\"",
    "\"\xf4\x90\x80\x80\"",
    "[]",
    "[ ]",
    "[1]",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1,2",
    "[1}",
    "{}",
    "{\"a\":1}",
    "{\"a\" : 1 , \"b\":[{}]}",
    "{\"a\":1,}",
    "{a:1}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1]",
    "{\"a\\u0000b\":1}",
    "{\"\":\"\"}",
    "{\"a\":1,\"a\":2}",
    "[[[[]]]]",
    "]",
    "}",
    "1 2",
    "{} {}",
    "\xef\xbb\xbf{}",
    "[1]\n",
    "\t[1]\r\n ",
    "{\"cars\":[{\"name\":\"fi\\u0067o\",\"n\":1.25e3,\"ok\":true,\"x\":null}],\"\\\"\":[[],{}]"
    "}",
};

static void agrees_with_another_reader(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        compare(ww_str_c(texts[i]));
}

/* Well-formed ones with a byte changed, taken out or put in; most are broken, some are not. */
static void agrees_on_mutants(void **state)
{
    static const char byte[] = "{}[]\":,\\0123456789eE+-.tfnu \n\xc3\xa9\xff\x01";
    uint64_t seed = 11;
    size_t is_json = 0;

    (void)state;
    for (int round = 0; round < MUTANTS; round++) {
        char text[256];
        ww_str whole = ww_str_c(texts[(size_t)round % COUNT(texts)]);
        size_t len = whole.len;

        memcpy(text, whole.ptr, len);
        for (int n = 1 + round % 2; n > 0; n--) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            size_t at = (size_t)(seed >> 40) % (len + 1);
            char with = byte[(seed >> 20) % (sizeof(byte) - 1)];
            unsigned how = (unsigned)(seed >> 33) % 3;

            if (how == 0 && at < len)
                text[at] = with;
            else if (how == 1 && at < len)
                memmove(text + at, text + at + 1, --len - at);
            else if (how == 2 && len < sizeof(text) - 1) {
                memmove(text + at + 1, text + at, len++ - at);
                text[at] = with;
            }
        }
        is_json += compare(ww_str_n(text, len));
    }
    assert_true(is_json > MUTANTS / 20 && is_json < MUTANTS / 2);
}

static void nesting_has_a_limit(void **state)
{
    struct ww_buf in, out;

    (void)state;
    ww_buf_init(&in, 1 << 20);
    ww_buf_init(&out, 1 << 20);
    for (size_t depth = SCAN_DEPTH_MAX; depth <= SCAN_DEPTH_MAX + 1; depth++) {
        ww_buf_clear(&in);
        for (size_t i = 0; i < depth; i++)
            ww_buf_add_c(&in, i % 3 == 0 ? "{\"a\":" : "[");
        ww_buf_add_c(&in, "1");
        for (size_t i = depth; i-- > 0;)
            ww_buf_add_char(&in, i % 3 == 0 ? '}' : ']');
        assert_int_equal(scanned(ww_buf_str(&in), &out), depth <= SCAN_DEPTH_MAX);
    }
    ww_buf_release(&in);
    ww_buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_another_reader),
        cmocka_unit_test(agrees_on_mutants),
        cmocka_unit_test(nesting_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What signed cookies say in the clear. The values were made by Debian's itsdangerous, Flask
 * and Starlette's and Django's own construction over them. */
#include <whichworker/http.h>

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
/* clang-format on */

#define SIG ".AAAAAAAAAAAAAAAAAAAAAAAAAAA"

struct payload_case {
    const char *value;
    const char *form;
    const char *json;
};

static void payload_is_read(void **state)
{
    const struct payload_case *c = *state;
    struct ww_arena a;
    struct ww_readable read;

    ww_arena_init(&a, 131072);
    assert_true(ww_cookie_payload(ww_str_c(c->value), &a, &read));
    assert_string_equal(read.form, c->form);
    assert_string_equal(read.json.ptr, c->json);
    assert_int_equal(read.json.len, strlen(c->json));
    ww_arena_release(&a);
}

static void value_is_none(void **state)
{
    struct ww_arena a;
    struct ww_readable read = { 0 };

    ww_arena_init(&a, 131072);
    assert_false(ww_cookie_payload(ww_str_c(*state), &a, &read));
    assert_null(read.json.ptr);
    assert_null(read.form);
    ww_arena_release(&a);
}

static const char flask[] =
    "eyJjYXJzIjpbIkF1ZGkiLCJCTVciXSwidXNlciI6ImV2YSJ9.awOoFw.KdvlYnAOsyTfeL"
    "E8-6pFadV07dk";
static const char flaskz[] =
    ".eJyrVkpOLCpWsopWcixNyVQwUNKBMAxhDCMYY1SKGlKxtQC0VV5L.awOoFw.m0Kp3FADS"
    "QUneSMxIrCvj-1H4aA";
static const char flasktuple[] =
    "eyJmIjpbeyIgdCI6WyJtZXNzYWdlIiwiaFx1MDBmYyJdfV19.awOoFw.F_GS-hqEjmwnkc"
    "i7Aw7PbhvHO4g";
static const char starlette[] =
    "eyJ1c2VyIjogImV2YSIsICJuIjogMX0=.awOoFw.tuwo1uQmpQeq-xgsLFIkQOQZ7Ok";
static const char dj[] =
    "eyJfYXV0aF91c2VyX2lkIjoiNyIsImNhcnQiOlszLDRdfQ:1r31eq:AfD-vU9GVQxk1YsM"
    "uvfNqadLtdqNZ66xjDRLdYW3ltQ";
static const char djz[] =
    ".eJyrVkpOLCpRsopWyixJzVXSGT5UbC0AETxDTw:1r31eq:DgV2DAhWGOsOAb_n0yQGVyU"
    "G8AA-nx4pTT60GfV80J8";
static const char jwt[] =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiAiZXZhIiwgImlhdCI6IDE3M"
    "DAwMDAwMDB9.V4v8Myws8rXHlIT2_V9ei9dWe-cPQGQjF0PKPy0z5X4";
static const char bomb[] =
    ".eNrtwTERADAIBDAvL4OtUtDB4b0mGJNMOpUHAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAJzLfibKc5c.ZVP"
    "xAA.AAAAAAAAAAAAAAAAAAAAAAAAAAA";
static const char max[] =
    ".eNrtwTERADAIBDAvL4OtUtDB4b1CSDLpVB4AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACnZT8e4gPj.ZVPxAA.AAA"
    "AAAAAAAAAAAAAAAAAAAAAAAA";

/* An itsdangerous value around plain, which is made of As in quotes and brackets. */
static void make_value(struct ww_buf *out, size_t plain)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned bits = 0, have = 0;

    for (size_t i = 0; i < plain; i++) {
        char c = i == 0 ? '[' : i == plain - 1 ? ']' : i == 1 || i == plain - 2 ? '"' : 'A';
        bits = bits << 8 | (unsigned char)c;
        for (have += 8; have >= 6; have -= 6)
            ww_buf_add_char(out, digits[bits >> (have - 6) & 63]);
    }
    if (have > 0)
        ww_buf_add_char(out, digits[bits << (6 - have) & 63]);
    ww_buf_add_c(out, ".awOm-Q" SIG);
}

static void content_is_all_but_the_signature(void **state)
{
    const char *const value[] = { flask, flaskz, dj, djz, jwt };
    struct ww_arena a;
    struct ww_readable read;

    (void)state;
    ww_arena_init(&a, 131072);
    for (size_t i = 0; i < sizeof(value) / sizeof(value[0]); i++) {
        const char *signature = strrchr(value[i], strchr(value[i], ':') != NULL ? ':' : '.');

        assert_true(ww_cookie_payload(ww_str_c(value[i]), &a, &read));
        assert_ptr_equal(read.content.ptr, value[i]);
        assert_int_equal(read.content.len, signature - value[i]);
    }
    ww_arena_release(&a);
}

/* {"alg":"ES256"}: the same key signs the same content in ever other ways. */
static void a_jwt_that_is_not_hmac_has_no_content(void **state)
{
    struct ww_arena a;
    struct ww_readable read;

    (void)state;
    ww_arena_init(&a, 131072);
    assert_true(ww_cookie_payload(WW_STR("eyJhbGciOiJFUzI1NiJ9.e30" SIG), &a, &read));
    assert_string_equal(read.form, "jwt");
    assert_null(read.content.ptr);
    ww_arena_release(&a);
}

static void limit_is_64_kib_of_json(void **state)
{
    struct ww_arena a;
    struct ww_buf value;
    struct ww_readable read;

    ww_arena_init(&a, 1 << 20);
    assert_true(ww_cookie_payload(ww_str_c(max), &a, &read));
    assert_int_equal(read.json.len, 65536);
    assert_false(ww_cookie_payload(ww_str_c(bomb), &a, &read));

    ww_buf_init(&value, 1 << 20);
    make_value(&value, 65536);
    assert_true(ww_cookie_payload(ww_buf_str(&value), &a, &read));
    assert_int_equal(read.json.len, 65536);
    ww_buf_clear(&value);
    make_value(&value, 65537);
    assert_false(ww_cookie_payload(ww_buf_str(&value), &a, &read));
    ww_buf_release(&value);
    ww_arena_release(&a);
}

static void a_full_arena_reads_nothing(void **state)
{
    struct ww_arena a;
    struct ww_readable read;

    ww_arena_init(&a, 16);
    assert_false(ww_cookie_payload(ww_str_c(flask), &a, &read));
    ww_arena_release(&a);
}

/* Nothing that is cut short may be read as something else, nor crash. */
static void every_beginning_is_none(void **state)
{
    static const char *const all[] = { flask, flaskz, starlette, dj, djz };
    struct ww_arena a;
    struct ww_readable read;

    ww_arena_init(&a, 131072);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        ww_str value = ww_str_c(all[i]);
        size_t signature = 0;
        for (size_t k = 0; k < value.len; k++)
            if (value.ptr[k] == '.' || value.ptr[k] == ':')
                signature = k;
        for (size_t k = 0; k <= signature; k++)
            assert_false(ww_cookie_payload(ww_str_upto(value, k), &a, &read));
    }
    ww_arena_release(&a);
}

#define READ(name_, value_, form_, json_)                                                      \
    {                                                                                          \
        .name = name_, .test_func = payload_is_read, .initial_state = &(struct payload_case)   \
        {                                                                                      \
            value_, form_, json_                                                               \
        }                                                                                      \
    }
#define NONE(name_, value_)                                                                    \
    {                                                                                          \
        .name = name_, .test_func = value_is_none, .initial_state = value_                     \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        READ("Flask's session", flask, "itsdangerous",
             "{\"cars\":[\"Audi\",\"BMW\"],\"user\":\"eva\"}"),
        READ("Flask's session, packed", flaskz, "itsdangerous",
             "{\"cars\":[\"Audi 0\",\"Audi 1\",\"Audi 2\",\"Audi 0\",\"Audi 1\",\"Audi "
             "2\",\"Audi 0\",\"Audi 1\",\"Audi 2\",\"Audi 0\",\"Audi 1\",\"Audi 2\",\"Au"
             "di 0\",\"Audi 1\",\"Audi 2\",\"Audi 0\",\"Audi 1\",\"Audi 2\",\"Audi 0\","
             "\"Audi 1\",\"Audi 2\",\"Audi 0\",\"Audi 1\",\"Audi 2\",\"Audi 0\",\"Audi "
             "1\",\"Audi 2\",\"Audi 0\",\"Audi 1\",\"Audi 2\",\"Audi 0\",\"Audi 1\",\"Au"
             "di 2\",\"Audi 0\",\"Audi 1\",\"Audi 2\",\"Audi 0\",\"Audi 1\",\"Audi 2\","
             "\"Audi 0\"]}"),
        READ("Flask's session with a flashed message", flasktuple, "itsdangerous",
             "{\"f\":[{\" t\":[\"message\",\"h\\u00fc\"]}]}"),
        READ("Starlette's session, in the ordinary alphabet", starlette, "itsdangerous",
             "{\"user\": \"eva\", \"n\": 1}"),
        READ("Django's signed session", dj, "django",
             "{\"_auth_user_id\":\"7\",\"cart\":[3,4]}"),
        READ("Django's, packed", djz, "django",
             "{\"cart\":[\"item\",\"item\",\"item\",\"item\",\"item\",\"item\",\"item\",\"i"
             "tem\",\"item\",\"item\",\"item\",\"item\",\"item\",\"item\",\"item\",\"item\""
             ",\"item\",\"item\",\"item\",\"item\",\"item\",\"item\",\"item\",\"item\",\"it"
             "em\",\"item\",\"item\",\"item\",\"item\",\"item\"]}"),
        READ("a JSON web token", jwt, "jwt", "{\"sub\": \"eva\", \"iat\": 1700000000}"),
        READ("quoted", "\"WzFd.awOm-Q" SIG "\"", "itsdangerous", "[1]"),
        READ("a token without signature", "eyJhbGciOiJub25lIn0.e30.", "jwt", "{}"),
        NONE("empty", ""),
        NONE("one part", "e30"),
        NONE("dots only", "...."),
        NONE("colons only", "::"),
        NONE("no signature", "eyJhIjoxfQ.awOm-Q"),
        NONE("a short signature", "eyJhIjoxfQ.awOm-Q.c2ln"),
        NONE("four parts", "eyJhIjoxfQ.awOm-Q" SIG ".x"),
        NONE("a long stamp", "eyJhIjoxfQ.AAAAAAAAAAAAAAAAAAAAAAAAAAAAA" SIG),
        NONE("not base64", "e!J9.awOm-Q" SIG),
        NONE("an impossible length", "eyJ9e.awOm-Q" SIG),
        NONE("a number", "NDI.awOm-Q" SIG),
        NONE("a string", "InRleHQi.awOm-Q" SIG),
        NONE("an open brace", "eyJhIjox.awOm-Q" SIG),
        NONE("text behind it", "eyJhIjoxfXg.awOm-Q" SIG),
        NONE("not UTF-8", "eyJhIjoi__4ifQ.awOm-Q" SIG),
        NONE("packed garbage", ".eyJhIjoxfQ.awOm-Q" SIG),
        NONE("packed and cut", ".eJyrVkpUsjKsBQAI.awOm-Q" SIG),
        NONE("a token whose claims are no object",
             "eyJhbGciOiJub25lIn0.WzEsMiwzLDQsNSw2LDcsOCw5LDEwXQ" SIG),
        NONE("a deep nest", ".eNrtwTENAAAAAqCgzv41rOEBJAAAwLsCAAD3BkhrbLk"
                            ".awOm-Q" SIG),
        NONE("a host name", "www.example.com"),
        NONE("a version", "1.2.3"),
        NONE("a uuid", "0b0e0f5e-1b8a-4f0e-9f4b-2f2f4f4b4f4f"),
        NONE("analytics", "GA1.2.1234567890.1700000000"),
        cmocka_unit_test(content_is_all_but_the_signature),
        cmocka_unit_test(a_jwt_that_is_not_hmac_has_no_content),
        cmocka_unit_test(limit_is_64_kib_of_json),
        cmocka_unit_test(a_full_arena_reads_nothing),
        cmocka_unit_test(every_beginning_is_none),
    };
    return cmocka_run_group_tests_name("payload", tests, NULL, NULL);
}

/* What redaction leaves of the fields: masks that are equal for equal secrets, and no secret.
 */
#include <whichworker/exchange.h>

#include <stdio.h>
#include <stdlib.h>

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

static const struct ww_mac_key key_a = { .byte = { 1, 2, 3 } };
static const struct ww_mac_key key_b = { .byte = { 9, 8, 7 } };

/* {"user":"ada"}, its time and a signature, as Flask makes them. */
#define FLASK "eyJ1c2VyIjoiYWRhIn0.ZWXyYg.Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6"

static struct ww_exchange *exchange_with(const char *name, const char *value)
{
    struct ww_exchange *x = ww_exchange_new(1 << 20);

    x->answered_us = 1700000000LL * 1000000;
    assert_true(
        ww_fields_add(&x->request_fields, &x->arena, WW_STR("Host"), WW_STR("localhost")));
    assert_true(ww_fields_add(&x->request_fields, &x->arena, ww_str_c(name),
                              ww_arena_dup(&x->arena, ww_str_c(value))));
    return x;
}

static ww_str redacted(struct ww_exchange *x, const struct ww_mac_key *key, const char *name)
{
    ww_exchange_redact(x, key);
    return ww_fields_get(&x->request_fields, ww_str_c(name));
}

/* The mask of a secret, as text. */
static const char *mask(const char *secret, char out[32])
{
    char mac[WW_MAC_TEXT];

    ww_mac(&key_a, ww_str_c(secret), mac);
    snprintf(out, 32, "mac:%s", mac);
    return out;
}

/* ---- shapes: '{x}' in the wanted text stands for the mask of x */

struct shape_case {
    const char *field;
    const char *value;
    const char *want;
};

static void expand(const char *want, char *out, size_t size)
{
    size_t n = 0;

    for (const char *c = want; *c != '\0';) {
        char secret[512], m[32];
        const char *close = *c == '{' ? strchr(c, '}') : NULL;
        if (close == NULL) {
            out[n++] = *c++;
        } else {
            snprintf(secret, sizeof(secret), "%.*s", (int)(close - c - 1), c + 1);
            n += (size_t)snprintf(out + n, size - n, "%s", mask(secret, m));
            c = close + 1;
        }
        assert_true(n < size);
    }
    out[n] = '\0';
}

static void becomes(void **state)
{
    const struct shape_case *c = *state;
    struct ww_exchange *x = exchange_with(c->field, c->value);
    char want[4096];

    expand(c->want, want, sizeof(want));
    ww_str got = redacted(x, &key_a, c->field);
    assert_non_null(got.ptr);
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.ptr, want, got.len);
    assert_true(
        ww_str_eq(ww_fields_get(&x->request_fields, WW_STR("host")), WW_STR("localhost")));
    ww_exchange_free(x);
}

static void without_a_key_stays(void **state)
{
    const struct shape_case *c = *state;
    struct ww_exchange *x = exchange_with(c->field, c->value);

    assert_true(ww_str_eq(redacted(x, NULL, c->field), ww_str_c(c->value)));
    ww_exchange_free(x);
}

/* ---- secrets */

static bool holds(const struct ww_fields *f, ww_str secret)
{
    for (size_t i = 0; i < f->n; i++)
        if (ww_str_find(f->v[i].name, secret) >= 0 || ww_str_find(f->v[i].value, secret) >= 0)
            return true;
    return false;
}

/* Each of them has the secret somewhere that a careless parser keeps. */
static void no_shape_lets_a_secret_through(void **state)
{
    static const char *const shapes[][2] = {
        { "Cookie", "session=S3CRET" },
        { "cookie", "a=b;session=S3CRET;c=d" },
        { "Cookie", "S3CRET" },
        { "Cookie", ";;S3CRET;;" },
        { "Cookie", "=S3CRET" },
        { "Cookie", "a=\"x;S3CRET\"" },
        { "Cookie", "a=b, c=S3CRET" },
        { "Cookie", "a = = S3CRET" },
        { "Set-Cookie", "session=S3CRET; Path=/" },
        { "Set-Cookie", "S3CRET" },
        { "Set-Cookie", "S3CRET; Path=/" },
        { "Set-Cookie", "=S3CRET; Path=/" },
        { "Set-Cookie", "a=\"x; S3CRET\"; Path=/" },
        { "Set-Cookie", "a=\"x; path=S3CRET\"; Path=/" },
        { "Set-Cookie", "a=1; Path=/, session=S3CRET; Path=/" },
        { "Set-Cookie", "a=1; token=S3CRET" },
        { "SET-COOKIE", ";S3CRET" },
        { "Authorization", "Basic S3CRET" },
        { "Authorization", "S3CRET" },
        { "Authorization", "S3CRET more" },
        { "Authorization", "Digest username=\"a\", response=\"S3CRET\"" },
        { "Authorization", "Bearer\tS3CRET" },
        { "Proxy-Authorization", "Basic S3CRET" },
        { "X-Api-Key", "S3CRET" },
        { "x-auth-token", "two S3CRET" },
        { "X-Access-Token", "S3CRET" },
        { "Mcp-Session-Id", "S3CRET" },
        { "X-Session-ID", "S3CRET" },
        { "Location", "/cart;jsessionid=0A1B2C3D4E5FS3CRET?a=b" },
        { "Referer", "http://h/x?a=b&session_id=0123456789abS3CRET" },
    };

    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        struct ww_exchange *x = exchange_with(shapes[i][0], shapes[i][1]);
        assert_true(ww_fields_add(&x->response_fields, &x->arena, ww_str_c(shapes[i][0]),
                                  ww_str_c(shapes[i][1])));
        assert_true(holds(&x->request_fields, WW_STR("S3CRET")));
        ww_exchange_redact(x, &key_a);
        if (holds(&x->request_fields, WW_STR("S3CRET")) ||
            holds(&x->response_fields, WW_STR("S3CRET")))
            fail_msg("kept: %s: %s", shapes[i][0], shapes[i][1]);
        ww_exchange_free(x);
    }
}

static void a_full_arena_keeps_no_secret(void **state)
{
    struct ww_exchange *x = exchange_with("Cookie", "a=S3CRET; b=S3CRET");

    x->arena.limit = x->arena.used;
    ww_exchange_redact(x, &key_a);
    assert_false(holds(&x->request_fields, WW_STR("S3CRET")));
    assert_null(ww_arena_try(&x->arena, 1 << 20));
    ww_exchange_free(x);
}

/* ---- equality */

static void the_cookie_set_and_the_cookie_sent_are_the_same(void **state)
{
    static const char *const sent[] = { "session=v1", "session=\"v1\"", "  session = v1 ;x=1" };
    static const char *const set[] = { "session=v1; HttpOnly; Path=/",
                                       "session=\"v1\"; Path=/" };
    char m[32];

    mask("v1", m);
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < 2; j++) {
            struct ww_exchange *x = exchange_with("Cookie", sent[i]);
            struct ww_set_cookie c;
            ww_str name, value;
            assert_true(ww_fields_add(&x->response_fields, &x->arena, WW_STR("Set-Cookie"),
                                      ww_str_c(set[j])));
            ww_exchange_redact(x, &key_a);
            ww_str rest = ww_fields_get(&x->request_fields, WW_STR("Cookie"));
            assert_true(ww_cookie_next(&rest, &name, &value));
            assert_true(ww_str_eq(name, WW_STR("session")));
            assert_true(ww_str_eq(value, ww_str_c(m)));
            assert_true(ww_set_cookie_parse(
                ww_fields_get(&x->response_fields, WW_STR("Set-Cookie")), 1700000000, &c));
            assert_true(ww_str_eq(c.value, value));
            ww_exchange_free(x);
        }
    }
}

static void another_key_gives_another_mask(void **state)
{
    struct ww_exchange *x = exchange_with("Cookie", "session=v1");
    struct ww_exchange *y = exchange_with("Cookie", "session=v1");

    assert_false(ww_str_eq(redacted(x, &key_a, "Cookie"), redacted(y, &key_b, "Cookie")));
    ww_exchange_free(x);
    ww_exchange_free(y);
}

static void a_clearing_cookie_still_clears(void **state)
{
    static const char *const clears[] = {
        "session=; Path=/", "session=old; Max-Age=0", "session=old; Max-Age=\"0\"; X",
        "session=old; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
    };

    for (size_t i = 0; i < 4; i++) {
        struct ww_exchange *x = exchange_with("Set-Cookie", clears[i]);
        struct ww_set_cookie before, after;
        assert_true(ww_set_cookie_parse(ww_str_c(clears[i]), 1700000000, &before));
        assert_true(ww_set_cookie_parse(redacted(x, &key_a, "Set-Cookie"), 1700000000, &after));
        assert_int_equal(before.cleared, after.cleared);
        assert_true(i == 2 || after.cleared);
        ww_exchange_free(x);
    }
}

/* ---- payloads */

static void a_payload_stands_under_the_value_as_kept(void **state)
{
    const struct ww_mac_key *keys[] = { &key_a, NULL };

    for (size_t i = 0; i < 2; i++) {
        struct ww_exchange *x = exchange_with("Cookie", "theme=dark; session=" FLASK);
        assert_true(ww_fields_add(&x->response_fields, &x->arena, WW_STR("Set-Cookie"),
                                  WW_STR("session=" FLASK "; HttpOnly")));
        ww_exchange_redact(x, keys[i]);
        assert_int_equal(x->payloads, 2);
        ww_str rest = ww_fields_get(&x->request_fields, WW_STR("Cookie"));
        ww_str name, value;
        assert_true(ww_cookie_next(&rest, &name, &value) &&
                    ww_cookie_next(&rest, &name, &value));
        for (size_t j = 0; j < 2; j++) {
            assert_true(ww_str_eq(x->payload[j].value, value));
            assert_string_equal(x->payload[j].form, "itsdangerous");
            assert_true(ww_str_eq(x->payload[j].json, WW_STR("{\"user\":\"ada\"}")));
        }
        ww_exchange_free(x);
    }
}

/* Two keys, one content, one second: the values differ, their content has one name, and neither
 * tells what it is. */
static void equal_contents_have_one_name(void **state)
{
    static const char content[] = "eyJ1c2VyIjoiYWRhIn0.awOoFw";
    struct ww_mac_key key = { { 7 } };
    struct ww_exchange *x = ww_exchange_new(65536);

    (void)state;
    ww_fields_add(&x->response_fields, &x->arena, WW_STR("Set-Cookie"),
                  ww_arena_printf(&x->arena, "a=%s.AAAAAAAAAAAAAAAAAAAAAAAAAAA", content));
    ww_fields_add(&x->response_fields, &x->arena, WW_STR("Set-Cookie"),
                  ww_arena_printf(&x->arena, "a=%s.BBBBBBBBBBBBBBBBBBBBBBBBBBB", content));
    ww_exchange_redact(x, &key);
    assert_int_equal(x->payloads, 2);
    assert_false(ww_str_eq(x->payload[0].value, x->payload[1].value));
    assert_true(x->payload[0].content.len > 0);
    assert_true(ww_str_eq(x->payload[0].content, x->payload[1].content));
    assert_int_equal(ww_str_find(x->payload[0].content, WW_STR("awOoFw")), -1);
    ww_exchange_free(x);
}

/* A signed token says so in an Authorization field, too: with a key and without. */
static void a_token_of_a_request_is_read(void **state)
{
    const struct ww_mac_key *const key[] = { &key_a, NULL };

    for (size_t i = 0; i < 2; i++) {
        struct ww_exchange *x = exchange_with("Authorization", "Bearer " FLASK);
        ww_str kept = redacted(x, key[i], "Authorization");

        assert_int_equal(x->payloads, 1);
        assert_true(ww_str_ends(kept, x->payload[0].value));
        assert_true(ww_str_eq(x->payload[0].json, WW_STR("{\"user\":\"ada\"}")));
        ww_exchange_free(x);
    }
}

static void many_payloads_are_bounded(void **state)
{
    static char value[64 * 1024];
    size_t n = 0;

    for (unsigned i = 0; i < 500; i++)
        n += (size_t)snprintf(value + n, sizeof(value) - n, "c%u=" FLASK ";", i);
    struct ww_exchange *x = exchange_with("Cookie", value);
    ww_exchange_redact(x, &key_a);
    assert_true(x->payloads > 0 && x->payloads <= 16);
    ww_str rest = ww_fields_get(&x->request_fields, WW_STR("Cookie"));
    ww_str name, one;
    size_t pairs = 0;
    while (ww_cookie_next(&rest, &name, &one))
        pairs += ww_str_starts(one, WW_STR("mac:"));
    assert_int_equal(pairs, 500);
    ww_exchange_free(x);
}

/* ---- targets and bodies */

#define SID "lv_VI97HAXpY6yYWAAAC"
#define JWT "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJl"

static struct ww_exchange *answer_with(const char *type, const char *body)
{
    struct ww_exchange *x = ww_exchange_new(1 << 20);

    ww_fields_add(&x->response_fields, &x->arena, WW_STR("Content-Type"), ww_str_c(type));
    x->response_body = (struct ww_body){ .bytes = ww_arena_dup(&x->arena, ww_str_c(body)),
                                         .size = strlen(body) };
    return x;
}

/* '{x}' in the wanted text stands for the mask of x; '(' and ')' for braces. */
static void body_becomes(const char *type, const char *body, const char *want)
{
    struct ww_exchange *x = answer_with(type, body);
    char text[4096];

    expand(want, text, sizeof text);
    for (char *c = text; *c != '\0'; c++)
        *c = *c == '(' ? '{' : *c == ')' ? '}' : *c;
    ww_exchange_redact(x, &key_a);
    if (!ww_str_eq(x->response_body.bytes, ww_str_c(text)))
        fail_msg(WW_STRF ", not %s", WW_STRV(x->response_body.bytes), text);
    assert_int_equal(x->response_body.size, x->response_body.bytes.len);
    ww_exchange_free(x);
}

static void bodies_keep_no_id_and_all_else(void **state)
{
    body_becomes("application/json", "{\"access_token\": \"" JWT "\", \"id\": 7}",
                 "(\"access_token\": \"{" JWT "}\", \"id\": 7)");
    body_becomes("application/json", "{\"next\":\"/a?session_id=" SID "\"}",
                 "(\"next\":\"/a?session_id={" SID "}\")");
    body_becomes("application/problem+json; charset=utf-8", "{\"token\":\"short\"}",
                 "(\"token\":\"short\")");
    body_becomes("text/plain; charset=UTF-8", "0{\"sid\":\"" SID "\",\"pingTimeout\":1}",
                 "0(\"sid\":\"{" SID "}\",\"pingTimeout\":1)");
    body_becomes("text/event-stream", "event: endpoint\ndata: /m?session_id=" SID "\n\n",
                 "event: endpoint\ndata: /m?session_id={" SID "}\n\n");
    body_becomes("text/html", "<a href=/x;jsessionid=" SID ">?sid=3",
                 "<a href=/x;jsessionid={" SID "}>?sid=3");
    body_becomes("application/x-www-form-urlencoded", "refresh_token=" SID "&a=b",
                 "refresh_token={" SID "}&a=b");
    body_becomes("application/json", "{\"token\":\"ab\\/cdefghijklmn0pq\"}",
                 "(\"token\":\"{ab/cdefghijklmn0pq}\")");
    body_becomes("image/png", "{\"access_token\": \"" JWT "\"}",
                 "(\"access_token\": \"" JWT "\")");
}

static void the_target_and_the_answer_have_one_mask(void **state)
{
    struct ww_exchange *x = answer_with("text/plain", "0{\"sid\":\"" SID "\"}");
    char m[32], want[128];

    x->target = WW_STR("/socket.io/?EIO=4&sid=" SID "&t=x");
    mask(SID, m);
    ww_exchange_redact(x, &key_a);
    snprintf(want, sizeof want, "/socket.io/?EIO=4&sid=%s&t=x", m);
    assert_true(ww_str_eq(x->target, ww_str_c(want)));
    assert_true(ww_str_find(x->response_body.bytes, ww_str_c(m)) > 0);
    ww_exchange_free(x);
}

static void a_body_that_was_cut_is_still_cut(void **state)
{
    struct ww_exchange *x = answer_with("application/json", "{\"jwt\":\"abcdefghij");

    x->response_body.size += 100;
    ww_exchange_redact(x, &key_a);
    assert_int_equal(x->response_body.size, x->response_body.bytes.len + 100);
    assert_int_equal(ww_str_find(x->response_body.bytes, WW_STR("abcdefghij")), -1);
    ww_exchange_free(x);
}

/* printf '{"token":"0123456789abcdefghij"}' | gzip -n */
static void a_packed_answer_is_unpacked_to_hide_its_token(void **state)
{
    static const unsigned char gz[] = { 0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02,
                                        0x03, 0xab, 0x56, 0x2a, 0xc9, 0xcf, 0x4e, 0xcd, 0x53,
                                        0xb2, 0x52, 0x32, 0x30, 0x34, 0x32, 0x36, 0x31, 0x35,
                                        0x33, 0xb7, 0xb0, 0x4c, 0x4c, 0x4a, 0x4e, 0x49, 0x4d,
                                        0x4b, 0xcf, 0xc8, 0xcc, 0x52, 0xaa, 0x05, 0x00, 0x9f,
                                        0x73, 0x2e, 0x84, 0x20, 0x00, 0x00, 0x00 };
    struct ww_exchange *x = answer_with("application/json", "");
    char m[32];

    mask("0123456789abcdefghij", m);
    ww_fields_add(&x->response_fields, &x->arena, WW_STR("Content-Encoding"), WW_STR("gzip"));
    x->response_body = (struct ww_body){ ww_str_n((const char *)gz, sizeof gz), sizeof gz };
    ww_exchange_redact(x, &key_a);
    assert_true(ww_str_find(x->response_body.bytes, ww_str_c(m)) > 0);
    assert_int_equal(x->response_body.size, x->response_body.bytes.len);
    assert_true(ww_str_eq(ww_fields_get(&x->response_fields, WW_STR("content-encoding")),
                          WW_STR("identity")));
    ww_exchange_free(x);
}

/* The same token in the answer that gives it out and in the request that carries it. */
static void a_token_is_read_where_it_is_given_and_where_it_is_used(void **state)
{
    const struct ww_mac_key *keys[] = { &key_a, NULL };

    for (size_t i = 0; i < 2; i++) {
        struct ww_exchange *x = answer_with("application/json", "{\"jwt\":\"" JWT "\"}");
        ww_fields_add(&x->request_fields, &x->arena, WW_STR("Authorization"),
                      WW_STR("Bearer " JWT));
        ww_exchange_redact(x, keys[i]);
        assert_int_equal(x->payloads, 2);
        assert_true(ww_str_eq(x->payload[0].value, x->payload[1].value));
        assert_true(ww_str_eq(x->payload[0].json, WW_STR("{\"sub\":\"ada\"}")));
        ww_str sent = ww_fields_get(&x->request_fields, WW_STR("authorization"));
        assert_true(ww_str_eq(ww_str_from(sent, 7), x->payload[0].value));
        assert_true(ww_str_find(x->response_body.bytes, x->payload[0].value) > 0);
        ww_exchange_free(x);
    }
}

/* gzip -n of the answer above: it is unpacked only for a look, and what is read in it stays. */
static void a_packed_token_outlives_its_unpacking(void **state)
{
    static const unsigned char gz[] = {
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xab, 0x56, 0xca, 0x2a,
        0x2f, 0x51, 0xb2, 0x52, 0x4a, 0xad, 0xf4, 0xca, 0x48, 0x72, 0x4f, 0xce, 0xf4, 0xcf,
        0xf4, 0xf2, 0x0c, 0xad, 0xf2, 0x34, 0xf4, 0xcb, 0xf4, 0xb2, 0xd4, 0x03, 0x0a, 0x56,
        0xa5, 0x84, 0x7b, 0x82, 0x04, 0x33, 0xa2, 0xdc, 0x5d, 0x33, 0xd3, 0x02, 0xf5, 0x92,
        0x8d, 0x72, 0xf2, 0x92, 0x72, 0xdd, 0x0c, 0x52, 0x22, 0xbc, 0x72, 0x70, 0xb1, 0x95,
        0x6a, 0x01, 0x63, 0xdc, 0x9c, 0x89, 0x56, 0x00, 0x00, 0x00
    };
    struct ww_exchange *x = answer_with("application/json", "");

    ww_fields_add(&x->response_fields, &x->arena, WW_STR("Content-Encoding"), WW_STR("gzip"));
    x->response_body = (struct ww_body){ ww_str_n((const char *)gz, sizeof gz), sizeof gz };
    ww_exchange_redact(x, NULL);
    assert_int_equal(x->payloads, 1);
    assert_true(ww_str_eq(x->payload[0].value, WW_STR(JWT)));
    assert_int_equal(x->response_body.size, sizeof gz);
    ww_exchange_free(x);
}

#define SHAPE(field_, value_, want_)                                                           \
    {                                                                                          \
        .name = field_ ": " value_, .test_func = becomes,                                      \
        .initial_state = &(struct shape_case)                                                  \
        {                                                                                      \
            field_, value_, want_                                                              \
        }                                                                                      \
    }
#define STAYS(field_, value_)                                                                  \
    {                                                                                          \
        .name = "kept: " field_ ": " value_, .test_func = without_a_key_stays,                 \
        .initial_state = &(struct shape_case)                                                  \
        {                                                                                      \
            field_, value_, NULL                                                               \
        }                                                                                      \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHAPE("Cookie", "session=abc; theme=dark", "session={abc}; theme={dark}"),
        SHAPE("cookie", "session=abc;theme=dark", "session={abc}; theme={dark}"),
        SHAPE("Cookie", " session = abc ", "session={abc}"),
        SHAPE("Cookie", "a=b=c==", "a={b=c==}"),
        SHAPE("Cookie", "a=\"q\"", "a={q}"),
        SHAPE("Cookie", "a=\"", "a={\"}"),
        SHAPE("Cookie", "a=; b=\"\"; c=1", "a=; b=; c={1}"),
        SHAPE("Cookie", "odd; a=1; also odd", "{odd}; a={1}; {also odd}"),
        SHAPE("Cookie", "=x", "{=x}"),
        SHAPE("Cookie", ";", ""),
        SHAPE("Cookie", "x", "{x}"),
        SHAPE("Set-Cookie", "session=abc", "session={abc}"),
        SHAPE("Set-Cookie", "session=abc; HttpOnly; Path=/; SameSite=Lax",
              "session={abc}; HttpOnly; Path=/; SameSite=Lax"),
        SHAPE("Set-Cookie", "s=\"abc\";path=/;EXPIRES=Wed, 09 Jun 2100 10:18:14 GMT",
              "s={abc}; path=/; EXPIRES=Wed, 09 Jun 2100 10:18:14 GMT"),
        SHAPE("Set-Cookie", "s=; Max-Age=0", "s=; Max-Age=0"),
        SHAPE("Set-Cookie", "s=1; strange; Secure", "s={1}; {strange}; Secure"),
        SHAPE("Set-Cookie", "no pair; Path=/", "{no pair; Path=/}"),
        SHAPE("Authorization", "Basic dXNlcjpw", "Basic {dXNlcjpw}"),
        SHAPE("authorization", "bearer   a.b.c ", "bearer {a.b.c}"),
        SHAPE("Authorization", "dXNlcjpw", "{dXNlcjpw}"),
        SHAPE("Authorization", "Own thing", "{Own thing}"),
        SHAPE("Authorization", "Basic", "{Basic}"),
        SHAPE("Authorization", "", ""),
        SHAPE("Proxy-Authorization", "Basic eDp5", "Basic {eDp5}"),
        SHAPE("X-API-Key", "k 1", "{k 1}"),
        SHAPE("X-Auth-Token", "t", "{t}"),
        SHAPE("X-Session-Id", "abc", "{abc}"),
        SHAPE("X-Session-Timeout", "30", "30"),
        SHAPE("Referer", "/a?sid=3&b=c", "/a?sid=3&b=c"),
        SHAPE("X-Other", "session=abc", "session=abc"),
        STAYS("Cookie", "session=abc; odd"),
        STAYS("Set-Cookie", "session=abc; odd"),
        STAYS("Authorization", "Basic dXNlcjpw"),
        STAYS("X-Api-Key", "k"),
        cmocka_unit_test(no_shape_lets_a_secret_through),
        cmocka_unit_test(a_full_arena_keeps_no_secret),
        cmocka_unit_test(the_cookie_set_and_the_cookie_sent_are_the_same),
        cmocka_unit_test(another_key_gives_another_mask),
        cmocka_unit_test(a_clearing_cookie_still_clears),
        cmocka_unit_test(a_payload_stands_under_the_value_as_kept),
        cmocka_unit_test(equal_contents_have_one_name),
        cmocka_unit_test(a_token_of_a_request_is_read),
        cmocka_unit_test(many_payloads_are_bounded),
        cmocka_unit_test(bodies_keep_no_id_and_all_else),
        cmocka_unit_test(the_target_and_the_answer_have_one_mask),
        cmocka_unit_test(a_body_that_was_cut_is_still_cut),
        cmocka_unit_test(a_packed_answer_is_unpacked_to_hide_its_token),
        cmocka_unit_test(a_packed_token_outlives_its_unpacking),
        cmocka_unit_test(a_token_is_read_where_it_is_given_and_where_it_is_used),
    };
    return cmocka_run_group_tests_name("redact", tests, NULL, NULL);
}

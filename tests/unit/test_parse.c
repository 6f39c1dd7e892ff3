/* Heads and bodies: what is refused, what is accepted, and where a message ends. */
#include "check.h"

#include <whichworker/arena.h>
#include <whichworker/http.h>

#include <stdlib.h>

#define LIT(s) ((ww_str){ .ptr = (s), .len = sizeof(s) - 1 })
#define LITB(s)                                                                                \
    {                                                                                          \
        .ptr = (s), .len = sizeof(s) - 1                                                       \
    } /* the same as an initialiser */

struct head_case {
    ww_str bytes;
    bool is_response;
    bool no_body;
    enum ww_parse want;
    enum ww_framing framing;
    uint64_t length;
    bool keep_alive;
};

/* Parses a copy that ends where the heap block does, so that a look beyond is seen. */
static enum ww_parse parse(const struct head_case *c, struct ww_arena *a, struct ww_head *h)
{
    struct ww_http *p = ww_http_new(c->is_response, 64);
    ww_str bytes = ww_str_n(ww_xmalloc(c->bytes.len), c->bytes.len);

    memcpy((char *)(uintptr_t)bytes.ptr, c->bytes.ptr, c->bytes.len);

    enum ww_parse got = ww_http_head(p, bytes, c->no_body, a, h);

    if (got == WW_PARSE_BAD)
        assert_true(ww_http_why(p)[0] != '\0');
    free((char *)(uintptr_t)bytes.ptr);
    ww_http_free(p);
    return got;
}

static void head_is_read_so(void **state)
{
    const struct head_case *c = *state;
    struct ww_head h = { .status = 4711 };
    struct ww_arena a;

    ww_arena_init(&a, 65536);
    assert_int_equal(parse(c, &a, &h), c->want);
    if (c->want == WW_PARSE_BAD) {
        assert_int_equal(h.status, 4711); /* written only on success */
    } else {
        assert_int_equal(h.framing, c->framing);
        assert_int_equal(h.content_length, c->length);
        assert_int_equal(h.keep_alive, c->keep_alive);
    }
    ww_arena_release(&a);
}

/* clang-format off */
#define ROW(name_, ...) { .name = name_, .test_func = head_is_read_so, \
                          .initial_state = &(struct head_case){ __VA_ARGS__ } }
#define REFUSED(name_, text_) ROW("refused: " name_, .bytes = LITB(text_), .want = WW_PARSE_BAD)
#define BAD_FIELDS(name_, text_) REFUSED(name_, "POST /a HTTP/1.1\r\nHost: x\r\n" text_ "\r\n\r\n")
#define BAD_ANSWER(name_, text_) ROW("refused answer: " name_, .bytes = LITB(text_), .is_response = true, \
                                     .want = WW_PARSE_BAD)
#define TAKEN(name_, text_, framing_, length_, keep_alive_)                                        \
    ROW("taken: " name_, .bytes = LITB(text_), .framing = framing_, .length = length_,              \
        .want = (framing_) == WW_BODY_NONE ? WW_PARSE_DONE : WW_PARSE_MORE, .keep_alive = keep_alive_)
#define ANSWER(name_, text_, no_body_, framing_, length_, keep_alive_)                             \
    ROW("answer: " name_, .bytes = LITB(text_), .is_response = true, .no_body = no_body_,           \
        .framing = framing_, .length = length_, .keep_alive = keep_alive_,                         \
        .want = (framing_) == WW_BODY_NONE ? WW_PARSE_DONE : WW_PARSE_MORE)

static const struct CMUnitTest heads[] = {
    REFUSED("a bare LF behind the request line", "GET / HTTP/1.1\nHost: x\r\n\r\n"),
    REFUSED("a bare LF behind a field", "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n"),
    REFUSED("bare LFs only", "GET / HTTP/1.1\nHost: x\n\n"),
    REFUSED("an empty line of a bare LF", "GET / HTTP/1.1\r\nHost: x\r\n\n"),
    REFUSED("a bare CR in the request line", "GET /\r HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("a bare CR as line end", "GET / HTTP/1.1\rHost: x\r\n\r\n"),
    REFUSED("two CRs before the LF", "GET / HTTP/1.1\r\r\nHost: x\r\n\r\n"),
    REFUSED("a NUL in the target", "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("a tab in the target", "GET /\ta HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("a tab for a space", "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("two spaces behind the method", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("two spaces behind the target", "GET /  HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("a space behind the version", "GET / HTTP/1.1 \r\nHost: x\r\n\r\n"),
    REFUSED("a space before the method", " GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("no version", "GET /\r\nHost: x\r\n\r\n"),
    REFUSED("no target", "GET HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("lower-case http", "GET / http/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("HTTP/2.0", "GET / HTTP/2.0\r\nHost: x\r\n\r\n"),
    REFUSED("HTTP/1.2", "GET / HTTP/1.2\r\nHost: x\r\n\r\n"),
    REFUSED("HTTP/0.9", "GET / HTTP/0.9\r\nHost: x\r\n\r\n"),
    REFUSED("HTTP/1.10", "GET / HTTP/1.10\r\nHost: x\r\n\r\n"),
    TAKEN("a method that nobody knows", "FOO / HTTP/1.1\r\nHost: x\r\n\r\n", WW_BODY_NONE, 0, true),
    TAKEN("a lower-case method", "get / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n", WW_BODY_LENGTH, 3, true),
    REFUSED("a method that is no token", "GE(T / HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("an empty line first", "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("bytes behind the empty line", "GET / HTTP/1.1\r\nHost: x\r\n\r\nA"),
    REFUSED("no empty line", "GET / HTTP/1.1\r\nHost: x\r\n"),
    REFUSED("nothing", ""),
    REFUSED("no Host", "GET / HTTP/1.1\r\n\r\n"),
    REFUSED("a target without a host", "GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("credentials in the target", "GET http://u@x/a HTTP/1.1\r\nHost: x\r\n\r\n"),
    REFUSED("TE in HTTP/1.0", "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"),
    REFUSED("Host with a path", "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n"),
    REFUSED("Host with a comma", "GET / HTTP/1.1\r\nHost: x, y\r\n\r\n"),
    REFUSED("Host with credentials", "GET / HTTP/1.1\r\nHost: u@x\r\n\r\n"),
    BAD_FIELDS("two Hosts", "Host: x"),
    BAD_FIELDS("two Hosts, other case", "hOST: y"),
    BAD_FIELDS("a NUL in a value", "A: b\0c"),
    BAD_FIELDS("a bare CR in a value", "A: b\rc"),
    BAD_FIELDS("a DEL in a value", "A: b\x7f"),
    BAD_FIELDS("an escape character in a value", "A: \x1b[0m"),
    BAD_FIELDS("a folded field", "A: b\r\n c"),
    BAD_FIELDS("a field folded with a tab", "A: b\r\n\tc"),
    BAD_FIELDS("a folded first field", " A: b"),
    BAD_FIELDS("a space before the colon", "A : b"),
    BAD_FIELDS("a tab before the colon", "A\t: b"),
    BAD_FIELDS("a space in a name", "A B: c"),
    BAD_FIELDS("an empty name", ": b"),
    BAD_FIELDS("no colon", "Ab"),
    BAD_FIELDS("a name that is not ASCII", "\xc3\xa4: b"),
    BAD_FIELDS("CL and TE", "Content-Length: 4\r\nTransfer-Encoding: chunked"),
    BAD_FIELDS("TE and CL", "Transfer-Encoding: chunked\r\nContent-Length: 4"),
    BAD_FIELDS("two equal CLs", "Content-Length: 4\r\nContent-Length: 4"),
    BAD_FIELDS("two differing CLs", "Content-Length: 4\r\nContent-Length: 5"),
    BAD_FIELDS("CL as a list", "Content-Length: 4, 4"),
    BAD_FIELDS("CL +5", "Content-Length: +5"),
    BAD_FIELDS("CL 5 5", "Content-Length: 5 5"),
    BAD_FIELDS("CL 0x5", "Content-Length: 0x5"),
    BAD_FIELDS("CL -1", "Content-Length: -1"),
    BAD_FIELDS("CL 5.0", "Content-Length: 5.0"),
    BAD_FIELDS("CL without a digit", "Content-Length: "),
    BAD_FIELDS("CL 2^64", "Content-Length: 18446744073709551616"),
    BAD_FIELDS("CL 2^64 + 5", "Content-Length: 18446744073709551621"),
    BAD_FIELDS("TE xchunked", "Transfer-Encoding: xchunked"),
    BAD_FIELDS("TE chunked, chunked", "Transfer-Encoding: chunked, chunked"),
    BAD_FIELDS("TE ,chunked", "Transfer-Encoding: ,chunked"),
    BAD_FIELDS("TE chunked,", "Transfer-Encoding: chunked,"),
    BAD_FIELDS("TE identity", "Transfer-Encoding:  identity"),
    BAD_FIELDS("TE gzip, chunked", "Transfer-Encoding: gzip, chunked"),
    BAD_FIELDS("TE chunked, identity", "Transfer-Encoding: chunked, identity"),
    BAD_FIELDS("TE with a parameter", "Transfer-Encoding: chunked;q=1"),
    BAD_FIELDS("TE in quotes", "Transfer-Encoding: \"chunked\""),
    BAD_FIELDS("TE with a vertical tab", "Transfer-Encoding: \vchunked"),
    BAD_FIELDS("CL before a tab, which llhttp does not skip", "Content-Length: 5\t"),
    BAD_FIELDS("an empty TE", "Transfer-Encoding: "),
    BAD_FIELDS("TE twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
    BAD_FIELDS("TE twice, one of them identity", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked"),

    BAD_ANSWER("status 99", "HTTP/1.1 099 X\r\n\r\n"),
    BAD_ANSWER("status of two digits", "HTTP/1.1 99 X\r\n\r\n"),
    BAD_ANSWER("status 600", "HTTP/1.1 600 X\r\n\r\n"),
    BAD_ANSWER("status abc", "HTTP/1.1 abc X\r\n\r\n"),
    BAD_ANSWER("status of four digits", "HTTP/1.1 2000 X\r\n\r\n"),
    BAD_ANSWER("two spaces", "HTTP/1.1  200 X\r\n\r\n"),
    BAD_ANSWER("no status", "HTTP/1.1\r\n\r\n"),
    BAD_ANSWER("a request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    BAD_ANSWER("HTTP/2", "HTTP/2 200 OK\r\n\r\n"),
    BAD_ANSWER("lower-case http", "http/1.1 200 OK\r\n\r\n"),
    BAD_ANSWER("CL and TE", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"),
    BAD_ANSWER("two CLs", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\n"),
    BAD_ANSWER("a TE that is not chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"),
    BAD_ANSWER("TE in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    BAD_ANSWER("a bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"),
    BAD_ANSWER("a NUL in the reason", "HTTP/1.1 200 O\0K\r\n\r\n"),
    BAD_ANSWER("a folded field", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"),
    BAD_ANSWER("a space before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\n"),

    TAKEN("a plain GET", "GET /a?b#c HTTP/1.1\r\nHost: x\r\n\r\n", WW_BODY_NONE, 0, true),
    TAKEN("an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", WW_BODY_NONE, 0, true),
    TAKEN("a Host that is an IPv6 address", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", WW_BODY_NONE, 0, true),
    TAKEN("absolute form", "GET http://x:1/a HTTP/1.1\r\nHost: x\r\n\r\n", WW_BODY_NONE, 0, true),
    TAKEN("asterisk form", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", WW_BODY_NONE, 0, true),
    TAKEN("authority form", "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", WW_BODY_NONE, 0, true),
    TAKEN("PATCH", "PATCH / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n", WW_BODY_LENGTH, 1, true),
    TAKEN("a length of 0", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", WW_BODY_NONE, 0, true),
    TAKEN("a length with zeros in front", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0005\r\n\r\n", WW_BODY_LENGTH, 5, true),
    TAKEN("spaces around a length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length:   5  \r\n\r\n", WW_BODY_LENGTH, 5, true),
    TAKEN("the longest length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999999999999\r\n\r\n", WW_BODY_LENGTH, 9999999999999999999u, true),
    TAKEN("a POST without a body", "POST / HTTP/1.1\r\nHost: x\r\n\r\n", WW_BODY_NONE, 0, true),
    TAKEN("chunks", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", WW_BODY_CHUNKED, 0, true),
    TAKEN("Chunks", "POST / HTTP/1.1\r\nHost: x\r\ntransfer-encoding: CHUNKED \r\n\r\n", WW_BODY_CHUNKED, 0, true),
    TAKEN("an upgrade without a body", "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", WW_BODY_NONE, 0, true),
    TAKEN("an upgrade with a body", "POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\n", WW_BODY_LENGTH, 1, true),
    TAKEN("close", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", WW_BODY_NONE, 0, false),
    TAKEN("Close in a list", "GET / HTTP/1.1\r\nHost: x\r\nConnection: a\r\nConnection: b, Close\r\n\r\n", WW_BODY_NONE, 0, false),
    TAKEN("keep-alive and close", "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, close\r\n\r\n", WW_BODY_NONE, 0, false),
    TAKEN("HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", WW_BODY_NONE, 0, false),
    TAKEN("HTTP/1.0 with keep-alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", WW_BODY_NONE, 0, true),
    TAKEN("HTTP/1.0 with keep-alive and close", "GET / HTTP/1.0\r\nConnection: close, keep-alive\r\n\r\n", WW_BODY_NONE, 0, false),
    TAKEN("bytes beyond ASCII in a value", "GET / HTTP/1.1\r\nHost: x\r\nA: \xc3\xa4\tb\r\n\r\n", WW_BODY_NONE, 0, true),

    ANSWER("with a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, WW_BODY_LENGTH, 5, true),
    ANSWER("with a length of 0", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, WW_BODY_NONE, 0, true),
    ANSWER("in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, WW_BODY_CHUNKED, 0, true),
    ANSWER("until close", "HTTP/1.1 200 OK\r\n\r\n", false, WW_BODY_UNTIL_CLOSE, 0, true),
    ANSWER("until close, HTTP/1.0", "HTTP/1.0 200 OK\r\nA: b\r\n\r\n", false, WW_BODY_UNTIL_CLOSE, 0, false),
    ANSWER("without a reason", "HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n", false, WW_BODY_LENGTH, 5, true),
    ANSWER("without a space behind the status", "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n", false, WW_BODY_LENGTH, 5, true),
    ANSWER("to HEAD with a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, WW_BODY_NONE, 5, true),
    ANSWER("to HEAD in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, WW_BODY_NONE, 0, true),
    ANSWER("to HEAD without a length", "HTTP/1.1 200 OK\r\n\r\n", true, WW_BODY_NONE, 0, true),
    ANSWER("100", "HTTP/1.1 100 Continue\r\n\r\n", false, WW_BODY_NONE, 0, true),
    ANSWER("103 with a length", "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n", false, WW_BODY_NONE, 5, true),
    ANSWER("204", "HTTP/1.1 204 No Content\r\n\r\n", false, WW_BODY_NONE, 0, true),
    ANSWER("204 with a length", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", false, WW_BODY_NONE, 5, true),
    ANSWER("204 in chunks", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", false, WW_BODY_NONE, 0, true),
    ANSWER("304", "HTTP/1.1 304 Not Modified\r\n\r\n", false, WW_BODY_NONE, 0, true),
    ANSWER("304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, WW_BODY_NONE, 5, true),
    ANSWER("599 and close", "HTTP/1.1 599 X Y\r\nConnection: close\r\nContent-Length: 5\r\n\r\n", false, WW_BODY_LENGTH, 5, false),
};
/* clang-format on */

static void parts_are_slices_of_the_bytes(void **state)
{
    ww_str bytes = LIT("PUT /a?b HTTP/1.0\r\nA:  x y \r\nb:\r\nA: 2\r\n\r\n");
    struct ww_http *p = ww_http_new(false, 64);
    struct ww_head h;
    struct ww_arena a;

    (void)state;
    ww_arena_init(&a, 65536);
    assert_int_equal(ww_http_head(p, bytes, false, &a, &h), WW_PARSE_DONE);
    assert_slice(h.method, "PUT");
    assert_slice(h.target, "/a?b");
    assert_int_equal(h.minor, 0);
    assert_int_equal(h.fields.n, 3);
    assert_slice(h.fields.v[0].value, "x y");
    assert_slice(h.fields.v[1].name, "b");
    assert_slice(h.fields.v[1].value, "");
    assert_slice(h.fields.v[2].value, "2");
    assert_ptr_equal(h.target.ptr, bytes.ptr + 4);
    ww_arena_release(&a);
    ww_http_free(p);
}

static void too_many_fields_are_said(void **state)
{
    struct ww_http *p = ww_http_new(false, 64);
    struct ww_buf text;
    struct ww_head h;
    struct ww_arena a;

    (void)state;
    ww_buf_init(&text, 1u << 20);
    ww_buf_add(&text, LIT("GET / HTTP/1.1\r\nHost: x\r\n"));
    for (int i = 0; i < 1000; i++)
        ww_buf_add(&text, LIT("A: b\r\n"));
    ww_buf_add(&text, LIT("\r\n"));
    ww_arena_init(&a, 4096);
    assert_int_equal(ww_http_head(p, ww_buf_str(&text), false, &a, &h), WW_PARSE_TOO_MANY);
    ww_arena_release(&a);
    ww_arena_init(&a, 1u << 20);
    assert_int_equal(ww_http_head(p, ww_buf_str(&text), false, &a, &h), WW_PARSE_DONE);
    assert_int_equal(h.fields.n, 1001);
    ww_arena_release(&a);
    ww_buf_release(&text);
    ww_http_free(p);
}

static void take_data(void *ctx, ww_str data)
{
    assert_true(ww_buf_add(ctx, data));
}

struct body_case {
    ww_str bytes; /* behind the head */
    enum ww_parse want;
    size_t used;
    const char *body;
};

/* Feeds the body in the pieces that step cuts it into; says how much belonged to it. */
static enum ww_parse feed(struct ww_http *p, ww_str bytes, size_t first, size_t step,
                          struct ww_buf *out, size_t *out_used)
{
    enum ww_parse got = WW_PARSE_MORE;
    size_t at = 0;

    for (size_t n = first; got == WW_PARSE_MORE && at < bytes.len; n = step) {
        ww_str piece = ww_str_upto(ww_str_from(bytes, at), n);
        size_t used = 0;

        got = ww_http_body(p, piece, take_data, out, &used);
        if (got == WW_PARSE_MORE)
            assert_int_equal(used, piece.len);
        at += used;
    }
    *out_used = at;
    return got;
}

static void check_body(const struct body_case *c, ww_str head, size_t first, size_t step)
{
    struct ww_http *p = ww_http_new(false, 64);
    struct ww_buf out;
    struct ww_head h;
    struct ww_arena a;
    size_t used = 0;

    ww_arena_init(&a, 65536);
    ww_buf_init(&out, 65536);
    assert_int_equal(ww_http_head(p, head, false, &a, &h), WW_PARSE_MORE);
    assert_int_equal(feed(p, c->bytes, first, step, &out, &used), c->want);
    if (c->want != WW_PARSE_BAD) {
        assert_int_equal(used, c->used);
        assert_int_equal(out.len, strlen(c->body));
        assert_memory_equal(out.ptr, c->body, out.len);
    }
    assert_false(ww_http_finish(p)); /* neither a length nor chunks end with the connection */
    ww_buf_release(&out);
    ww_arena_release(&a);
    ww_http_free(p);
}

static void chunks_are_read_so(void **state)
{
    const struct body_case *c = *state;
    ww_str head = LIT("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");

    check_body(c, head, 1, 1);
    for (size_t first = 1; first <= c->bytes.len; first++)
        check_body(c, head, first, c->bytes.len);
}

static void a_length_is_read_so(void **state)
{
    const struct body_case *c = *state;
    ww_str head = LIT("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n");

    check_body(c, head, 1, 1);
    for (size_t first = 1; first <= c->bytes.len; first++)
        check_body(c, head, first, c->bytes.len);
}

#define SIXTY "123456789012345678901234567890123456789012345678901234567890"

/* clang-format off */
#define BODY(func_, name_, ...) { .name = name_, .test_func = func_, \
                                  .initial_state = &(struct body_case){ __VA_ARGS__ } }
#define CHUNKS(name_, text_, body_) BODY(chunks_are_read_so, "chunks: " name_, LITB(text_), WW_PARSE_DONE, sizeof(text_) - 1, body_)
#define BAD_CHUNKS(name_, text_) BODY(chunks_are_read_so, "refused chunks: " name_, LITB(text_), WW_PARSE_BAD, 0, NULL)

static const struct CMUnitTest bodies[] = {
    CHUNKS("one", "3\r\nabc\r\n0\r\n\r\n", "abc"),
    CHUNKS("several", "3\r\nabc\r\n1\r\nd\r\n0A\r\n0123456789\r\n0\r\n\r\n", "abcd0123456789"),
    CHUNKS("none", "0\r\n\r\n", ""),
    CHUNKS("hexadecimal digits in either case", "a\r\n0123456789\r\nA\r\n0123456789\r\n000\r\n\r\n", "01234567890123456789"),
    CHUNKS("with an extension", "3;a\r\nabc\r\n0\r\n\r\n", "abc"),
    CHUNKS("with an extension that has a value", "3;a=b\r\nabc\r\n0\r\n\r\n", "abc"),
    CHUNKS("with an extension at the last one", "3\r\nabc\r\n0;e\r\n\r\n", "abc"),
    CHUNKS("with a quoted extension", "3;a=\"b\"\r\nabc\r\n0\r\n\r\n", "abc"),
    CHUNKS("with trailers", "3\r\nabc\r\n0\r\nA: b\r\nC: d\r\n\r\n", "abc"),
    CHUNKS("whose data look like chunks", "7\r\n0\r\n\r\nab\r\n0\r\n\r\n", "0\r\n\r\nab"),
    BODY(chunks_are_read_so, "chunks: what follows is the next message's", LITB("1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n"), WW_PARSE_DONE, 11, "a"),
    BODY(chunks_are_read_so, "chunks: what follows trailers is the next message's", LITB("0\r\nA: b\r\n\r\n0\r\n\r\n"), WW_PARSE_DONE, 11, ""),
    BODY(chunks_are_read_so, "chunks: without the last one there is more to come", LITB("3\r\nabc\r\n"), WW_PARSE_MORE, 8, "abc"),
    BAD_CHUNKS("no size", "\r\nabc\r\n0\r\n\r\n"),
    BAD_CHUNKS("a size that is none", "xyz\r\nabc\r\n0\r\n\r\n"),
    BAD_CHUNKS("a sign", "+3\r\nabc\r\n0\r\n\r\n"),
    BAD_CHUNKS("0x", "0x3\r\nabc\r\n0\r\n\r\n"),
    BAD_CHUNKS("a size beyond 2^64", "10000000000000000\r\na\r\n0\r\n\r\n"),
    BAD_CHUNKS("a size far beyond 2^64", "fffffffffffffffff\r\na\r\n0\r\n\r\n"),
    BAD_CHUNKS("a space before the size", " 3\r\nabc\r\n0\r\n\r\n"),
    BAD_CHUNKS("a bare LF behind the size", "3\nabc\r\n0\r\n\r\n"),
    BAD_CHUNKS("a bare LF behind the data", "3\r\nabc\n0\r\n\r\n"),
    BAD_CHUNKS("data longer than the size", "3\r\nabcd\r\n0\r\n\r\n"),
    BAD_CHUNKS("data shorter than the size", "3\r\nab\r\n0\r\n\r\n"),
    BAD_CHUNKS("a bare LF behind the last size", "0\n\r\n"),
    BAD_CHUNKS("a bare LF at the end", "0\r\n\n"),
    BAD_CHUNKS("a bare LF behind a trailer", "0\r\nA: b\n\r\n"),
    BAD_CHUNKS("a bare CR in a trailer", "0\r\nA: b\rC: d\r\n\r\n"),
    BAD_CHUNKS("a folded trailer", "0\r\nA: b\r\n c\r\n\r\n"),
    BAD_CHUNKS("a trailer without a colon", "0\r\nA b\r\n\r\n"),
    BAD_CHUNKS("a space behind the size", "3 \r\nabc\r\n0\r\n\r\n"),
    BAD_CHUNKS("a space before an extension", "3 ;a\r\nabc\r\n0\r\n\r\n"),
    BAD_CHUNKS("a NUL in an extension", "3;a\0b\r\nabc\r\n0\r\n\r\n"),
    BAD_CHUNKS("an extension that is too long", "3;" SIXTY "abcdefgh\r\nabc\r\n0\r\n\r\n"),
    BAD_CHUNKS("trailers that are too long", "0\r\nA: " SIXTY "\r\nB: c\r\n\r\n"),
    CHUNKS("extensions that the data pay for", "3;" SIXTY "\r\nabc\r\n3c;" SIXTY "\r\n" SIXTY "\r\n0\r\n\r\n", "abc" SIXTY),
    BAD_CHUNKS("a bare LF in an extension", "3;a\nb\r\nabc\r\n0\r\n\r\n"),
    BODY(a_length_is_read_so, "a length: all of it", LITB("abcde"), WW_PARSE_DONE, 5, "abcde"),
    BODY(a_length_is_read_so, "a length: what follows is the next message's", LITB("abcdeGET"), WW_PARSE_DONE, 5, "abcde"),
    BODY(a_length_is_read_so, "a length: there is more to come", LITB("abcd"), WW_PARSE_MORE, 4, "abcd"),
};
/* clang-format on */

static void a_body_until_close_ends_with_the_connection(void **state)
{
    struct ww_http *p = ww_http_new(true, 64);
    struct ww_buf out;
    struct ww_head h;
    struct ww_arena a;
    size_t used = 0;

    (void)state;
    ww_arena_init(&a, 65536);
    ww_buf_init(&out, 65536);
    assert_int_equal(ww_http_head(p, LIT("HTTP/1.1 200 OK\r\n\r\n"), false, &a, &h),
                     WW_PARSE_MORE);
    assert_int_equal(feed(p, LIT("0\r\n\r\nabc"), 2, 3, &out, &used), WW_PARSE_MORE);
    assert_slice(ww_buf_str(&out), "0\r\n\r\nabc");
    assert_true(ww_http_finish(p));
    ww_buf_release(&out);
    ww_arena_release(&a);
    ww_http_free(p);
}

static void a_connection_has_one_message_after_another(void **state)
{
    struct ww_http *p = ww_http_new(false, 64);
    struct ww_arena a;

    (void)state;
    ww_arena_init(&a, 65536);
    for (int i = 0; i < 3; i++) {
        struct ww_buf out = { .max = 100 };
        struct ww_head h;
        size_t used = 0;

        assert_int_equal(
            ww_http_head(
                p, LIT("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"),
                false, &a, &h),
            WW_PARSE_MORE);
        assert_int_equal(feed(p, LIT("1\r\na\r\n0\r\n\r\n"), 4, 4, &out, &used), WW_PARSE_DONE);
        assert_int_equal(
            ww_http_head(p, LIT("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), false, &a, &h),
            WW_PARSE_DONE);
        assert_int_equal(ww_http_head(p, LIT("GET / HTTP/1.1\n\n"), false, &a, &h),
                         WW_PARSE_BAD);
        ww_buf_release(&out);
    }
    ww_arena_release(&a);
    ww_http_free(p);
}

struct end_case {
    const char *bytes;
    size_t want;
};

/* Whatever an earlier call has looked at, and however much was there then. */
static void head_end_is_found(void **state)
{
    const struct end_case *c = *state;
    ww_str bytes = ww_str_c(c->bytes);

    assert_int_equal(ww_http_head_end(bytes, 0), c->want);
    for (size_t seen = 0; seen < bytes.len; seen++)
        if (ww_http_head_end(ww_str_upto(bytes, seen), 0) == 0)
            assert_int_equal(ww_http_head_end(bytes, seen), c->want);
}

#define END(bytes_, want_)                                                                     \
    {                                                                                          \
        .name = "head end of " #bytes_, .test_func = head_end_is_found,                        \
        .initial_state = &(struct end_case)                                                    \
        {                                                                                      \
            bytes_, want_                                                                      \
        }                                                                                      \
    }

static const struct CMUnitTest ends[] = {
    END("", 0),
    END("a\r\n", 0),
    END("a\r\n\r", 0),
    END("a\r\n\r\n", 5),
    END("a\r\nb: c\r\n\r\nrest\r\n\r\n", 11),
    END("a\n\n", 3),
    END("a\r\n\n", 4),
    END("a\n\r\n", 4),
    END("a\r\r\n", 0),
    END("a\r\nb\r\nc\r\n", 0),
};

static void hop_by_hop_fields_are_known(void **state)
{
    ww_str bytes = LIT("GET / HTTP/1.1\r\nHost: x\r\nConnection: close, X-A\r\n"
                       "connection: x-b ,, \"X-C\"\r\n\r\n");
    static const char *const hop[] = { "Connection", "keep-alive", "Proxy-Connection",
                                       "TE",         "Upgrade",    "transfer-encoding",
                                       "X-a",        "X-B",        "Close" };
    static const char *const end[] = {
        "Host", "Content-Length", "X-C", "X", "X-AB", "Trailer"
    };
    struct ww_http *p = ww_http_new(false, 64);
    struct ww_head h;
    struct ww_arena a;

    (void)state;
    ww_arena_init(&a, 65536);
    assert_int_equal(ww_http_head(p, bytes, false, &a, &h), WW_PARSE_DONE);
    for (size_t i = 0; i < COUNT(hop); i++)
        assert_true(ww_http_is_hop_by_hop(&h, ww_str_c(hop[i])));
    for (size_t i = 0; i < COUNT(end); i++)
        assert_false(ww_http_is_hop_by_hop(&h, ww_str_c(end[i])));
    ww_arena_release(&a);
    ww_http_free(p);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(parts_are_slices_of_the_bytes),
        cmocka_unit_test(too_many_fields_are_said),
        cmocka_unit_test(a_body_until_close_ends_with_the_connection),
        cmocka_unit_test(a_connection_has_one_message_after_another),
        cmocka_unit_test(hop_by_hop_fields_are_known),
    };
    int failed = cmocka_run_group_tests_name("heads", heads, NULL, NULL);

    failed += cmocka_run_group_tests_name("bodies", bodies, NULL, NULL);
    failed += cmocka_run_group_tests_name("ends", ends, NULL, NULL);
    return failed + cmocka_run_group_tests_name("parse", others, NULL, NULL);
}

/* Expectations: each waits until it holds, or says that it does not. */
#include "expect.h"

#include "message.h"

struct condition {
    const struct end *end;
    ww_str verb;
};

static bool is_so(struct script *s, void *ctx)
{
    const struct condition *c = ctx;
    const struct ww_stream *stream = c->end->stream;
    bool reset = false;
    bool closed = ww_memory_is_closed(stream, &reset);

    (void)s;
    if (ww_str_eq(c->verb, WW_STR("closed")))
        return closed && !reset;
    if (ww_str_eq(c->verb, WW_STR("reset")))
        return closed && reset;
    if (ww_str_eq(c->verb, WW_STR("open")))
        return !closed && !ww_memory_is_finished(stream);
    if (ww_str_eq(c->verb, WW_STR("finished")))
        return !closed && ww_memory_is_finished(stream);
    if (ww_str_eq(c->verb, WW_STR("read")))
        return !closed && ww_memory_is_reading(stream);
    if (ww_str_eq(c->verb, WW_STR("unread")))
        return !closed && !ww_memory_is_reading(stream);
    return false;
}

void expect_condition(struct script *s, const struct end *e, ww_str verb)
{
    struct condition c = { e, verb };

    if (!script_await(s, is_so, &c))
        script_fail(s, "it is not so");
}

ww_str expect_untaken(const struct end *e)
{
    return ww_str_from(ww_memory_written(e->stream), e->taken);
}

static bool is_held(struct script *s, void *ctx)
{
    const struct end *e = ctx;

    (void)s;
    return ww_str_ends(expect_untaken(e), WW_STR("\r\n\r")) &&
           ww_str_find(expect_untaken(e), WW_STR("\r\n\r\n")) < 0;
}

/* All of the head but its last byte is out, and stays so. */
static void expect_held(struct script *s, struct end *e)
{
    if (!script_await(s, is_held, e))
        script_fail(s, "it is not a head without its last byte");
    script_settle(s);
    if (!is_held(s, e))
        script_fail(s, "the last byte has gone out");
    e->mark = ww_memory_written(e->stream).len;
}

struct rest_wanted {
    const struct end *end;
    ww_str bytes;
};

static bool rest_is(struct script *s, void *ctx)
{
    const struct rest_wanted *r = ctx;

    (void)s;
    return ww_str_eq(ww_str_from(ww_memory_written(r->end->stream), r->end->mark), r->bytes);
}

/* What came behind a held head, byte for byte; still to be taken with it. */
static void expect_rest(struct script *s, const struct end *e, ww_str text)
{
    struct rest_wanted r = { e, script_unescape(s, ww_str_from(text, 1)) };

    if (!script_await(s, rest_is, &r))
        script_fail(s, "the bytes behind the held head are others");
}

static bool raw_is(struct script *s, void *ctx)
{
    const struct rest_wanted *r = ctx;

    (void)s;
    return ww_str_eq(expect_untaken(r->end), r->bytes);
}

/* Bytes that are no message: those of a tunnel. */
static void expect_raw(struct script *s, struct end *e, ww_str text)
{
    struct rest_wanted r = { e, script_unescape(s, ww_str_from(text, 1)) };

    if (!script_await(s, raw_is, &r))
        script_fail(s, "it got other bytes");
    e->taken += r.bytes.len;
}

static void expect_nothing(struct script *s, const struct end *e)
{
    script_settle(s);
    if (expect_untaken(e).len > 0)
        script_fail(s, "it got something");
}

/* One expected message: what the script says of it. */
struct expectation {
    struct end *end;
    enum message_kind kind;
    struct message message;
    bool partial; /* a head and a beginning of its body, and no more */
};

static bool has_come(struct script *s, void *ctx)
{
    struct expectation *x = ctx;
    bool reset = false;
    bool over = ww_memory_is_finished(x->end->stream) ||
                (ww_memory_is_closed(x->end->stream, &reset) && !reset);

    message_release(&x->message);
    enum message_state state = message_read(&x->message, x->kind, expect_untaken(x->end), over);

    if (state == MESSAGE_BROKEN)
        script_fail(s, "what it got is malformed: %s", x->message.why);
    return state == (x->partial ? MESSAGE_PARTIAL : MESSAGE_WHOLE);
}

static void check_message_words(struct script *s, const struct message *m, ww_str rest)
{
    struct word word;

    while (script_word(s, &rest, &word)) {
        bool wants = ww_str_eq(word.value, WW_STR("has"));

        if (ww_str_eq(word.value, WW_STR("partial")) || ww_str_eq(word.value, WW_STR("bare")))
            continue;
        if (word.quoted) {
            if (!ww_str_eq(ww_buf_str(&m->body), word.value))
                script_fail(s, "its body is '" WW_STRF "'", WW_STRV(ww_buf_str(&m->body)));
            continue;
        }
        if (!wants && !ww_str_eq(word.value, WW_STR("lacks")))
            script_fail(s, "'" WW_STRF "' is not understood", WW_STRV(word.value));
        if (!script_word(s, &rest, &word) || !word.quoted)
            script_fail(s, "has and lacks want a quoted line");
        if (message_has(m, word.value) != wants)
            script_fail(s, "it %s '" WW_STRF "'", wants ? "lacks" : "has", WW_STRV(word.value));
    }
}

static bool line_has_word(struct script *s, ww_str rest, const char *wanted)
{
    struct word word;

    while (script_word(s, &rest, &word))
        if (!word.quoted && ww_str_eq(word.value, ww_str_c(wanted)))
            return true;
    return false;
}

static void expect_message(struct script *s, struct expectation *x, ww_str start, ww_str rest)
{
    x->partial = line_has_word(s, rest, "partial");
    if (!script_await(s, has_come, x))
        script_fail(s, "no such message has come");
    if (!ww_str_starts(message_start_line(&x->message), start))
        script_fail(s, "it begins otherwise: '" WW_STRF "'",
                    WW_STRV(message_start_line(&x->message)));
    check_message_words(s, &x->message, rest);
    x->end->mark = ww_memory_written(x->end->stream).len;
    x->end->taken += x->partial ? expect_untaken(x->end).len : x->message.used;
    message_release(&x->message);
}

static void expect_request(struct script *s, struct end *e, ww_str rest)
{
    struct expectation x = { .end = e, .kind = MESSAGE_REQUEST };
    struct word method;
    struct word target;

    if (!script_word(s, &rest, &method) || !script_word(s, &rest, &target))
        script_fail(s, "upstream< METHOD TARGET …");
    expect_message(s, &x,
                   ww_arena_printf(&s->arena, WW_STRF " " WW_STRF " HTTP/1.1",
                                   WW_STRV(method.value), WW_STRV(target.value)),
                   rest);
}

static void expect_response(struct script *s, struct end *e, ww_str rest)
{
    struct expectation x = { .end = e, .kind = MESSAGE_RESPONSE };
    struct word status;

    if (!script_word(s, &rest, &status) || script_number(s, status.value) < 100)
        script_fail(s, "client< STATUS …");
    if (line_has_word(s, rest, "bare"))
        x.kind = MESSAGE_BARE;
    expect_message(s, &x,
                   ww_arena_printf(&s->arena, "HTTP/1.1 " WW_STRF " ", WW_STRV(status.value)),
                   rest);
}

void expect_bytes(struct script *s, bool is_client, struct end *e, ww_str rest)
{
    ww_str after = ww_str_trim(rest);

    if (ww_str_eq(after, WW_STR("nothing")))
        expect_nothing(s, e);
    else if (ww_str_eq(after, WW_STR("held")))
        expect_held(s, e);
    else if (ww_str_starts(after, WW_STR("rest ")))
        expect_rest(s, e, ww_str_from(after, strlen("rest")));
    else if (ww_str_starts(after, WW_STR("raw ")))
        expect_raw(s, e, ww_str_from(after, strlen("raw")));
    else if (is_client)
        expect_response(s, e, rest);
    else
        expect_request(s, e, rest);
}

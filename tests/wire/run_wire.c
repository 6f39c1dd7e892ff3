/* Runs a .wire script against the real proxy, as written and byte by byte. */
#include "expect.h"
#include "script.h"

#include <whichworker/units.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_SCRIPT      (1u << 20)
#define MAX_REPETITIONS 100000

static void check_end_of_line(struct script *s, ww_str rest)
{
    if (ww_str_trim(rest).len > 0)
        script_fail(s, "'" WW_STRF "' is not understood", WW_STRV(rest));
}

static uint32_t *time_option(struct ww_proxy_config *cfg, ww_str name)
{
    const struct {
        const char *name;
        uint32_t *value;
    } row[] = {
        { "header-timeout", &cfg->header_timeout_ms },
        { "idle-timeout", &cfg->idle_timeout_ms },
        { "connect-timeout", &cfg->connect_timeout_ms },
        { "response-timeout", &cfg->response_timeout_ms },
        { "tunnel-timeout", &cfg->tunnel_timeout_ms },
        { "attrib-timeout", &cfg->attrib_timeout_ms },
        { "handover-timeout", &cfg->handover_timeout_ms },
        { "drain-timeout", &cfg->drain_timeout_ms },
    };

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        if (ww_str_eq(name, ww_str_c(row[i].name)))
            return row[i].value;
    return NULL;
}

static uint64_t *size_option(struct ww_proxy_config *cfg, ww_str name)
{
    if (ww_str_eq(name, WW_STR("max-head")))
        return &cfg->max_head_bytes;
    if (ww_str_eq(name, WW_STR("max-body")))
        return &cfg->max_body_bytes;
    return ww_str_eq(name, WW_STR("capture-body")) ? &cfg->capture_body_bytes : NULL;
}

static void do_option(struct script *s, size_t which, ww_str rest)
{
    struct word word;

    (void)which;
    if (s->world != NULL)
        script_fail(s, "options stand before everything else");
    while (script_word(s, &rest, &word)) {
        uint32_t *ms = time_option(&s->cfg, word.key);
        uint64_t *bytes = size_option(&s->cfg, word.key);
        struct ww_err err = { 0 };

        if (ms == NULL && bytes == NULL)
            script_fail(s, "no such option");
        if (ms != NULL ? ww_units_msec(word.value, ms, &err) < 0
                       : ww_units_size(word.value, bytes, &err) < 0)
            script_fail(s, "%s", err.text);
    }
}

static enum ww_owner owner_word(struct script *s, ww_str rest, int32_t *out_pid)
{
    static const struct {
        const char *name;
        enum ww_owner owner;
    } row[] = { { "queued", WW_OWNER_QUEUED },
                { "unsettled", WW_OWNER_UNSETTLED },
                { "ambiguous", WW_OWNER_AMBIGUOUS },
                { "unknown", WW_OWNER_UNKNOWN } };
    ww_str name = ww_str_trim(rest);

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        if (ww_str_eq(name, ww_str_c(row[i].name)))
            return row[i].owner;
    *out_pid = (int32_t)script_number(s, name);
    return WW_OWNER_KNOWN;
}

static void do_worker(struct script *s, size_t which, ww_str rest)
{
    struct world *w = script_world(s);

    (void)which;
    w->owner = owner_word(s, rest, &w->pid);
}

static void do_confirm(struct script *s, size_t which, ww_str rest)
{
    struct world *w = script_world(s);

    (void)which;
    w->confirmed = owner_word(s, rest, &w->confirmed_pid);
    w->confirm_set = true;
}

static void do_dial(struct script *s, size_t which, ww_str rest)
{
    ww_str how = ww_str_trim(rest);

    (void)which;
    if (ww_str_eq(how, WW_STR("refuse")))
        script_world(s)->dial = DIAL_REFUSE;
    else if (ww_str_eq(how, WW_STR("hang")))
        script_world(s)->dial = DIAL_HANG;
    else if (ww_str_eq(how, WW_STR("connect")))
        script_world(s)->dial = DIAL_CONNECT;
    else
        script_fail(s, "dial connect, refuse or hang");
}

static bool as_many_dials(struct script *s, void *ctx)
{
    return script_world(s)->upstreams >= *(const size_t *)ctx;
}

static void do_dials(struct script *s, size_t which, ww_str rest)
{
    size_t want = (size_t)script_number(s, ww_str_trim(rest));

    (void)which;
    (void)script_await(s, as_many_dials, &want);
    if (script_world(s)->upstreams != want)
        script_fail(s, "%zu connections were dialled", script_world(s)->upstreams);
}

static void do_recorder(struct script *s, size_t which, ww_str rest)
{
    bool full = ww_str_eq(ww_str_trim(rest), WW_STR("full"));

    (void)which;
    if (!full && !ww_str_eq(ww_str_trim(rest), WW_STR("ready")))
        script_fail(s, "recorder full or ready");
    script_world(s)->recorder_full = full;
    if (!full)
        ww_proxy_resume(s->world->proxy);
}

static void do_drain(struct script *s, size_t which, ww_str rest)
{
    (void)which;
    check_end_of_line(s, rest);
    world_drain(script_world(s));
}

static void do_cut(struct script *s, size_t which, ww_str rest)
{
    (void)which;
    check_end_of_line(s, rest);
    ww_proxy_cut(script_world(s)->proxy);
}

static bool is_idle(struct script *s, void *ctx)
{
    (void)ctx;
    return script_world(s)->idle;
}

static void do_drained(struct script *s, size_t which, ww_str rest)
{
    (void)which;
    check_end_of_line(s, rest);
    if (!script_await(s, is_idle, NULL))
        script_fail(s, "the proxy has not drained");
}

static bool upstream_is_there(struct script *s, void *ctx)
{
    size_t want = *(const size_t *)ctx;

    return script_world(s)->upstreams >= want &&
           (want == 0 || s->world->upstream[want - 1].stream);
}

/* which: 1, 2, …; 0 is client 1, and the upstream dialled last. */
static struct end *client_end(struct script *s, size_t which)
{
    size_t i = which == 0 ? 0 : which - 1;

    if (i >= MAX_CLIENTS)
        script_fail(s, "there are at most %d clients", MAX_CLIENTS);
    if (script_world(s)->client[i].stream == NULL)
        world_connect(s->world, i);
    return &s->world->client[i];
}

static struct end *upstream_end(struct script *s, size_t which)
{
    size_t want = which == 0 ? 1 : which;

    if (!script_await(s, upstream_is_there, &want))
        script_fail(s, "upstream %zu was not dialled", want);
    return &s->world->upstream[which == 0 ? s->world->upstreams - 1 : which - 1];
}

static struct end *end_of(struct script *s, bool is_client, size_t which)
{
    return is_client ? client_end(s, which) : upstream_end(s, which);
}

static void feed(struct script *s, struct end *e, ww_str segment)
{
    ww_str bytes = script_unescape(s, segment);
    size_t step = s->by_byte ? 1 : bytes.len;

    for (size_t i = 0; i < bytes.len; i += step) {
        ww_memory_feed(e->stream, ww_str_n(bytes.ptr + i, step));
        script_settle(s);
    }
}

/* Splits at each '|' that no backslash stands before. */
static void feed_segments(struct script *s, struct end *e, ww_str text)
{
    size_t from = 0;

    if (ww_str_starts(text, WW_STR(" ")))
        text = ww_str_from(text, 1);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\\') {
            i++;
        } else if (text.ptr[i] == '|') {
            feed(s, e, ww_str_n(text.ptr + from, i - from));
            from = i + 1;
        }
    }
    feed(s, e, ww_str_from(text, from));
}

/* repeat N BYTES: many bytes in a short line; never byte by byte, for time's sake. */
static void feed_repeated(struct script *s, struct end *e, ww_str rest)
{
    struct word times;
    bool by_byte = s->by_byte;

    if (!script_word(s, &rest, &times) || script_number(s, times.value) > MAX_REPETITIONS)
        script_fail(s, "repeat how often?");
    s->by_byte = false;
    for (uint64_t i = script_number(s, times.value); i > 0; i--)
        feed(s, e, ww_str_from(rest, 1));
    s->by_byte = by_byte;
}

static bool do_deed(struct script *s, struct end *e, ww_str verb)
{
    if (ww_str_eq(verb, WW_STR("end")))
        ww_memory_end(e->stream);
    else if (ww_str_eq(verb, WW_STR("fail")))
        ww_memory_fail(e->stream, ECONNRESET);
    else if (ww_str_eq(verb, WW_STR("block")))
        ww_memory_block(e->stream, true);
    else if (ww_str_eq(verb, WW_STR("unblock")))
        ww_memory_block(e->stream, false);
    else
        return false;
    script_settle(s);
    return true;
}

static void do_end(struct script *s, bool is_client, size_t which, ww_str rest)
{
    struct end *e = end_of(s, is_client, which);
    struct word verb;
    ww_str behind = rest;

    if (ww_str_starts(rest, WW_STR(">"))) {
        feed_segments(s, e, ww_str_from(rest, 1));
    } else if (ww_str_starts(rest, WW_STR("<"))) {
        expect_bytes(s, is_client, e, ww_str_from(rest, 1));
    } else if (!script_word(s, &behind, &verb)) {
        script_settle(s); /* it is there now: a connection and no more */
    } else if (ww_str_eq(verb.value, WW_STR("repeat"))) {
        feed_repeated(s, e, behind);
    } else if (!do_deed(s, e, verb.value)) {
        expect_condition(s, e, verb.value);
    }
}

static void do_client(struct script *s, size_t which, ww_str rest)
{
    do_end(s, true, which, rest);
}

static void do_upstream(struct script *s, size_t which, ww_str rest)
{
    do_end(s, false, which, rest);
}

static ww_str exchange_text(struct script *s, const struct ww_exchange *x, ww_str key)
{
    const struct {
        const char *key;
        ww_str text;
    } row[] = {
        { "end", ww_str_c(ww_end_token(x->end)) },
        { "by", ww_str_c(ww_source_token(x->by)) },
        { "worker", ww_arena_printf(&s->arena, "%" PRId32, x->worker.pid) },
        { "status", ww_arena_printf(&s->arena, "%u", x->status) },
        { "id", ww_arena_printf(&s->arena, "%" PRIu64, x->id) },
        { "connection", ww_arena_printf(&s->arena, "%" PRIu64, x->connection) },
        { "upstream", ww_arena_printf(&s->arena, "%" PRIu64, x->upstream) },
        { "method", x->method },
        { "target", x->target },
        { "client", x->client },
        { "request-id", x->request_id },
        { "request-body", x->request_body.bytes },
        { "response-body", x->response_body.bytes },
        { "request-size", ww_arena_printf(&s->arena, "%" PRIu64, x->request_body.size) },
        { "response-size", ww_arena_printf(&s->arena, "%" PRIu64, x->response_body.size) },
    };

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        if (ww_str_eq(key, ww_str_c(row[i].key)))
            return row[i].text;
    script_fail(s, "an exchange has no '" WW_STRF "'", WW_STRV(key));
}

static bool another_exchange(struct script *s, void *ctx)
{
    (void)ctx;
    return script_world(s)->exchanges > s->world->exchanges_taken;
}

static void check_times(struct script *s, const struct ww_exchange *x)
{
    int64_t at[] = { x->started_us, x->connected_us, x->accepted_us, x->answered_us,
                     x->ended_us };
    int64_t before = 0;

    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        if (at[i] != 0 && at[i] < before)
            script_fail(s, "its times are out of order");
        if (at[i] != 0)
            before = at[i];
    }
    if (x->started_us == 0 || x->ended_us == 0)
        script_fail(s, "it has no beginning or no end");
}

static void do_exchange(struct script *s, size_t which, ww_str rest)
{
    struct world *w = script_world(s);
    struct word word;

    (void)which;
    if (ww_str_eq(ww_str_trim(rest), WW_STR("none"))) {
        script_settle(s);
        if (w->exchanges > w->exchanges_taken)
            script_fail(s, "there is an exchange");
        return;
    }
    if (!script_await(s, another_exchange, NULL))
        script_fail(s, "no exchange has come");

    const struct ww_exchange *x = w->exchange[w->exchanges_taken++];

    check_times(s, x);
    while (script_word(s, &rest, &word)) {
        ww_str got = exchange_text(s, x, word.key);

        if (!ww_str_eq(got, word.value))
            script_fail(s, "its " WW_STRF " is '" WW_STRF "'", WW_STRV(word.key), WW_STRV(got));
    }
}

static const struct {
    const char *name;
    void (*run)(struct script *s, size_t which, ww_str rest);
} commands[] = {
    { "client", do_client },     { "confirm", do_confirm },   { "cut", do_cut },
    { "dial", do_dial },         { "dials", do_dials },       { "drain", do_drain },
    { "drained", do_drained },   { "exchange", do_exchange }, { "option", do_option },
    { "recorder", do_recorder }, { "upstream", do_upstream }, { "worker", do_worker },
};

static void run_line(struct script *s, ww_str line)
{
    size_t len = 0;
    size_t which = 0;

    while (len < line.len && line.ptr[len] >= 'a' && line.ptr[len] <= 'z')
        len++;

    ww_str name = ww_str_upto(line, len);
    ww_str rest = ww_str_from(line, len);

    while (rest.len > 0 && rest.ptr[0] >= '0' && rest.ptr[0] <= '9') {
        which = which * 10 + (size_t)(rest.ptr[0] - '0');
        rest = ww_str_from(rest, 1);
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (ww_str_eq(name, ww_str_c(commands[i].name))) {
            commands[i].run(s, which, rest);
            return;
        }
    }
    script_fail(s, "'" WW_STRF "' is no command", WW_STRV(name));
}

/* Nobody may have got anything, and nothing may have been recorded, that the script does not
 * speak of. */
static void check_nothing_else(struct script *s)
{
    struct world *w = script_world(s);

    script_settle(s);
    for (size_t i = 0; i < MAX_CLIENTS; i++)
        if (w->client[i].stream != NULL && expect_untaken(&w->client[i]).len > 0)
            script_fail(s, "client %zu got more than the script says", i + 1);
    if (w->exchanges > w->exchanges_taken)
        script_fail(s, "there are more exchanges than the script says");
}

/* Everybody leaves; the proxy must be able to end, with nothing left. */
static void clean_up(struct script *s)
{
    struct world *w = script_world(s);

    w->recorder_full = false;
    for (size_t i = 0; i < MAX_CLIENTS; i++)
        if (w->client[i].stream != NULL && !ww_memory_is_closed(w->client[i].stream, NULL))
            ww_memory_fail(w->client[i].stream, ECONNRESET);
    script_settle(s);
    if (!w->idle)
        world_drain(w);
    if (!script_await(s, is_idle, NULL))
        script_fail(s, "the proxy does not come to its end");
    world_free(w);
    s->world = NULL;
}

static void run(const char *path, ww_str text, bool by_byte)
{
    struct script s = { .path = path, .by_byte = by_byte };
    ww_str line;

    world_config(&s.cfg);
    ww_arena_init(&s.arena, SIZE_MAX);
    while (ww_str_cut(&text, '\n', &line)) {
        s.line++;
        if (line.len > 0 && line.ptr[0] != '#')
            run_line(&s, line);
    }
    check_nothing_else(&s);
    clean_up(&s);
    ww_arena_release(&s.arena);
}

int main(int argc, char **argv)
{
    struct ww_buf text;
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;

    if (file == NULL) {
        fprintf(stderr, "usage: run_wire SCRIPT\n");
        return 2;
    }
    ww_buf_init(&text, MAX_SCRIPT);
    for (int c = fgetc(file); c != EOF; c = fgetc(file))
        ww_buf_add_char(&text, (char)c);
    fclose(file);
    run(argv[1], ww_buf_str(&text), false);
    run(argv[1], ww_buf_str(&text), true);
    ww_buf_release(&text);
    return 0;
}

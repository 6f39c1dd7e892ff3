/* Words, escapes, and the words of a failure. */
#include "script.h"

#include <whichworker/units.h>

#include <stdio.h>
#include <stdlib.h>

#define PATIENCE_US 5000000
#define QUIET_TURNS 4 /* after these, what has not happened is taken not to happen */

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c);

    return at == NULL ? -1 : (int)(at - digits);
}

/* The character for an escape at the front of text (behind the backslash); eats it. */
static char escape(const struct script *s, ww_str *text)
{
    static const char names[] = "rnt0\\|\"";
    static const char values[] = "\r\n\t\0\\|\"";
    char c = text->len > 0 ? text->ptr[0] : '?';
    const char *at = memchr(names, c, sizeof(names) - 1);

    if (at != NULL) {
        *text = ww_str_from(*text, 1);
        return values[at - names];
    }
    if (c != 'x' || text->len < 3 || hex_digit(text->ptr[1]) < 0 || hex_digit(text->ptr[2]) < 0)
        script_fail(s, "an unknown escape");
    c = (char)(hex_digit(text->ptr[1]) * 16 + hex_digit(text->ptr[2]));
    *text = ww_str_from(*text, 3);
    return c;
}

ww_str script_unescape(struct script *s, ww_str text)
{
    char *out = ww_arena_alloc(&s->arena, text.len + 1);
    size_t n = 0;

    while (text.len > 0) {
        char c = text.ptr[0];

        text = ww_str_from(text, 1);
        out[n++] = c == '\\' ? escape(s, &text) : c;
    }
    return ww_str_n(out, n);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* How long the quoted text is that begins behind a quotation mark. */
static size_t quoted_len(const struct script *s, ww_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            return i;
        if (text.ptr[i] == '\\')
            i++;
    }
    script_fail(s, "a quotation mark is missing");
}

bool script_word(struct script *s, ww_str *rest, struct word *out)
{
    ww_str text = ww_str_trim(*rest);
    size_t n = 0;

    *out = (struct word){ 0 };
    if (text.len == 0)
        return false;
    while (n < text.len && !is_space(text.ptr[n]) && text.ptr[n] != '"' && text.ptr[n] != '=')
        n++;
    if (n < text.len && text.ptr[n] == '=') {
        out->key = ww_str_upto(text, n);
        text = ww_str_from(text, n + 1);
        n = 0;
    }
    if (n == 0 && text.len > 0 && text.ptr[0] == '"') {
        text = ww_str_from(text, 1);
        n = quoted_len(s, text);
        out->quoted = true;
        out->value = script_unescape(s, ww_str_upto(text, n));
        *rest = ww_str_from(text, n + 1);
        return true;
    }
    while (n < text.len && !is_space(text.ptr[n]))
        n++;
    out->value = ww_str_upto(text, n);
    *rest = ww_str_from(text, n);
    return true;
}

static void show(const char *who, size_t i, const struct end *e)
{
    struct ww_buf text = { .max = 1u << 20 };
    bool reset = false;
    bool closed;

    if (e->stream == NULL)
        return;
    closed = ww_memory_is_closed(e->stream, &reset);
    ww_buf_add_printable(&text, ww_memory_written(e->stream));
    fprintf(stderr, "  %s%zu (%s%s%s; %zu bytes taken) got: " WW_STRF "\n", who, i + 1,
            !closed ? "open"
            : reset ? "reset"
                    : "closed",
            ww_memory_is_finished(e->stream) ? ", finished" : "",
            ww_memory_is_reading(e->stream) ? ", read" : ", not read", e->taken,
            WW_STRV(ww_buf_str(&text)));
    ww_buf_release(&text);
}

void script_fail(const struct script *s, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "%s:%u%s: ", s->path, s->line, s->by_byte ? " (byte by byte)" : "");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    for (size_t i = 0; s->world != NULL && i < MAX_CLIENTS; i++)
        show("client", i, &s->world->client[i]);
    for (size_t i = 0; s->world != NULL && i < s->world->upstreams; i++)
        show("upstream", i, &s->world->upstream[i]);
    exit(1);
}

struct world *script_world(struct script *s)
{
    if (s->world == NULL)
        s->world = world_new(&s->cfg);
    return s->world;
}

void script_settle(struct script *s)
{
    for (int i = 0; i < QUIET_TURNS; i++)
        world_turn(script_world(s), false);
}

/* Turns the loop until it holds, at most PATIENCE_US. */
bool script_await(struct script *s, bool (*holds)(struct script *s, void *ctx), void *ctx)
{
    int64_t until = ww_clock_mono_us() + PATIENCE_US;

    script_settle(s);
    while (!holds(s, ctx)) {
        if (ww_clock_mono_us() > until)
            return false;
        world_turn(script_world(s), true);
    }
    return true;
}

uint64_t script_number(const struct script *s, ww_str text)
{
    uint64_t n;

    if (!ww_str_u64(text, &n))
        script_fail(s, "'" WW_STRF "' is not a number", WW_STRV(text));
    return n;
}

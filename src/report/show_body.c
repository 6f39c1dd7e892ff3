/* A body as lines: unpacked, JSON laid out, cut where it would fill the screen for minutes. */
#include "show.h"

#include <whichworker/http.h>

#include <inttypes.h>

#define DECODED_MAX (4u << 20)
#define SHOWN_MAX   (64u << 10) /* bytes of a body; more is counted */
#define LAID_MAX    (1u << 20)  /* the same, laid out */
#define DEPTH_MAX   40          /* deeper members are not indented further */
#define INDENT      2

/* ---- JSON */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void new_line(struct ww_buf *out, size_t depth)
{
    ww_buf_add_char(out, '\n');
    for (size_t i = 0; i < (depth < DEPTH_MAX ? depth : DEPTH_MAX) * INDENT; i++)
        ww_buf_add_char(out, ' ');
}

/* Where the string that begins at `from` ends: behind its quote, or at the end. */
static size_t string_end(ww_str s, size_t from)
{
    size_t i = from + 1;

    while (i < s.len && s.ptr[i] != '"')
        i += s.ptr[i] == '\\' ? 2 : 1;
    return i < s.len ? i + 1 : s.len;
}

static size_t after_blanks(ww_str s, size_t at)
{
    while (at < s.len && is_blank(s.ptr[at]))
        at++;
    return at;
}

/* "{" or "[": with nothing in it, it stays on its line. */
static size_t open(ww_str s, size_t at, size_t *depth, struct ww_buf *out)
{
    size_t next = after_blanks(s, at + 1);

    ww_buf_add_char(out, s.ptr[at]);
    if (next < s.len && (s.ptr[next] == '}' || s.ptr[next] == ']')) {
        ww_buf_add_char(out, s.ptr[next]);
        return next + 1;
    }
    new_line(out, ++*depth);
    return at + 1;
}

static void close(char c, size_t *depth, struct ww_buf *out)
{
    *depth -= *depth > 0;
    new_line(out, *depth);
    ww_buf_add_char(out, c);
}

void ww_show_json(ww_str json, struct ww_buf *out)
{
    size_t depth = 0;

    for (size_t i = 0; i < json.len;) {
        char c = json.ptr[i];
        size_t end = i + 1;

        if (c == '"') {
            end = string_end(json, i);
            ww_buf_add(out, ww_str_n(json.ptr + i, end - i));
        } else if (c == '{' || c == '[') {
            end = open(json, i, &depth, out);
        } else if (c == '}' || c == ']') {
            close(c, &depth, out);
        } else if (c == ',') {
            ww_buf_add_char(out, c);
            new_line(out, depth);
        } else if (c == ':') {
            ww_buf_add_c(out, ": ");
        } else if (!is_blank(c)) {
            ww_buf_add_char(out, c);
        }
        i = end;
    }
}

/* ---- all of it */

static bool looks_like_json(ww_str type, ww_str text)
{
    size_t at = after_blanks(text, 0);

    if (ww_str_find_nocase(type, WW_STR("json")) >= 0)
        return true;
    return type.len == 0 && at < text.len && (text.ptr[at] == '{' || text.ptr[at] == '[');
}

static void add_lines(struct ww_show *s, enum show_part part, ww_str text)
{
    ww_str line;

    while (ww_str_cut(&text, '\n', &line)) {
        if (ww_str_ends(line, WW_STR("\r")))
            line.len--;
        if (text.ptr != NULL || line.len > 0) /* not the nothing behind the last one */
            ww_show_add(s, part, line);
    }
}

static void add_text(struct ww_show *s, enum show_part part, ww_str type, ww_str text)
{
    ww_str shown = ww_str_upto(text, SHOWN_MAX);
    struct ww_buf laid;

    ww_buf_init(&laid, LAID_MAX);
    if (looks_like_json(type, shown))
        ww_show_json(shown, &laid);
    add_lines(s, part, laid.len > 0 && !laid.full ? ww_buf_str(&laid) : shown);
    ww_buf_release(&laid);
    if (shown.len < text.len)
        ww_show_aside(s, part, "%zu more bytes are in the trace", text.len - shown.len);
}

void ww_show_body(struct ww_show *s, enum show_part part, const struct ww_fields *fields,
                  const struct ww_body *body)
{
    ww_str encoding = ww_fields_get(fields, WW_STR("content-encoding"));
    ww_str type = ww_fields_get(fields, WW_STR("content-type"));
    struct ww_buf decoded;

    ww_buf_init(&decoded, DECODED_MAX);
    if (encoding.len == 0 || body->bytes.len == 0) {
        add_text(s, part, type, body->bytes);
    } else if (ww_content_decode(encoding, body->bytes, &decoded) != WW_DECODED_NOT) {
        add_text(s, part, type, ww_buf_str(&decoded));
        ww_show_aside(s, part, "unpacked from %zu bytes", body->bytes.len);
    } else {
        add_text(s, part, (ww_str){ 0 }, body->bytes);
        ww_show_aside(s, part, "it cannot be unpacked");
    }
    ww_buf_release(&decoded);
    if (body->bytes.len < body->size)
        ww_show_aside(s, part, "cut: %zu of %" PRIu64 " bytes were captured", body->bytes.len,
                      body->size);
}

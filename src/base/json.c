/* A JSON writer with a stack of what is open. */
#include <whichworker/json.h>

#include <assert.h>
#include <inttypes.h>
#include <math.h>

void ww_json_init(struct ww_json *j, struct ww_buf *out, bool pretty)
{
    *j = (struct ww_json){ .out = out, .pretty = pretty };
}

static void new_line(struct ww_json *j)
{
    if (!j->pretty)
        return;
    ww_buf_add_char(j->out, '\n');
    for (size_t i = 0; i < j->depth; i++)
        ww_buf_add_c(j->out, "  ");
}

static void escaped(struct ww_json *j, uint32_t point)
{
    const char *letter = point == '\n' ? "n" : point == '\r' ? "r" : point == '\t' ? "t" : NULL;

    if (letter != NULL) {
        ww_buf_add_char(j->out, '\\');
        ww_buf_add_c(j->out, letter);
    } else if (point == '"' || point == '\\') {
        ww_buf_add(j->out, ww_str_n((char[]){ '\\', (char)point }, 2));
    } else if (point < 0x10000) {
        ww_buf_printf(j->out, "\\u%04x", (unsigned)point);
    } else {
        point -= 0x10000;
        ww_buf_printf(j->out, "\\u%04x\\u%04x", (unsigned)(0xd800 | point >> 10),
                      (unsigned)(0xdc00 | (point & 0x3ff)));
    }
}

/* "</script" and "<!--" would end or hide what stands around a JSON text in a page. */
static bool opens_markup(ww_str s, size_t i)
{
    return s.ptr[i] == '<' && i + 1 < s.len && (s.ptr[i + 1] == '/' || s.ptr[i + 1] == '!');
}

/* How many bytes at the front of s stand for themselves. */
static size_t plain_run(ww_str s)
{
    size_t i = 0;

    while (i < s.len) {
        unsigned char c = (unsigned char)s.ptr[i];
        size_t n = c < 0x80 ? 1 : ww_utf8_len(ww_str_from(s, i));

        if (n == 0 || c == '"' || c == '\\' || opens_markup(s, i) ||
            ww_utf8_deceives(ww_utf8_point(s.ptr + i, n)))
            break;
        i += n;
    }
    return i;
}

static void quoted(struct ww_json *j, ww_str s)
{
    ww_buf_add_char(j->out, '"');
    while (s.len > 0) {
        size_t n = plain_run(s);

        ww_buf_add(j->out, ww_str_upto(s, n));
        s = ww_str_from(s, n);
        if (s.len == 0)
            break;
        n = ww_utf8_len(s);
        if (n == 0)
            ww_buf_add_c(j->out, "\xef\xbf\xbd"); /* U+FFFD */
        else
            escaped(j, ww_utf8_point(s.ptr, n));
        s = ww_str_from(s, n == 0 ? 1 : n);
    }
    ww_buf_add_char(j->out, '"');
}

/* What stands before every value: a comma, a line, the key. */
static void before(struct ww_json *j, const char *key)
{
    bool in_object = j->depth > 0 && j->level[j->depth - 1].close == '}';

    assert(in_object == (key != NULL));
    assert(j->depth > 0 || !j->has_value);
    j->has_value = true;
    if (j->depth > 0) {
        if (j->level[j->depth - 1].has_item)
            ww_buf_add_char(j->out, ',');
        j->level[j->depth - 1].has_item = true;
        new_line(j);
    }
    if (key != NULL) {
        quoted(j, ww_str_c(key));
        ww_buf_add_c(j->out, j->pretty ? ": " : ":");
    }
}

static void open_level(struct ww_json *j, const char *key, char open, char close)
{
    before(j, key);
    assert(j->depth < WW_JSON_DEPTH);
    ww_buf_add_char(j->out, open);
    j->level[j->depth].close = close;
    j->level[j->depth].has_item = false;
    j->depth++;
}

void ww_json_obj(struct ww_json *j, const char *key)
{
    open_level(j, key, '{', '}');
}

void ww_json_arr(struct ww_json *j, const char *key)
{
    open_level(j, key, '[', ']');
}

void ww_json_end(struct ww_json *j)
{
    assert(j->depth > 0);
    j->depth--;
    if (j->level[j->depth].has_item)
        new_line(j);
    ww_buf_add_char(j->out, j->level[j->depth].close);
}

void ww_json_str(struct ww_json *j, const char *key, ww_str value)
{
    before(j, key);
    if (value.ptr == NULL)
        ww_buf_add_c(j->out, "null");
    else
        quoted(j, value);
}

void ww_json_int(struct ww_json *j, const char *key, int64_t value)
{
    before(j, key);
    ww_buf_printf(j->out, "%" PRId64, value);
}

void ww_json_num(struct ww_json *j, const char *key, double value)
{
    before(j, key);
    if (isfinite(value))
        ww_buf_printf(j->out, "%.10g", value);
    else
        ww_buf_add_c(j->out, "null");
}

void ww_json_bool(struct ww_json *j, const char *key, bool value)
{
    before(j, key);
    ww_buf_add_c(j->out, value ? "true" : "false");
}

void ww_json_null(struct ww_json *j, const char *key)
{
    before(j, key);
    ww_buf_add_c(j->out, "null");
}

void ww_json_finish(struct ww_json *j)
{
    assert(j->depth == 0 && j->has_value);
    j->has_value = false;
    ww_buf_add_char(j->out, '\n');
}

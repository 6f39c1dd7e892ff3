/* An XML writer with a stack of what is open. */
#include <whichworker/xml.h>

#include <assert.h>
#include <inttypes.h>

void ww_xml_init(struct ww_xml *x, struct ww_buf *out)
{
    *x = (struct ww_xml){ .out = out };
    ww_buf_add_c(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
}

/* XML 1.0 2.2; what ww_utf8_len takes is no surrogate. */
static bool is_char(uint32_t point)
{
    return point == '\t' || point == '\n' || point == '\r' ||
           (point >= 0x20 && point != 0xfffe && point != 0xffff);
}

/* A line feed and a tab stand for themselves in text; in an attribute a reader would make them
 * blanks (3.3.3). A carriage return stands for itself nowhere (2.11). */
static bool is_plain(uint32_t point, bool in_attribute)
{
    if (point == '\n' || point == '\t')
        return !in_attribute;
    return point != '<' && point != '>' && point != '&' && point != '"' &&
           !ww_utf8_deceives(point);
}

static void put_escaped(struct ww_xml *x, uint32_t point)
{
    switch (point) {
    case '<':
        ww_buf_add_c(x->out, "&lt;");
        break;
    case '>':
        ww_buf_add_c(x->out, "&gt;");
        break;
    case '&':
        ww_buf_add_c(x->out, "&amp;");
        break;
    case '"':
        ww_buf_add_c(x->out, "&quot;");
        break;
    default:
        ww_buf_printf(x->out, "&#x%" PRIX32 ";", point);
    }
}

static void put(struct ww_xml *x, ww_str s, bool in_attribute)
{
    size_t from = 0, i = 0;

    while (i < s.len) {
        size_t n = ww_utf8_len(ww_str_from(s, i));
        uint32_t point = n == 0 ? 0 : ww_utf8_point(s.ptr + i, n);

        if (n > 0 && is_char(point) && is_plain(point, in_attribute)) {
            i += n;
            continue;
        }
        ww_buf_add(x->out, ww_str_n(s.ptr + from, i - from));
        if (n == 0 || !is_char(point))
            ww_buf_add_c(x->out, "\xef\xbf\xbd"); /* U+FFFD */
        else
            put_escaped(x, point);
        i += n == 0 ? 1 : n;
        from = i;
    }
    ww_buf_add(x->out, ww_str_n(s.ptr + from, s.len - from));
}

static void end_tag(struct ww_xml *x)
{
    if (x->tag_is_open)
        ww_buf_add_char(x->out, '>');
    x->tag_is_open = false;
}

static void new_line(struct ww_xml *x)
{
    ww_buf_add_char(x->out, '\n');
    for (size_t i = 0; i < x->depth; i++)
        ww_buf_add_c(x->out, "  ");
}

void ww_xml_open(struct ww_xml *x, const char *name)
{
    assert(x->depth < WW_XML_DEPTH && (x->depth > 0 || !x->has_root));
    end_tag(x);
    if (x->depth == 0 || !x->level[x->depth - 1].has_text)
        new_line(x);
    if (x->depth > 0)
        x->level[x->depth - 1].has_elements = true;
    ww_buf_printf(x->out, "<%s", name);
    x->level[x->depth].name = name;
    x->level[x->depth].has_text = x->level[x->depth].has_elements = false;
    x->depth++;
    x->has_root = x->tag_is_open = true;
}

void ww_xml_attr(struct ww_xml *x, const char *name, ww_str value)
{
    assert(x->tag_is_open);
    if (value.ptr == NULL)
        return;
    ww_buf_printf(x->out, " %s=\"", name);
    put(x, value, true);
    ww_buf_add_char(x->out, '"');
}

void ww_xml_attr_int(struct ww_xml *x, const char *name, int64_t value)
{
    assert(x->tag_is_open);
    ww_buf_printf(x->out, " %s=\"%" PRId64 "\"", name, value);
}

void ww_xml_text(struct ww_xml *x, ww_str text)
{
    assert(x->depth > 0);
    if (text.len == 0)
        return;
    end_tag(x);
    x->level[x->depth - 1].has_text = true;
    put(x, text, false);
}

void ww_xml_close(struct ww_xml *x)
{
    assert(x->depth > 0);
    x->depth--;
    if (x->tag_is_open) {
        ww_buf_add_c(x->out, "/>");
        x->tag_is_open = false;
        return;
    }
    if (x->level[x->depth].has_elements && !x->level[x->depth].has_text)
        new_line(x);
    ww_buf_printf(x->out, "</%s>", x->level[x->depth].name);
}

void ww_xml_finish(struct ww_xml *x)
{
    assert(x->depth == 0 && x->has_root);
    ww_buf_add_char(x->out, '\n');
}

/* judge: texts to views: words, tags, entities, and pages of metrics. */
#include "build.h"

#define ENTITY_MAX 10   /* bytes between & and ; */
#define NO_BREAK   0xa0 /* U+00A0 */

/* ---- entities */

/* U+00A0 to U+00FF, as HTML 4 names them; U+00A0 itself is a blank. */
static const char *const latin1[] = {
    "nbsp",   "iexcl",  "cent",   "pound",  "curren", "yen",    "brvbar", "sect",   "uml",
    "copy",   "ordf",   "laquo",  "not",    "shy",    "reg",    "macr",   "deg",    "plusmn",
    "sup2",   "sup3",   "acute",  "micro",  "para",   "middot", "cedil",  "sup1",   "ordm",
    "raquo",  "frac14", "frac12", "frac34", "iquest", "Agrave", "Aacute", "Acirc",  "Atilde",
    "Auml",   "Aring",  "AElig",  "Ccedil", "Egrave", "Eacute", "Ecirc",  "Euml",   "Igrave",
    "Iacute", "Icirc",  "Iuml",   "ETH",    "Ntilde", "Ograve", "Oacute", "Ocirc",  "Otilde",
    "Ouml",   "times",  "Oslash", "Ugrave", "Uacute", "Ucirc",  "Uuml",   "Yacute", "THORN",
    "szlig",  "agrave", "aacute", "acirc",  "atilde", "auml",   "aring",  "aelig",  "ccedil",
    "egrave", "eacute", "ecirc",  "euml",   "igrave", "iacute", "icirc",  "iuml",   "eth",
    "ntilde", "ograve", "oacute", "ocirc",  "otilde", "ouml",   "divide", "oslash", "ugrave",
    "uacute", "ucirc",  "uuml",   "yacute", "thorn",  "yuml",
};

/* "#233", "#xe9": the code point, or 0. */
static uint32_t numbered(ww_str name)
{
    bool hex = name.len > 2 && (name.ptr[1] == 'x' || name.ptr[1] == 'X');
    uint32_t code = 0;

    for (size_t i = hex ? 2 : 1; i < name.len; i++) {
        char c = name.ptr[i];
        uint32_t digit = c >= '0' && c <= '9'          ? (uint32_t)(c - '0')
                         : hex && c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : hex && c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                       : 99;
        if (digit == 99)
            return 0;
        code = code * (hex ? 16 : 10) + digit;
        if (code > 0x10ffff)
            return 0;
    }
    return code >= 0xd800 && code < 0xe000 ? 0 : code;
}

static uint32_t entity(ww_str name)
{
    static const struct {
        ww_str name;
        uint32_t code;
    } basic[] = { { { "amp", 3 }, '&' },
                  { { "lt", 2 }, '<' },
                  { { "gt", 2 }, '>' },
                  { { "quot", 4 }, '"' },
                  { { "apos", 4 }, '\'' } };

    if (name.len > 1 && name.ptr[0] == '#')
        return numbered(name);
    for (size_t i = 0; i < sizeof basic / sizeof *basic; i++) {
        if (ww_str_eq(name, basic[i].name))
            return basic[i].code;
    }
    for (size_t i = 0; i < sizeof latin1 / sizeof *latin1; i++) {
        if (ww_str_eq(name, ww_str_c(latin1[i])))
            return NO_BREAK + (uint32_t)i;
    }
    return 0;
}

/* The word with its entities decoded; itself if it has none. Borrowed until the next. */
static ww_str decoded(struct ww_buf *out, ww_str word)
{
    if (word.len == 0 || memchr(word.ptr, '&', word.len) == NULL)
        return word;
    ww_buf_clear(out);
    for (size_t i = 0; i < word.len; i++) {
        ww_str rest = ww_str_upto(ww_str_from(word, i + 1), ENTITY_MAX + 1);
        ptrdiff_t end = word.ptr[i] == '&' ? ww_str_find(rest, WW_STR(";")) : -1;
        uint32_t code = end > 0 ? entity(ww_str_upto(rest, (size_t)end)) : 0;
        if (code == 0) {
            ww_buf_add_char(out, word.ptr[i]);
        } else {
            ww_buf_add_point(out, code == NO_BREAK ? ' ' : code);
            i += (size_t)end + 1;
        }
    }
    return ww_buf_str(out);
}

/* ---- metrics (the Prometheus text format, OpenMetrics) */

/* "NAME{labels} VALUE [TIME]" and "# TYPE NAME KIND" */
static void add_metric(struct build *b, ww_str line)
{
    bool type = ww_str_starts(line, WW_STR("# TYPE "));
    ptrdiff_t labels = ww_str_find(line, WW_STR("}"));
    ww_str name, value, rest = line;

    if (type) {
        rest = ww_str_from(line, 7);
        ww_str_cut(&rest, ' ', &name);
    } else if (line.len == 0 || line.ptr[0] == '#') {
        return;
    } else if (labels >= 0) {
        name = ww_str_upto(line, (size_t)labels + 1);
        rest = ww_str_from(line, (size_t)labels + 1);
    } else {
        ww_str_cut(&rest, ' ', &name);
    }
    rest = ww_str_trim(rest.ptr == NULL ? WW_STR("") : rest);
    ww_str_cut(&rest, ' ', &value);
    if (name.len == 0 || value.len == 0)
        return;
    ww_buf_clear(&b->path);
    ww_buf_add_c(&b->path, type ? "type " : "metric ");
    ww_buf_add(&b->path, ww_str_upto(name, PATH_BYTES));
    ww_build_leaf(b, ww_buf_str(&b->path), value);
    ww_build_break(b);
}

static void add_metrics(struct build *b, ww_str text)
{
    ww_str line;

    while (!(b->view.cut && b->view.leaves >= LEAVES_MAX) && ww_str_cut(&text, '\n', &line)) {
        add_metric(b, ww_str_trim(line));
    }
}

/* ---- words */

struct words {
    struct build *b;
    struct ww_buf scratch;
    bool markup, in_tag;
};

static bool text_break(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '<' || c == '>' ||
           c == '"' || c == '\'';
}

/* What stands between two tags is one text, and so is an attribute's value; without markup it
 * is a line. */
static void note_break(struct words *w, char c)
{
    bool ends =
        w->markup ? c == '<' || c == '>' || (w->in_tag && (c == '"' || c == '\'')) : c == '\n';

    if (ends)
        ww_build_break(w->b);
    if (w->markup && (c == '<' || c == '>'))
        w->in_tag = c == '<';
}

/* Each word is a leaf whose place is the word before it. */
static void add_word(struct words *w, const struct word *before, ww_str text)
{
    struct build *b = w->b;
    bool noise = before == NULL || before->is_number || before->volatile_value;

    ww_buf_clear(&b->path);
    ww_buf_add_c(&b->path, "after ");
    ww_buf_add(&b->path, noise ? WW_STR("#") : ww_str_upto(before->text, PATH_BYTES / 2));
    ww_build_leaf(b, before == NULL ? WW_STR("/") : ww_buf_str(&b->path),
                  w->markup ? decoded(&w->scratch, text) : text);
}

static void add_words(struct words *w, ww_str text)
{
    struct normal *n = w->b->n;
    struct word *before = NULL;

    for (size_t at = 0; at < text.len;) {
        size_t from = at;
        while (from < text.len && text_break(text.ptr[from])) {
            note_break(w, text.ptr[from++]);
        }
        for (at = from; at < text.len && !text_break(text.ptr[at]);) {
            at++;
        }
        if (at == from)
            return;
        add_word(w, before, ww_str_n(text.ptr + from, at - from));
        if (w->b->view.cut && w->b->view.leaves >= LEAVES_MAX)
            return;
        before = &n->word[n->leaf[w->b->view.leaves - 1].value];
    }
}

void ww_build_text(struct build *b, ww_str type, ww_str text)
{
    struct words w = { .b = b };

    if (ww_str_starts(text, WW_STR("# TYPE ")) || ww_str_starts(text, WW_STR("# HELP ")) ||
        ww_str_find_nocase(type, WW_STR("openmetrics")) >= 0) {
        add_metrics(b, text);
        return;
    }
    w.markup = ww_str_find_nocase(type, WW_STR("html")) >= 0 ||
               ww_str_find_nocase(type, WW_STR("xml")) >= 0 ||
               ww_str_starts(ww_str_trim(text), WW_STR("<"));
    ww_buf_init(&w.scratch, text.len + 1);
    add_words(&w, text);
    ww_buf_release(&w.scratch);
}

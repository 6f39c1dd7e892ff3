/* JSON, event by event: one pass, no recursion, no memory but for strings with escapes. */
#include "scan.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

void scan_init(struct scan *s, ww_str text)
{
    *s = (struct scan){ .text = text, .wants = SCAN_VALUE };
    ww_buf_init(&s->unescaped, text.len);
}

void scan_release(struct scan *s)
{
    ww_buf_release(&s->unescaped);
}

static enum scan_event wrong(struct scan *s)
{
    s->wants = SCAN_NOTHING;
    s->at = s->text.len + 1; /* and so it stays */
    return SCAN_WRONG;
}

static char peek(const struct scan *s)
{
    return s->at < s->text.len ? s->text.ptr[s->at] : '\0';
}

static void skip_blanks(struct scan *s)
{
    while (s->at < s->text.len && (s->text.ptr[s->at] == ' ' || s->text.ptr[s->at] == '\n' ||
                                   s->text.ptr[s->at] == '\t' || s->text.ptr[s->at] == '\r'))
        s->at++;
}

/* ---- nesting */

static bool in_array(const struct scan *s)
{
    size_t d = s->depth - 1;

    return (s->array[d / 8] >> (d % 8) & 1) != 0;
}

static enum scan_event enter(struct scan *s, bool array)
{
    if (s->depth == SCAN_DEPTH_MAX)
        return wrong(s);

    unsigned bit = 1u << (s->depth % 8);
    unsigned char *byte = &s->array[s->depth / 8];

    *byte = (unsigned char)(array ? *byte | bit : *byte & ~bit);
    s->depth++;
    s->at++;
    s->wants = SCAN_FIRST;
    return array ? SCAN_ARRAY : SCAN_OBJECT;
}

static void value_over(struct scan *s)
{
    s->wants = s->depth == 0 ? SCAN_NOTHING : SCAN_NEXT;
}

static enum scan_event leave(struct scan *s)
{
    bool array = in_array(s);

    if (peek(s) != (array ? ']' : '}'))
        return wrong(s);
    s->at++;
    s->depth--;
    value_over(s);
    return array ? SCAN_ARRAY_END : SCAN_OBJECT_END;
}

/* ---- strings */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Four hex digits at `at`; -1 if there are none. */
static int32_t code_unit(const struct scan *s, size_t at)
{
    int32_t unit = 0;

    for (size_t i = 0; i < 4; i++) {
        int digit = at + i < s->text.len ? hex_digit(s->text.ptr[at + i]) : -1;
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

/* Behind "\u": a code unit, or a pair of surrogates (RFC 8259 7). */
static bool take_unicode(struct scan *s)
{
    int32_t first = code_unit(s, s->at), second;

    if (first < 0 || (first >= 0xdc00 && first <= 0xdfff))
        return false;
    s->at += 4;
    if (first < 0xd800 || first > 0xdbff) {
        ww_buf_add_point(&s->unescaped, (uint32_t)first);
        return true;
    }
    if (s->at + 1 >= s->text.len || s->text.ptr[s->at] != '\\' || s->text.ptr[s->at + 1] != 'u')
        return false;
    second = code_unit(s, s->at + 2);
    if (second < 0xdc00 || second > 0xdfff)
        return false;
    s->at += 6;
    ww_buf_add_point(&s->unescaped,
                   0x10000 + ((uint32_t)(first - 0xd800) << 10) + (uint32_t)(second - 0xdc00));
    return true;
}

static bool take_escape(struct scan *s)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = s->at + 1 < s->text.len ? s->text.ptr[s->at + 1] : '\0';
    const char *known = c == '\0' ? NULL : strchr(from, c);

    s->at += 2;
    if (c == 'u')
        return take_unicode(s);
    if (known == NULL)
        return false;
    ww_buf_add_char(&s->unescaped, to[known - from]);
    return true;
}

/* As far as a run of text goes that stands for itself; false where it is no UTF-8. */
static bool skip_plain(struct scan *s)
{
    while (s->at < s->text.len) {
        unsigned char c = (unsigned char)s->text.ptr[s->at];
        size_t len = 1;

        if (c == '"' || c == '\\')
            return true;
        if (c < 0x20)
            return false;
        if (c >= 0x80)
            len = ww_utf8_len(ww_str_from(s->text, s->at));
        if (len == 0)
            return false;
        s->at += len;
    }
    return false;
}

/* From its quote on. One without escapes is a slice of the text. */
static bool take_string(struct scan *s, ww_str *out)
{
    size_t from = ++s->at;

    if (!skip_plain(s))
        return false;
    if (peek(s) == '"') {
        *out = ww_str_n(s->text.ptr + from, s->at++ - from);
        return true;
    }
    ww_buf_clear(&s->unescaped);
    for (;;) {
        ww_buf_add(&s->unescaped, ww_str_n(s->text.ptr + from, s->at - from));
        if (peek(s) == '"')
            break;
        if (!take_escape(s))
            return false;
        from = s->at;
        if (!skip_plain(s))
            return false;
    }
    s->at++;
    *out = ww_buf_str(&s->unescaped);
    return true;
}

/* ---- other scalars */

static size_t skip_digits(struct scan *s)
{
    size_t from = s->at;

    while (s->at < s->text.len && s->text.ptr[s->at] >= '0' && s->text.ptr[s->at] <= '9')
        s->at++;
    return s->at - from;
}

/* RFC 8259 6; false where it is malformed. */
static bool skip_number(struct scan *s, bool *out_real)
{
    s->at += peek(s) == '-';
    if (peek(s) == '0')
        s->at++;
    else if (skip_digits(s) == 0)
        return false;
    *out_real = false;
    if (peek(s) == '.') {
        s->at++;
        *out_real = true;
        if (skip_digits(s) == 0)
            return false;
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        s->at++;
        *out_real = true;
        s->at += peek(s) == '+' || peek(s) == '-';
        if (skip_digits(s) == 0)
            return false;
    }
    return true;
}

static enum scan_event take_number(struct scan *s, ww_str *out)
{
    char text[SCAN_NUMBER_MAX + 1];
    size_t from = s->at;
    bool real;

    if (!skip_number(s, &real) || s->at - from > SCAN_NUMBER_MAX)
        return wrong(s);
    *out = ww_str_n(s->text.ptr + from, s->at - from);
    value_over(s);
    if (!real && out->len <= 18)
        return SCAN_INTEGER;
    memcpy(text, out->ptr, out->len);
    text[out->len] = '\0';
    errno = 0;
    if (real)
        return isfinite(strtod(text, NULL)) ? SCAN_REAL : wrong(s);
    (void)strtoll(text, NULL, 10);
    return errno == 0 ? SCAN_INTEGER : wrong(s);
}

static enum scan_event take_literal(struct scan *s, ww_str literal, enum scan_event event)
{
    if (!ww_str_starts(ww_str_from(s->text, s->at), literal))
        return wrong(s);
    s->at += literal.len;
    value_over(s);
    return event;
}

/* ---- what may stand where */

static enum scan_event take_value(struct scan *s, ww_str *out)
{
    char c = peek(s);

    switch (c) {
    case '{':
        return enter(s, false);
    case '[':
        return enter(s, true);
    case '"':
        if (!take_string(s, out))
            return wrong(s);
        value_over(s);
        return SCAN_STRING;
    case 't':
        return take_literal(s, WW_STR("true"), SCAN_TRUE);
    case 'f':
        return take_literal(s, WW_STR("false"), SCAN_FALSE);
    case 'n':
        return take_literal(s, WW_STR("null"), SCAN_NULL);
    default:
        return c == '-' || (c >= '0' && c <= '9') ? take_number(s, out) : wrong(s);
    }
}

static enum scan_event take_key(struct scan *s, ww_str *out)
{
    if (peek(s) != '"' || !take_string(s, out) ||
        (out->len > 0 && memchr(out->ptr, '\0', out->len) != NULL))
        return wrong(s);
    skip_blanks(s);
    if (peek(s) != ':')
        return wrong(s);
    s->at++;
    s->wants = SCAN_VALUE;
    return SCAN_KEY;
}

/* Behind a value in a list: another one, or the list's end. */
static enum scan_event take_next(struct scan *s, ww_str *out)
{
    if (peek(s) != ',')
        return leave(s);
    s->at++;
    skip_blanks(s);
    return in_array(s) ? take_value(s, out) : take_key(s, out);
}

enum scan_event scan_next(struct scan *s, ww_str *out_text)
{
    skip_blanks(s);
    switch (s->wants) {
    case SCAN_VALUE:
        return take_value(s, out_text);
    case SCAN_FIRST:
        if (peek(s) == ']' || peek(s) == '}')
            return leave(s);
        return in_array(s) ? take_value(s, out_text) : take_key(s, out_text);
    case SCAN_NEXT:
        return take_next(s, out_text);
    case SCAN_NOTHING:
        return s->at == s->text.len ? SCAN_END : wrong(s);
    }
    return SCAN_WRONG;
}

/* The framing of chunks: sizes, extensions, trailers; every line must end in CR LF. */
#include "chunk.h"

#define SIZE_DIGITS 15 /* hexadecimal: no sum of what is left can overflow */

void chunks_begin(struct chunks *c, uint64_t max_extra)
{
    *c = (struct chunks){ .max_extra = max_extra, .why = "" };
}

static int hex_digit(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    if (ch >= 'a' && ch <= 'f')
        return ch - 'a' + 10;
    if (ch >= 'A' && ch <= 'F')
        return ch - 'A' + 10;
    return -1;
}

static bool bad(struct chunks *c, const char *why)
{
    c->why = why;
    return false;
}

static bool on_size(struct chunks *c, char ch)
{
    int digit = hex_digit(ch);

    if (digit >= 0 && c->digits < SIZE_DIGITS) {
        c->left = c->left << 4 | (unsigned)digit;
        c->digits++;
        return true;
    }
    if (c->digits == 0 || (ch != '\r' && ch != ';'))
        return bad(c, "a chunk's size is not a hexadecimal number of at most 15 digits");
    c->state = ch == ';' ? CHUNK_EXTENSION : CHUNK_SIZE_LF;
    c->last = c->left == 0;
    c->extra -= c->extra < c->left ? c->extra : c->left;
    return true;
}

static bool on_text(struct chunks *c, char ch, enum chunk_state behind)
{
    if (ch == '\r') {
        c->state = behind;
        return true;
    }
    if (((unsigned char)ch < 0x20 && ch != '\t') || ch == 0x7f)
        return bad(c, "a control character stands in a chunk extension or a trailer");
    if (++c->extra > c->max_extra)
        return bad(c, "the chunk extensions or trailers are too long");
    return true;
}

static bool on_line_feed(struct chunks *c, char ch, enum chunk_state behind)
{
    c->state = behind;
    return ch == '\n' || bad(c, "a line of the chunk framing does not end in CR LF");
}

static bool on_line(struct chunks *c, char ch)
{
    if (ch == '\r') {
        c->state = CHUNK_LAST_LF;
        return true;
    }
    if (ch == ' ' || ch == '\t')
        return bad(c, "a trailer is folded");
    c->state = CHUNK_TRAILER;
    return on_text(c, ch, CHUNK_TRAILER_LF);
}

static bool on_size_line_ended(struct chunks *c, char ch)
{
    if (c->last)
        c->extra = 0; /* the trailers have the allowance for themselves */
    c->digits = 0;
    return on_line_feed(c, ch, c->last ? CHUNK_LINE : CHUNK_DATA);
}

static bool on_byte(struct chunks *c, char ch)
{
    switch (c->state) {
    case CHUNK_SIZE:
        return on_size(c, ch);
    case CHUNK_EXTENSION:
        return on_text(c, ch, CHUNK_SIZE_LF);
    case CHUNK_SIZE_LF:
        return on_size_line_ended(c, ch);
    case CHUNK_DATA_CR:
        c->state = CHUNK_DATA_LF;
        return ch == '\r' || bad(c, "a chunk's data are not followed by CR LF");
    case CHUNK_DATA_LF:
        return on_line_feed(c, ch, CHUNK_SIZE);
    case CHUNK_LINE:
        return on_line(c, ch);
    case CHUNK_TRAILER:
        return on_text(c, ch, CHUNK_TRAILER_LF);
    case CHUNK_TRAILER_LF:
        return on_line_feed(c, ch, CHUNK_LINE);
    case CHUNK_DATA:
    case CHUNK_LAST_LF:
        break;
    }
    return ch == '\n' || bad(c, "a line of the chunk framing does not end in CR LF");
}

enum ww_parse chunks_scan(struct chunks *c, ww_str bytes, size_t *out_used)
{
    size_t at = 0;

    while (at < bytes.len) {
        if (c->state == CHUNK_DATA) {
            size_t run = bytes.len - at < c->left ? bytes.len - at : (size_t)c->left;

            at += run;
            c->left -= run;
            if (c->left == 0)
                c->state = CHUNK_DATA_CR;
            continue;
        }

        bool over = c->state == CHUNK_LAST_LF;

        if (!on_byte(c, bytes.ptr[at++]))
            return WW_PARSE_BAD;
        if (over) {
            *out_used = at;
            return WW_PARSE_DONE;
        }
    }
    *out_used = at;
    return WW_PARSE_MORE;
}

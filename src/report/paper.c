/* report: lines of text for a terminal or a log. */
#include "words.h"

#include <whichworker/paper.h>
#include <whichworker/units.h>

#include <inttypes.h>

#define DEFAULT_WIDTH 96
#define MIN_WIDTH     64
#define MAX_WIDTH     240
#define MAX_PRINTABLE 65536 /* of one piece of text, escaped; more is cut */
#define ELLIPSIS      WW_STR("...")

void ww_paper_init(struct ww_paper *p, struct ww_buf *out, bool colour, unsigned width)
{
    size_t w = width == 0 ? DEFAULT_WIDTH : width;

    *p = (struct ww_paper){ .out = out, .colour = colour, .width = w };
    if (p->width < MIN_WIDTH)
        p->width = MIN_WIDTH;
    if (p->width > MAX_WIDTH)
        p->width = MAX_WIDTH;
}

void ww_paper_printf(struct ww_paper *p, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    ww_buf_vprintf(p->out, fmt, ap);
    va_end(ap);
}

void ww_paper_ink(struct ww_paper *p, enum ww_ink ink)
{
    static const char *const codes[] = {
        [WW_INK_PLAIN] = "\x1b[0m",    [WW_INK_BOLD] = "\x1b[1m",
        [WW_INK_DIM] = "\x1b[2m",      [WW_INK_RED] = "\x1b[1;31m",
        [WW_INK_GREEN] = "\x1b[1;32m", [WW_INK_YELLOW] = "\x1b[1;33m",
    };

    if (p->colour)
        ww_buf_add_c(p->out, codes[ink]);
}

void ww_paper_worker_ink(struct ww_paper *p, size_t worker)
{
    static const char *const codes[] = { "\x1b[36m", "\x1b[33m", "\x1b[35m",
                                         "\x1b[32m", "\x1b[34m", "\x1b[31m" };

    if (p->colour)
        ww_buf_add_c(p->out, codes[worker % (sizeof(codes) / sizeof(codes[0]))]);
}

/* ---- printable text; a column is a code point */

static bool starts_char(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

static size_t columns_of(ww_str printable)
{
    size_t n = 0;

    for (size_t i = 0; i < printable.len; i++)
        n += starts_char(printable.ptr[i]);
    return n;
}

/* The bytes of the first n columns. */
static size_t bytes_of(ww_str printable, size_t n)
{
    size_t i = 0;

    for (; i < printable.len; i++) {
        if (!starts_char(printable.ptr[i]))
            continue;
        if (n == 0)
            break;
        n--;
    }
    return i;
}

void ww_paper_printable(struct ww_buf *b, ww_str s)
{
    ww_buf_init(b, MAX_PRINTABLE);
    ww_words_add(b, s);
}

size_t ww_paper_columns(ww_str s)
{
    struct ww_buf b;

    ww_paper_printable(&b, s);
    size_t n = columns_of(ww_buf_str(&b));
    ww_buf_release(&b);
    return n;
}

static void pad_to(struct ww_paper *p, size_t have, size_t want)
{
    for (; have < want; have++)
        ww_buf_add_char(p->out, ' ');
}

void ww_paper_cell(struct ww_paper *p, ww_str s, size_t columns, bool pad)
{
    struct ww_buf b;

    ww_paper_printable(&b, s);
    ww_str text = ww_buf_str(&b);
    size_t have = columns_of(text);
    bool cut = have > columns || b.full;
    if (cut && columns > ELLIPSIS.len) {
        have = have < columns - ELLIPSIS.len ? have : columns - ELLIPSIS.len;
        ww_buf_add(p->out, ww_str_upto(text, bytes_of(text, have)));
        ww_buf_add(p->out, ELLIPSIS);
        have += ELLIPSIS.len;
    } else {
        have = have < columns ? have : columns;
        ww_buf_add(p->out, ww_str_upto(text, bytes_of(text, have)));
    }
    if (pad)
        pad_to(p, have, columns);
    ww_buf_release(&b);
}

ww_str ww_paper_piece(ww_str *rest, size_t columns)
{
    size_t bytes = bytes_of(*rest, columns);

    while (columns > 1 && ww_str_starts(ww_str_from(*rest, bytes), WW_STR("::")))
        bytes = bytes_of(*rest, --columns);

    ww_str piece = ww_str_upto(*rest, bytes);

    *rest = ww_str_from(*rest, bytes);
    return piece;
}

static size_t word_len(ww_str s)
{
    ptrdiff_t space = ww_str_find(s, WW_STR(" "));

    return space < 0 ? s.len : (size_t)space;
}

static void new_line(struct ww_paper *p, size_t indent)
{
    ww_buf_add_char(p->out, '\n');
    pad_to(p, 0, indent);
}

/* A word that is wider than a line is broken where the line ends. */
static size_t put_word(struct ww_paper *p, ww_str word, size_t at, size_t indent)
{
    size_t columns = columns_of(word);

    while (at + columns > p->width) {
        size_t fit = p->width > at ? p->width - at : 0;
        size_t bytes = bytes_of(word, fit);

        /* A line must not begin with "::" (ww_words_add). */
        while (fit > 1 && ww_str_starts(ww_str_from(word, bytes), WW_STR("::")))
            bytes = bytes_of(word, --fit);
        ww_buf_add(p->out, ww_str_upto(word, bytes));
        word = ww_str_from(word, bytes);
        columns -= fit;
        new_line(p, indent);
        at = indent;
    }
    ww_buf_add(p->out, word);
    return at + columns;
}

void ww_paper_wrap(struct ww_paper *p, size_t at, size_t indent, ww_str s)
{
    struct ww_buf b;
    bool first = true;

    ww_paper_printable(&b, s);
    for (ww_str rest = ww_buf_str(&b); rest.len > 0;) {
        ww_str word = ww_str_upto(rest, word_len(rest));
        rest = ww_str_from(rest, word.len + 1);
        if (word.len == 0)
            continue;
        if (!first && at + 1 + columns_of(word) > p->width) {
            new_line(p, indent);
            at = indent;
        } else if (!first) {
            ww_buf_add_char(p->out, ' ');
            at++;
        }
        at = put_word(p, word, at, indent);
        first = false;
    }
    ww_buf_add_char(p->out, '\n');
    ww_buf_release(&b);
}

/* ---- numbers */

void ww_paper_count(struct ww_paper *p, uint64_t n, const char *one, const char *many)
{
    ww_paper_printf(p, "%" PRIu64 " %s", n, n == 1 ? one : many);
}

void ww_paper_clock(struct ww_paper *p, int64_t wall_us)
{
    char text[WW_TIME_TEXT];

    if (wall_us == 0) {
        ww_buf_add(p->out, WW_STR("--:--:--.---"));
        return;
    }
    ww_time_text(wall_us, text);
    ww_buf_add(p->out, ww_str_n(text + 11, WW_PAPER_CLOCK));
}

void ww_paper_section(struct ww_paper *p, const char *title)
{
    ww_paper_printf(p, "\n");
    ww_paper_ink(p, WW_INK_BOLD);
    ww_paper_printf(p, "%s", title);
    ww_paper_ink(p, WW_INK_PLAIN);
    ww_paper_printf(p, "\n");
}

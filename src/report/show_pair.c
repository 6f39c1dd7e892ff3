/* Two exchanges side by side: lines that are the same beside each other, the others marked. */
#include "show.h"

#include <stdio.h>
#include <stdlib.h>

#define LINES_MAX 2000 /* of one part; longer ones are compared place by place */
#define LABEL     12
#define GUTTER    3 /* " | " */

struct pair {
    struct ww_paper paper;
    size_t column; /* width of either side */
    size_t differ[SHOW_PARTS];
};

static bool is_same(const struct show_line *a, const struct show_line *b)
{
    return ww_str_eq(a->text, b->text);
}

/* ---- one row */

static void put_row(struct pair *p, const struct show_line *a, const struct show_line *b,
                    char mark)
{
    const char *label = a != NULL ? a->label : b != NULL ? b->label : NULL;
    size_t column = p->column - (label == NULL ? 0 : LABEL / 2);
    struct ww_buf left, right;
    bool first = true;

    ww_paper_printable(&left, a == NULL ? WW_STR("") : a->text);
    ww_paper_printable(&right, b == NULL ? WW_STR("") : b->text);

    ww_str rest_a = ww_buf_str(&left), rest_b = ww_buf_str(&right);

    for (; first || rest_a.len > 0 || rest_b.len > 0; first = false) {
        if (label != NULL)
            ww_paper_printf(&p->paper, "%-*s", LABEL, first ? label : "");
        if (mark != ' ')
            ww_paper_ink(&p->paper, WW_INK_YELLOW);
        ww_paper_cell(&p->paper, ww_paper_piece(&rest_a, column), column, true);
        ww_paper_printf(&p->paper, rest_b.len > 0 ? " %c " : " %c", mark);
        ww_paper_cell(&p->paper, ww_paper_piece(&rest_b, column), column, false);
        if (mark != ' ')
            ww_paper_ink(&p->paper, WW_INK_PLAIN);
        ww_paper_printf(&p->paper, "\n");
    }
    ww_buf_release(&left);
    ww_buf_release(&right);
}

/* ---- which lines belong together */

/* A run of lines that have no equal on the other side: they changed, as far as there are two.
 */
static void put_gap(struct pair *p, enum show_part part, const struct show_line *a, size_t n,
                    const struct show_line *b, size_t m)
{
    for (size_t i = 0; i < n || i < m; i++) {
        const struct show_line *left = i < n ? &a[i] : NULL;
        const struct show_line *right = i < m ? &b[i] : NULL;
        bool same = left != NULL && right != NULL && is_same(left, right);

        p->differ[part] += !same;
        put_row(p, left, right, same ? ' ' : left == NULL ? '>' : right == NULL ? '<' : '|');
    }
}

/* length[i * (m + 1) + j]: of the longest common subsequence of a[i…] and b[j…]. */
static uint16_t *common_lengths(const struct show_line *a, size_t n, const struct show_line *b,
                                size_t m)
{
    uint16_t *length = ww_xcalloc((n + 1) * (m + 1), sizeof(*length));

    for (size_t i = n; i-- > 0;) {
        for (size_t j = m; j-- > 0;) {
            uint16_t down = length[(i + 1) * (m + 1) + j], right = length[i * (m + 1) + j + 1];

            length[i * (m + 1) + j] = is_same(&a[i], &b[j])
                                          ? (uint16_t)(length[(i + 1) * (m + 1) + j + 1] + 1)
                                          : (down > right ? down : right);
        }
    }
    return length;
}

static void put_aligned(struct pair *p, enum show_part part, const struct show_line *a,
                        size_t n, const struct show_line *b, size_t m)
{
    uint16_t *length = common_lengths(a, n, b, m);
    size_t i = 0, j = 0, from_i = 0, from_j = 0;

    while (i < n && j < m) {
        if (is_same(&a[i], &b[j])) {
            put_gap(p, part, a + from_i, i - from_i, b + from_j, j - from_j);
            put_row(p, &a[i++], &b[j++], ' ');
            from_i = i;
            from_j = j;
        } else if (length[(i + 1) * (m + 1) + j] >= length[i * (m + 1) + j + 1]) {
            i++;
        } else {
            j++;
        }
    }
    put_gap(p, part, a + from_i, n - from_i, b + from_j, m - from_j);
    free(length);
}

static void put_part(struct pair *p, const struct ww_show *a, const struct ww_show *b,
                     enum show_part part)
{
    const struct show_lines *x = &a->part[part], *y = &b->part[part];

    if (part == SHOW_FACTS || x->n > LINES_MAX || y->n > LINES_MAX)
        put_gap(p, part, x->v, x->n, y->v, y->n);
    else
        put_aligned(p, part, x->v, x->n, y->v, y->n);
}

/* ---- all of it */

static void put_message(struct pair *p, const struct ww_show *a, const struct ww_show *b,
                        const char *title, enum show_part head, enum show_part body)
{
    ww_paper_section(&p->paper, title);
    put_part(p, a, b, head);
    if (a->part[body].n > 0 || b->part[body].n > 0)
        ww_paper_printf(&p->paper, "\n");
    put_part(p, a, b, body);
}

static void put_sum(struct pair *p)
{
    static const char *const what[SHOW_PARTS] = { "in what is known of them", "of the request",
                                                  "of the request's body", "of the response",
                                                  "of the response's body" };
    const char *between = "\ndiffer: ";

    for (int part = 0; part < SHOW_PARTS; part++) {
        if (p->differ[part] == 0)
            continue;
        ww_paper_printf(&p->paper, "%s", between);
        ww_paper_count(&p->paper, p->differ[part], "line", "lines");
        ww_paper_printf(&p->paper, " %s", what[part]);
        between = ", ";
    }
    ww_paper_printf(&p->paper, "%s\n", *between == '\n' ? "\nnothing differs" : "");
}

static const struct show_line *line_of(struct show_line *line, const struct ww_show *s)
{
    *line = (struct show_line){ .label = "exchange", .text = ww_str_c(s->name) };
    return line;
}

void ww_show_pair(const struct ww_show *left, const struct ww_show *right,
                  const struct ww_report_style *style, struct ww_buf *out)
{
    struct pair p = { 0 };
    struct show_line a, b;

    ww_paper_init(&p.paper, out, style->colour, style->width);
    p.column = (p.paper.width - GUTTER) / 2;
    put_row(&p, line_of(&a, left), line_of(&b, right), ' ');
    put_part(&p, left, right, SHOW_FACTS);
    put_message(&p, left, right, "Request", SHOW_REQUEST, SHOW_REQUEST_BODY);
    put_message(&p, left, right, "Response", SHOW_RESPONSE, SHOW_RESPONSE_BODY);
    put_sum(&p);
}

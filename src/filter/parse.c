/* A filter's text to a tree. Adjacent filters must all match, as with &, but bind less than |.
 */
#include "node.h"

#include <stdlib.h>

#define TEXT_MAX  4096
#define NODES_MAX 256
#define DEPTH_MAX 50
#define SHOWN     60 /* columns of a long text that are shown around a mistake */

enum argument {
    ARG_NONE,
    ARG_PATTERN,
    ARG_CODE,
    ARG_WORKER,
    ARG_SESSION,
    ARG_VERDICT,
    ARG_SOURCE
};

/* clang-format off */
static const struct operator {
    const char *name;
    enum node_kind kind;
    enum node_side side;
    enum argument argument;
    const char *wants; /* what is missing when the argument is */
} operators[] = {
    { "all",   NODE_ALL,         SIDE_BOTH,     ARG_NONE,    NULL },
    { "att",   NODE_SOURCE,      SIDE_BOTH,     ARG_SOURCE,  "a source: kernel, preload, header, ambiguous, unknown, none or known" },
    { "b",     NODE_BODY,        SIDE_BOTH,     ARG_PATTERN, "a pattern" },
    { "bq",    NODE_BODY,        SIDE_REQUEST,  ARG_PATTERN, "a pattern" },
    { "bs",    NODE_BODY,        SIDE_RESPONSE, ARG_PATTERN, "a pattern" },
    { "c",     NODE_CODE,        SIDE_RESPONSE, ARG_CODE,    "a status: 404, or 5xx" },
    { "d",     NODE_DOMAIN,      SIDE_REQUEST,  ARG_PATTERN, "a pattern" },
    { "e",     NODE_ERROR,       SIDE_BOTH,     ARG_NONE,    NULL },
    { "h",     NODE_FIELD,       SIDE_BOTH,     ARG_PATTERN, "a pattern" },
    { "hq",    NODE_FIELD,       SIDE_REQUEST,  ARG_PATTERN, "a pattern" },
    { "hs",    NODE_FIELD,       SIDE_RESPONSE, ARG_PATTERN, "a pattern" },
    { "m",     NODE_METHOD,      SIDE_REQUEST,  ARG_PATTERN, "a pattern" },
    { "q",     NODE_NO_RESPONSE, SIDE_BOTH,     ARG_NONE,    NULL },
    { "s",     NODE_RESPONSE,    SIDE_BOTH,     ARG_NONE,    NULL },
    { "sid",   NODE_SESSION,     SIDE_BOTH,     ARG_SESSION, "a session: s3" },
    { "split", NODE_SPLIT,       SIDE_BOTH,     ARG_NONE,    NULL },
    { "t",     NODE_TYPE,        SIDE_BOTH,     ARG_PATTERN, "a pattern" },
    { "tq",    NODE_TYPE,        SIDE_REQUEST,  ARG_PATTERN, "a pattern" },
    { "ts",    NODE_TYPE,        SIDE_RESPONSE, ARG_PATTERN, "a pattern" },
    { "u",     NODE_URL,         SIDE_REQUEST,  ARG_PATTERN, "a pattern" },
    { "v",     NODE_VERDICT,     SIDE_BOTH,     ARG_VERDICT, "a guarantee, a grade, a cause, a finding (f1) or any" },
    { "w",     NODE_WORKER,      SIDE_BOTH,     ARG_WORKER,  "a worker: a PID, w0, or ? for an unknown one" },
};
/* clang-format on */

struct parse {
    struct ww_filter *f;
    ww_str text;
    size_t at;
    size_t nodes;
    size_t depth;
    struct ww_err *err;
};

/* ---- mistakes */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The text around `at`, and a caret under it: in columns, as it is shown. */
static void point_at(struct ww_err *err, ww_str text, size_t at)
{
    size_t from = at > SHOWN / 2 ? at - SHOWN / 2 : 0;
    size_t to = from + SHOWN < text.len ? from + SHOWN : text.len;
    size_t len = strlen(err->text);
    struct ww_buf line;

    ww_buf_init(&line, 1024);
    ww_buf_add_c(&line, "\n    ");
    ww_buf_add_c(&line, from > 0 ? "..." : "");
    ww_buf_add_printable(&line, ww_str_n(text.ptr + from, at - from));

    size_t column = 0;

    for (size_t i = 1; i < line.len; i++)
        column += ((unsigned char)line.ptr[i] & 0xc0) != 0x80;
    ww_buf_add_printable(&line, ww_str_n(text.ptr + at, to - at));
    ww_buf_add_c(&line, to < text.len ? "..." : "");
    ww_buf_printf(&line, "\n%*s^", (int)column, "");
    snprintf(err->text + len, sizeof(err->text) - len, WW_STRF, WW_STRV(ww_buf_str(&line)));
    ww_buf_release(&line);
}

static struct node *wrong(struct parse *p, size_t at, const char *fmt, ...) WW_FMT(3, 4);

static struct node *wrong(struct parse *p, size_t at, const char *fmt, ...)
{
    char words[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    if (p->err == NULL)
        return NULL;
    ww_err_set(p->err, WW_EUSAGE, "%s", words);
    point_at(p->err, p->text, at);
    return NULL;
}

/* ---- words */

static void skip_blanks(struct parse *p)
{
    while (p->at < p->text.len && is_blank(p->text.ptr[p->at]))
        p->at++;
}

static char peek(const struct parse *p, size_t ahead)
{
    return p->at + ahead < p->text.len ? p->text.ptr[p->at + ahead] : '\0';
}

/* "a|b" is one pattern; "a| b", "a|~c 200" and "a|(b)" are two filters. */
static bool is_junction(const struct parse *p)
{
    char next = peek(p, 1);

    if (peek(p, 0) != '&' && peek(p, 0) != '|')
        return false;
    return p->at + 1 == p->text.len || is_blank(next) || next == '~' || next == '(' ||
           next == ')' || next == '!';
}

static bool ends_word(const struct parse *p)
{
    char c = peek(p, 0);

    return p->at == p->text.len || is_blank(c) || c == '(' || c == ')' || c == '~' ||
           c == '"' || c == '\'' || is_junction(p);
}

/* "..." or '...'; a backslash takes only the quote's meaning away: patterns are full of them.
 */
static bool take_quoted(struct parse *p, ww_str *out)
{
    size_t from = p->at;
    char quote = p->text.ptr[p->at++];
    char *copy = ww_arena_alloc(&p->f->arena, p->text.len + 1);
    size_t len = 0;

    while (p->at < p->text.len && p->text.ptr[p->at] != quote) {
        if (p->text.ptr[p->at] == '\\' && peek(p, 1) != '\0') {
            if (peek(p, 1) != quote)
                copy[len++] = '\\';
            p->at++;
        }
        copy[len++] = p->text.ptr[p->at++];
    }
    if (p->at == p->text.len) {
        wrong(p, from, "the quote is not closed");
        return false;
    }
    p->at++;
    copy[len] = '\0';
    *out = ww_str_n(copy, len);
    return true;
}

/* Absent where there is none. False: it is wrong, and was complained about. */
static bool take_word(struct parse *p, ww_str *out)
{
    size_t from = p->at;

    *out = (ww_str){ 0 };
    if (p->at < p->text.len && (peek(p, 0) == '"' || peek(p, 0) == '\''))
        return take_quoted(p, out);
    while (!ends_word(p))
        p->at++;
    if (p->at > from)
        *out = ww_arena_dup(&p->f->arena, ww_str_n(p->text.ptr + from, p->at - from));
    return true;
}

/* ---- nodes */

static struct node *node_new(struct parse *p, enum node_kind kind)
{
    if (++p->nodes > NODES_MAX)
        return wrong(p, p->at, "the filter has more than %d parts", NODES_MAX);

    struct node *n = ww_arena_alloc(&p->f->arena, sizeof(*n));

    n->kind = kind;
    return n;
}

static struct node *join(struct parse *p, enum node_kind kind, struct node *left,
                         struct node *right)
{
    struct node *n = left == NULL || right == NULL ? NULL : node_new(p, kind);

    if (n != NULL) {
        n->left = left;
        n->right = right;
    }
    return n;
}

static struct node *set_pattern(struct parse *p, struct node *n, ww_str pattern, size_t at)
{
    struct ww_err why = { 0 };
    size_t where = 0;

    if (memchr(pattern.ptr, '\0', pattern.len) != NULL)
        return wrong(p, at, "a pattern cannot hold a NUL");
    n->re = ww_re_new_at(pattern.ptr, true, &where, &why);
    if (n->re == NULL) {
        bool quoted = p->text.ptr[at] == '"' || p->text.ptr[at] == '\'';
        size_t place = at + quoted + where;

        return wrong(p, place < p->text.len ? place : p->text.len, "%s", why.text);
    }
    n->next_re = p->f->first_re;
    p->f->first_re = n;
    return n;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct node *set_code(struct parse *p, struct node *n, ww_str word, size_t at)
{
    bool whole = word.len == 3 && is_digit(word.ptr[0]);

    if (whole && is_digit(word.ptr[1]) && is_digit(word.ptr[2]) && ww_str_u64(word, &n->number))
        return n;
    if (!whole || !ww_str_eq_nocase(ww_str_from(word, 1), WW_STR("xx")))
        return wrong(p, at,
                     "a status has three digits, as 404, or stands for a hundred, as 5xx");
    n->hundreds = (unsigned)(word.ptr[0] - '0');
    return n;
}

static struct node *set_worker(struct parse *p, struct node *n, ww_str word, size_t at)
{
    n->named = WORKER_PID;
    if (ww_str_eq(word, WW_STR("?"))) {
        n->named = WORKER_UNKNOWN;
        return n;
    }
    if (word.ptr[0] == 'w') {
        n->named = WORKER_SLOT;
        word = ww_str_from(word, 1);
    }
    return ww_str_u64(word, &n->number)
               ? n
               : wrong(p, at, "a worker is a PID, w and its number, or ? for an unknown one");
}

static struct node *set_session(struct parse *p, struct node *n, ww_str word, size_t at)
{
    if (word.ptr[0] == 's')
        word = ww_str_from(word, 1);
    return ww_str_u64(word, &n->number) && n->number > 0
               ? n
               : wrong(p, at, "a session is s and its number, as s3");
}

static struct node *set_source(struct parse *p, struct node *n, ww_str word, size_t at)
{
    n->word = word;
    return ww_str_eq(word, WW_STR("known")) || ww_source_find(word) != WW_SOURCES
               ? n
               : wrong(p, at,
                       "the sources are kernel, preload, header, ambiguous, unknown, none, "
                       "and known for the first three");
}

static bool is_verdict_word(ww_str word)
{
    uint64_t id;

    for (int g = 0; g < WW_GUARANTEES; g++)
        if (ww_str_eq(word, ww_str_c(ww_guarantee_token((enum ww_guarantee)g))))
            return true;
    for (int g = 0; g < WW_GRADES; g++)
        if (ww_str_eq(word, ww_str_c(ww_grade_token((enum ww_grade)g))))
            return true;
    for (int c = 0; c < WW_CAUSES; c++)
        if (ww_str_eq(word, ww_str_c(ww_cause_token((enum ww_cause)c))))
            return true;
    return ww_str_eq(word, WW_STR("any")) ||
           (word.ptr[0] == 'f' && ww_str_u64(ww_str_from(word, 1), &id));
}

static struct node *set_verdict(struct parse *p, struct node *n, ww_str word, size_t at)
{
    n->word = word;
    return is_verdict_word(word)
               ? n
               : wrong(p, at,
                       "~v wants a guarantee (read-your-writes), a grade (confirmed), a "
                       "cause (worker-memory), a finding (f1), or any");
}

static struct node *set_argument(struct parse *p, struct node *n, const struct operator* o,
                                 ww_str word, size_t at)
{
    switch (o->argument) {
    case ARG_NONE:
        return n;
    case ARG_PATTERN:
        return set_pattern(p, n, word, at);
    case ARG_CODE:
        return set_code(p, n, word, at);
    case ARG_WORKER:
        return set_worker(p, n, word, at);
    case ARG_SESSION:
        return set_session(p, n, word, at);
    case ARG_VERDICT:
        return set_verdict(p, n, word, at);
    case ARG_SOURCE:
        return set_source(p, n, word, at);
    }
    return NULL;
}

/* ---- the grammar */

static const struct operator* operator_find(ww_str name)
{
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
        if (ww_str_eq(name, ww_str_c(operators[i].name)))
            return &operators[i];
    return NULL;
}

static struct node *parse_operator(struct parse *p)
{
    size_t from = p->at++;
    size_t name = p->at;
    ww_str word;

    while (peek(p, 0) >= 'a' && peek(p, 0) <= 'z')
        p->at++;

    ww_str text = ww_str_n(p->text.ptr + name, p->at - name);
    const struct operator* o = operator_find(text);

    if (o == NULL)
        return wrong(p, from, "there is no operator ~" WW_STRF, WW_STRV(text));

    struct node *n = node_new(p, o->kind);

    if (n == NULL)
        return NULL;
    n->side = o->side;
    if (o->argument == ARG_NONE)
        return n;
    skip_blanks(p);

    size_t at = p->at;

    if (!take_word(p, &word))
        return NULL;
    if (word.len == 0)
        return wrong(p, at, "~%s wants %s%s", o->name, o->wants,
                     o->argument == ARG_PATTERN && (peek(p, 0) == '(' || peek(p, 0) == ')')
                         ? "; one with parentheses stands between quotes"
                         : "");
    return set_argument(p, n, o, word, at);
}

static struct node *parse_url(struct parse *p)
{
    size_t at = p->at;
    ww_str word;

    if (!take_word(p, &word))
        return NULL;
    if (word.len == 0)
        return wrong(p, at, "a filter is missing here");

    struct node *n = node_new(p, NODE_URL);

    return n == NULL ? NULL : set_pattern(p, n, word, at);
}

static struct node *parse_all(struct parse *p);

static struct node *parse_group(struct parse *p)
{
    size_t from = p->at++;
    struct node *n = parse_all(p);

    if (n == NULL)
        return NULL;
    if (peek(p, 0) != ')')
        return wrong(p, from, "the parenthesis is not closed");
    p->at++;
    return n;
}

static struct node *parse_one(struct parse *p)
{
    struct node *n;

    skip_blanks(p);
    if (++p->depth > DEPTH_MAX)
        return wrong(p, p->at, "the filter is nested deeper than %d", DEPTH_MAX);
    if (peek(p, 0) == '!') {
        p->at++;

        struct node *of = parse_one(p);

        n = of == NULL ? NULL : node_new(p, NODE_NOT);
        if (n != NULL)
            n->left = of;
    } else if (peek(p, 0) == '(') {
        n = parse_group(p);
    } else if (peek(p, 0) == '~') {
        n = parse_operator(p);
    } else {
        n = parse_url(p);
    }
    p->depth--;
    return n;
}

/* One or more, joined by the sign. */
static struct node *parse_joined(struct parse *p, char sign, enum node_kind kind,
                                 struct node *(*part)(struct parse *p))
{
    struct node *n = part(p);

    for (;;) {
        skip_blanks(p);
        if (n == NULL || peek(p, 0) != sign)
            return n;
        p->at++;
        n = join(p, kind, n, part(p));
    }
}

static struct node *parse_and(struct parse *p)
{
    return parse_joined(p, '&', NODE_AND, parse_one);
}

static struct node *parse_or(struct parse *p)
{
    return parse_joined(p, '|', NODE_OR, parse_and);
}

static struct node *parse_all(struct parse *p)
{
    struct node *n = parse_or(p);

    while (n != NULL && p->at < p->text.len && peek(p, 0) != ')')
        n = join(p, NODE_AND, n, parse_or(p));
    return n;
}

struct ww_filter *ww_filter_new(ww_str text, struct ww_err *err)
{
    if (text.len > TEXT_MAX) {
        ww_err_set(err, WW_EUSAGE, "the filter is longer than %d bytes", TEXT_MAX);
        return NULL;
    }

    struct ww_filter *f = ww_xcalloc(1, sizeof(*f));

    ww_arena_init(&f->arena, SIZE_MAX);
    f->text = ww_arena_dup(&f->arena, text.ptr == NULL ? WW_STR("") : text);

    struct parse p = { .f = f, .text = f->text, .err = err };

    f->root = parse_all(&p);
    if (f->root != NULL && p.at < p.text.len)
        f->root = wrong(&p, p.at, "this parenthesis was never opened");
    if (f->root != NULL)
        return f;
    ww_filter_free(f);
    return NULL;
}

void ww_filter_free(struct ww_filter *f)
{
    if (f == NULL)
        return;
    for (struct node *n = f->first_re; n != NULL; n = n->next_re)
        ww_re_free(n->re);
    ww_arena_release(&f->arena);
    free(f);
}

ww_str ww_filter_text(const struct ww_filter *f)
{
    return f->text;
}
